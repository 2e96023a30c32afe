"""Files as Dask DataFrames: one partition per run of row groups, with the columns and rows that a program asks for.

`dd.from_map` over a function that reads one part, as Dask advises for sources that `dd.read_parquet` does not fit: decimals become
integers and dates timestamps while a part is read, and tables may be CSV files. Columns that a program
does not use are not read (`from_map` pushes projections into the function), and conditions given as `where` are applied while
reading, with row groups skipped by their statistics.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq
from bench_driver import DataError, Dataset, ProgramError, Table, csv_options

from numbers_of import cents_of


@dataclass(frozen=True)
class Part:
    """What one partition reads."""

    path: str
    format: str
    row_groups: tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """A table and how it is cut."""

    table: Table
    schema: pa.Schema
    parts: tuple[Part, ...]

    @property
    def nullable(self) -> bool:
        """Whether some column may hold NULLs. Then integers take a type that has them."""
        return any(field.nullable for field in self.schema)


class Tables:
    """The tables of one dataset."""

    def __init__(self, dataset: Dataset, partition_bytes: int):
        self.name = dataset.name
        self.begin_run()
        self.sources = {table.name: open_table(table, partition_bytes) for table in dataset.tables}

    def begin_run(self) -> None:
        """Gives all tasks of the next program names of their own. Dask names a task by what it computes, and takes the
        result of a task of the same name where it still has it: a repeated run would measure nothing."""
        self.run = uuid.uuid4().hex

    def source(self, name: str) -> Source:
        if name not in self.sources:
            raise ProgramError(f"there is no table `{name}` in {self.name}; tables: {', '.join(sorted(self.sources))}")
        return self.sources[name]

    def scan(self, name: str) -> dd.DataFrame:
        """A table with the types it has."""
        return self.frame(name, None, None, False)

    def read(self, name: str, columns: list[str], where: pc.Expression | None = None) -> dd.DataFrame:
        """Columns of the rows for which `where` holds; decimals as integers of their last digit, dates as timestamps."""
        return self.frame(name, columns, where, True)

    def frame(self, name: str, columns: list[str] | None, where: pc.Expression | None, native: bool) -> dd.DataFrame:
        source = self.source(name)
        columns = columns or source.schema.names
        given = {"schema": source.schema, "where": where, "native": native, "nullable": source.nullable, "run": self.run}
        meta = to_pandas(source.schema.empty_table(), native, source.nullable)[columns]
        return dd.from_map(read_part, source.parts, columns=columns, **given, meta=meta, label=f"read-{name}")


def open_table(table: Table, partition_bytes: int) -> Source:
    """Reads footers, not rows."""
    schema = pa.schema([plain(field) for field in table.arrow_schema()])
    parts: list[Part] = []
    for path in table.files:
        try:
            parts += parts_of(path, partition_bytes) if table.format == "parquet" else [Part(path, "csv", ())]
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"cannot read table {table.name} from {path}: {error}") from error
    return Source(table, schema, tuple(parts))


def parts_of(path: str, partition_bytes: int) -> list[Part]:
    """Runs of row groups of about so many bytes uncompressed; never less than one."""
    footer = pq.read_metadata(path)
    runs: list[list[int]] = [[]]
    size = 0
    for group in range(footer.num_row_groups):
        added = footer.row_group(group).total_byte_size
        if runs[-1] and size + added > partition_bytes:
            runs.append([])
            size = 0
        runs[-1].append(group)
        size += added
    return [Part(path, "parquet", tuple(run)) for run in runs]


def plain(field: pa.Field) -> pa.Field:
    """Text without views. Metadata goes: it would travel with every task."""
    kind = pa.string() if pa.types.is_string_view(field.type) else field.type
    return pa.field(field.name, kind, field.nullable)


def read_part(part: Part, columns=None, schema=None, where=None, native=False, nullable=False, run=None) -> pd.DataFrame:
    """One partition. `run` only makes its name another one."""
    columns = schema.names if columns is None else list(columns)
    if part.format == "csv":
        source = ds.dataset(part.path, schema, format=ds.CsvFileFormat(convert_options=csv_options(schema)))
    else:
        kind, local = ds.ParquetFileFormat(), pa.fs.LocalFileSystem()
        fragment = kind.make_fragment(part.path, local, row_groups=list(part.row_groups))
        source = ds.FileSystemDataset([fragment], schema, kind, local)
    # The worker's threads are the parallelism; pyarrow's would come on top of them.
    return to_pandas(source.to_table(columns, filter=where, use_threads=False), native, nullable)


def to_pandas(table: pa.Table, native: bool, nullable: bool) -> pd.DataFrame:
    """The rows as pandas has them; see `docs/products/dask.md` on types."""
    if native:
        for at, field in enumerate(table.schema):
            if pa.types.is_decimal(field.type):
                table = table.set_column(at, field.name, cents_of(table.column(at)))
            elif pa.types.is_date32(field.type):
                table = table.set_column(at, field.name, table.column(at).cast(pa.timestamp("s")))

    def mapper(kind: pa.DataType):
        if pa.types.is_decimal(kind) or pa.types.is_date32(kind):
            return pd.ArrowDtype(kind)
        return NULLABLE.get(kind) if nullable else None

    return table.to_pandas(types_mapper=mapper, use_threads=False, ignore_metadata=True)


NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
"""Integers and truth values that may be absent. In floating point NaN stands for NULL."""
