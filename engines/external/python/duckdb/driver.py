"""DuckDB in this process: SQL as text, dataframe programs as relations."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from bench_driver import Engine, ProgramError, Setup, Workload, serve
from bench_driver.expressions import aggregates_of, parse
from bench_driver.steps import Distinct, Filter, Group, Join, Limit, Pivot, Scan, Select, Sort, Window

KINDS = {
    duckdb.ParserException: "program",
    duckdb.BinderException: "program",
    duckdb.CatalogException: "program",
    duckdb.OutOfMemoryException: "out_of_memory",
    duckdb.NotImplementedException: "unsupported",
    duckdb.IOException: "data",
}
# A disk that is full says nothing of the data.
NO_SPACE = ("No space left", "failed to offload data block")


class Duckdb(Engine):
    name = "duckdb"

    def version(self) -> str:
        return duckdb.__version__

    def start(self, setup: Setup) -> None:
        self.connection = duckdb.connect(":memory:")
        # Extensions would be fetched from a server of its makers.
        self.connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
        for key, value in self.settings().items():
            shown = str(value).lower() if isinstance(value, bool) else "'" + str(value).replace("'", "''") + "'"
            self.connection.execute(f"SET {key} = {shown}")
        self.answer: pa.Table | None = None

    def load(self, datasets) -> None:
        for (name,) in self.connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall():
            self.connection.execute(f'DROP VIEW "{name}"')
        for table in [table for dataset in datasets for table in dataset.tables]:
            files = list(table.files)
            relation = (
                self.connection.read_parquet(files)
                if table.format == "parquet"
                else self.connection.read_csv(files, header=True, dtype=types(table.arrow_schema()))
            )
            relation.create_view(table.name, replace=True)

    def run(self, workload: Workload) -> int:
        relation = self.relation(workload)
        self.answer = relation.to_arrow_table()
        return self.answer.num_rows

    def relation(self, workload: Workload) -> duckdb.DuckDBPyRelation:
        steps = workload.steps
        if steps is None:
            relation = self.connection.sql(self.sql(workload).strip().rstrip(";"))
            if relation is None:
                raise ProgramError("only queries can be run")
            return relation
        return self.apply(steps)

    def apply(self, steps) -> duckdb.DuckDBPyRelation:
        relation = None
        for step in steps:
            relation = self.connection.table(step.table) if isinstance(step, Scan) else self.step(relation, step)
        return relation

    def step(self, relation: duckdb.DuckDBPyRelation, step) -> duckdb.DuckDBPyRelation:
        match step:
            case Filter(text):
                return relation.filter(text)
            case Select(columns):
                return relation.project(", ".join(columns))
            case Group(by, agg):
                plain = [text for text in agg if not aggregates_of(parse(text).expr)]
                if plain:
                    raise ProgramError(f"`{plain[0]}` in a group step is not an aggregate; put it into `by`")
                return relation.aggregate(", ".join([*by, *agg]), ", ".join(by))
            case Window(columns):
                return relation.project(", ".join(["*", *columns]))
            case Sort(keys):
                return relation.order(", ".join(map(order, keys)))
            case Limit(rows):
                return relation.limit(rows)
            case Distinct():
                return relation.distinct()
            case Pivot(by, column, values, value):
                cells = [f"{value} FILTER (WHERE {column} = {v}) AS \"{title(v)}\"" for v in values]
                return relation.aggregate(", ".join([*by, *cells]), ", ".join(by))
            case Join():
                return self.join(relation, step)

    def join(self, left: duckdb.DuckDBPyRelation, step: Join) -> duckdb.DuckDBPyRelation:
        right = self.apply([Scan(step.table), *step.steps])
        condition = " AND ".join(f'l."{a}" = r."{b}"' for a, b in step.on)
        joined = left.set_alias("l").join(right.set_alias("r"), condition, how=step.how)
        if step.how in ("semi", "anti"):
            return joined
        # Of a key that both sides call the same, one copy stays.
        dropped = {a for a, b in step.on if a == b}
        kept = [f'l."{name}"' for name in left.columns] + [f'r."{name}"' for name in right.columns if name not in dropped]
        return joined.project(", ".join(kept))

    def interrupt(self) -> None:
        self.connection.interrupt()

    def write_result(self, path: Path) -> None:
        pq.write_table(self.answer, path)

    def discard(self) -> None:
        self.answer = None

    def explain(self, workload: Workload, analyze: bool) -> str:
        return self.relation(workload).explain("analyze" if analyze else "standard")

    def stop(self) -> None:
        self.connection.close()

    def classify(self, error: BaseException) -> str | None:
        if any(words in str(error) for words in NO_SPACE):
            return None
        return next((kind for known, kind in KINDS.items() if isinstance(error, known)), None)


def order(key) -> str:
    return f'"{key.column}" {"DESC" if key.descending else "ASC"} NULLS {"FIRST" if key.nulls_first else "LAST"}'


def title(literal: str) -> str:
    return literal.strip("'").replace('"', "")


def types(schema: pa.Schema) -> dict[str, str]:
    """The columns of a CSV file as DuckDB calls their types: what it guesses may differ."""
    empty = duckdb.arrow(schema.empty_table())
    return dict(zip(empty.columns, map(str, empty.types)))


if __name__ == "__main__":
    serve(Duckdb())
