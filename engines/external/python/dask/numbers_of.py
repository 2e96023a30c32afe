"""Decimals as 64-bit integers of their last digit, and back: exact, and as fast in pandas as floating point."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

DIGITS_OF_INT64 = 18


def cents_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A decimal column times ten to its scale. A 128-bit decimal of up to 18 digits is the 64-bit number in its low word."""
    kind = column.type
    if kind.precision > DIGITS_OF_INT64 or not pa.types.is_decimal128(kind):
        raise ValueError(f"{kind} does not fit 64-bit integers")
    return pa.chunked_array([_low_words(chunk) for chunk in column.chunks], pa.int64())


def _low_words(chunk: pa.Array) -> pa.Array:
    if chunk.null_count:
        raise ValueError("a decimal is NULL: these programs are for tables without")
    if len(chunk) == 0:
        return pa.array([], pa.int64())
    words = np.frombuffer(chunk.buffers()[1], np.int64)
    first = 2 * chunk.offset
    return pa.array(np.ascontiguousarray(words[first : first + 2 * len(chunk) : 2]))


def decimals_of(numbers: np.ndarray, scale: int) -> pa.Array:
    """64-bit integers as decimals with so many digits after the point: the inverse."""
    low = np.ascontiguousarray(numbers, dtype=np.int64)
    words = np.empty((len(low), 2), np.int64)
    words[:, 0] = low
    words[:, 1] = low >> 63
    return pa.Array.from_buffers(pa.decimal128(38, scale), len(low), [None, pa.py_buffer(words)])
