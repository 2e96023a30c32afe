"""What a program comes to: a Dask collection, what is left to do with its few rows, and the types of its columns."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from numbers_of import decimals_of


def as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


@dataclass(frozen=True)
class Answer:
    """A program that has not run yet."""

    value: Any
    """A Dask collection."""
    finish: Callable[[Any], pd.DataFrame] = as_it_is
    """From what the collection computes to the answer; for the order of a handful of rows and the last division."""
    decimals: Mapping[str, int] = field(default_factory=dict)
    """Columns that hold integers of the last digit of a decimal, and its digits after the point."""
    dates: tuple[str, ...] = ()
    """Columns that hold dates as timestamps."""


def to_arrow(frame: pd.DataFrame, answer: Answer) -> pa.Table:
    """The answer's columns with the types that the tables had."""
    columns = {}
    for name in frame.columns:
        values = frame[name]
        if name in answer.decimals:
            columns[name] = decimal_column(values, answer.decimals[name])
        else:
            column = pa.Array.from_pandas(values)
            columns[name] = column.cast(pa.date32()) if name in answer.dates else column
    return pa.table(columns)


def decimal_column(values: pd.Series, scale: int) -> pa.Array:
    if values.dtype == np.int64:
        return decimals_of(values.to_numpy(), scale)
    if values.dtype != object:
        raise TypeError(f"{values.name} is {values.dtype}: a decimal is made of integers")
    # Integers of more than 64 bits; the context must not round them.
    wide = decimal.Context(prec=38)
    return pa.array([None if v is None else wide.scaleb(decimal.Decimal(int(v)), -scale) for v in values], pa.decimal128(38, scale))
