"""Datasets and workloads as the harness describes them. Unknown fields are errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .failures import ProtocolError
from .steps import Step, parse_steps


def fields(value: Any, what: str, required: dict[str, type | tuple], optional: dict[str, type | tuple] | None = None) -> dict:
    """`value` as an object with exactly these fields, each of its type."""
    optional = optional or {}
    if not isinstance(value, dict):
        raise ProtocolError(f"{what} must be an object, not {value!r}")
    for name in value:
        if name not in required and name not in optional:
            raise ProtocolError(f"{what} has an unknown field `{name}`")
    for name, kind in required.items():
        if name not in value:
            raise ProtocolError(f"{what} lacks the field `{name}`")
        check_type(value[name], kind, f"{what}.{name}")
    for name, kind in optional.items():
        if name in value:
            check_type(value[name], kind, f"{what}.{name}")
    return value


def check_type(value: Any, kind: type | tuple, what: str) -> None:
    """JSON's `true` is no number, although Python thinks so."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise ProtocolError(f"{what} has the wrong type: {value!r}")


@dataclass(frozen=True)
class Table:
    """One table: files of one schema."""

    name: str
    format: str
    """`parquet`, or `csv` with a header line."""
    files: tuple[str, ...]
    """Absolute paths, in order."""
    schema_ipc_hex: str
    rows: int
    bytes: int
    """On disk, all files together."""

    def arrow_schema(self):
        """The columns as a `pyarrow.Schema`; needs pyarrow."""
        import pyarrow as pa

        with pa.ipc.open_stream(bytes.fromhex(self.schema_ipc_hex)) as reader:
            return reader.schema

    @staticmethod
    def parse(value: Any) -> Table:
        given = fields(
            value,
            "table",
            {"name": str, "format": str, "files": list, "schema_ipc_hex": str, "rows": int, "bytes": int},
        )
        if given["format"] not in ("parquet", "csv"):
            raise ProtocolError(f"table `{given['name']}` has the unknown format `{given['format']}`")
        for file in given["files"]:
            check_type(file, str, f"table `{given['name']}`: a file")
        return Table(**{**given, "files": tuple(given["files"])})


def csv_options(schema):
    """How pyarrow reads the fields of a CSV table, as DataFusion and DuckDB do: an empty one is NULL, quoted or not, and no other text is. Needs
    pyarrow."""
    from pyarrow import csv

    return csv.ConvertOptions(column_types=schema, null_values=[""], strings_can_be_null=True)


@dataclass(frozen=True)
class Dataset:
    """The tables of one family at one scale."""

    name: str
    tables: tuple[Table, ...]

    @staticmethod
    def parse(value: Any) -> Dataset:
        given = fields(value, "dataset", {"name": str, "tables": list})
        return Dataset(given["name"], tuple(Table.parse(table) for table in given["tables"]))


@dataclass(frozen=True)
class Workload:
    """A named program on named data."""

    name: str
    family: str
    title: str
    program: dict
    dataset: str | None
    check: dict

    @property
    def form(self) -> str:
        """What the program is written in: `sql`, `frame` or `graph`."""
        return next(iter(self.program.get("query", self.program)))

    @property
    def sql(self) -> str | None:
        """The text of a SQL program, as the suite has it; see `Engine.sql` for overrides."""
        query = self.program.get("query")
        return query.get("sql") if isinstance(query, dict) else None

    @property
    def steps(self) -> list[Step] | None:
        """The steps of a dataframe program."""
        query = self.program.get("query")
        frame = query.get("frame") if isinstance(query, dict) else None
        return None if frame is None else parse_steps(frame)

    @property
    def order_by(self) -> list[tuple[str, bool, bool]]:
        """The order the answer must have: column, descending, nulls first."""
        keys = self.check.get("order_by", [])
        return [(key["column"], key.get("descending", False), key.get("nulls_first", False)) for key in keys]

    @staticmethod
    def parse(value: Any) -> Workload:
        given = fields(
            value,
            "workload",
            {"name": str, "family": str, "title": str, "program": dict, "check": dict},
            {"dataset": str},
        )
        program = given["program"]
        if set(program) not in ({"query"}, {"graph"}):
            raise ProtocolError(f"workload `{given['name']}` has an unknown kind of program")
        if "query" in program and (not isinstance(program["query"], dict) or set(program["query"]) not in ({"sql"}, {"frame"})):
            raise ProtocolError(f"workload `{given['name']}` has an unknown kind of query")
        return Workload(**{"dataset": None, **given})
