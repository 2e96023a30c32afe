"""The smallest Parquet file there is: columns of whole numbers, none missing, plainly encoded, in one row group.

For tests that must run without any package. The format: <https://github.com/apache/parquet-format>.
"""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = b"PAR1"
I32, I64, BINARY, LIST, STRUCT = 5, 6, 8, 9, 12
INT64, REQUIRED, PLAIN, RLE, UNCOMPRESSED, DATA_PAGE = 2, 0, 0, 3, 0, 0


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def zigzag(number: int) -> bytes:
    return varint(number << 1 ^ number >> 63)


def struct_of(*fields: tuple[int, int, bytes]) -> bytes:
    """Thrift's compact protocol; fields by rising number."""
    out, last = bytearray(), 0
    for number, kind, value in fields:
        out += bytes([number - last << 4 | kind]) + value
        last = number
    return bytes(out) + b"\0"


def text(value: str) -> bytes:
    return varint(len(value.encode())) + value.encode()


def list_of(kind: int, items: list[bytes]) -> bytes:
    assert len(items) < 15
    return bytes([len(items) << 4 | kind]) + b"".join(items)


def write_numbers(path: Path, columns: dict[str, list[int]]) -> None:
    """Writes columns of equal length."""
    (rows,) = {len(values) for values in columns.values()}
    body, chunks = bytearray(MAGIC), []
    for name, values in columns.items():
        data = b"".join(struct.pack("<q", value) for value in values)
        at = len(body)
        page = struct_of((1, I32, zigzag(rows)), (2, I32, zigzag(PLAIN)), (3, I32, zigzag(RLE)), (4, I32, zigzag(RLE)))
        size = zigzag(len(data))
        body += struct_of((1, I32, zigzag(DATA_PAGE)), (2, I32, size), (3, I32, size), (5, STRUCT, page)) + data
        taken = zigzag(len(body) - at)
        meta = struct_of(
            (1, I32, zigzag(INT64)),
            (2, LIST, list_of(I32, [zigzag(PLAIN)])),
            (3, LIST, list_of(BINARY, [text(name)])),
            (4, I32, zigzag(UNCOMPRESSED)),
            (5, I64, zigzag(rows)),
            (6, I64, taken),
            (7, I64, taken),
            (9, I64, zigzag(at)),
        )
        chunks.append(struct_of((2, I64, zigzag(at)), (3, STRUCT, meta)))
    root = struct_of((4, BINARY, text("schema")), (5, I32, zigzag(len(columns))))
    leaves = [struct_of((1, I32, zigzag(INT64)), (3, I32, zigzag(REQUIRED)), (4, BINARY, text(name))) for name in columns]
    group = struct_of(
        (1, LIST, list_of(STRUCT, chunks)),
        (2, I64, zigzag(len(body))),
        (3, I64, zigzag(rows)),
    )
    footer = struct_of(
        (1, I32, zigzag(1)),
        (2, LIST, list_of(STRUCT, [root, *leaves])),
        (3, I64, zigzag(rows)),
        (4, LIST, list_of(STRUCT, [group])),
    )
    path.write_bytes(bytes(body) + footer + struct.pack("<I", len(footer)) + MAGIC)
