"""DataFusion in this process, through its Python package: SQL as text, dataframe programs through its DataFrame."""

from __future__ import annotations

import shutil
from pathlib import Path

import datafusion
import pyarrow as pa
import pyarrow.parquet as pq
from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext, SQLOptions, col
from datafusion import functions as f

from bench_driver import Engine, Setup, Workload, serve
from bench_driver.steps import Distinct, Filter, Group, Join, Limit, Pivot, Scan, Select, Sort, Window

WORDS = {
    "Resources exhausted": "out_of_memory",
    "not implemented": "unsupported",
    "SQL error": "program",
    "Schema error": "program",
    "Error during planning": "program",
}


class Datafusion(Engine):
    name = "datafusion-py"

    def version(self) -> str:
        return datafusion.__version__

    def start(self, setup: Setup) -> None:
        settings = self.settings()
        memory = settings.pop("memory_bytes", None)
        runtime = RuntimeEnvBuilder().with_disk_manager_specified(str(setup.scratch))
        if memory is not None:
            runtime = runtime.with_fair_spill_pool(int(memory))
        self.config = SessionConfig({key: str(value) for key, value in settings.items()})
        self.runtime = runtime
        self.tables = setup.scratch / "tables"
        self.context = SessionContext(self.config, self.runtime)
        self.answer: pa.Table | None = None

    def load(self, datasets) -> None:
        self.context = SessionContext(self.config, self.runtime)
        shutil.rmtree(self.tables, ignore_errors=True)
        for table in [table for dataset in datasets for table in dataset.tables]:
            suffix = ".parquet" if table.format == "parquet" else ".csv"
            place = listed(table.files, self.tables / table.name, suffix)
            if table.format == "parquet":
                # Of a schema that it finds by itself DataFusion reads text as views, as the engine `datafusion` does; not of a given one.
                self.context.register_parquet(table.name, place, file_extension=suffix)
            else:
                self.context.register_csv(table.name, place, schema=table.arrow_schema(), file_extension=suffix)

    def run(self, workload: Workload) -> int:
        frame = self.frame(workload)
        batches = frame.collect()
        self.answer = pa.Table.from_batches(batches, schema=frame.schema() if not batches else batches[0].schema)
        return self.answer.num_rows

    def frame(self, workload: Workload):
        steps = workload.steps
        if steps is not None:
            return self.apply(steps)
        only_queries = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)
        return self.context.sql_with_options(self.sql(workload), only_queries)

    def apply(self, steps):
        frame = None
        for step in steps:
            frame = self.context.table(step.table) if isinstance(step, Scan) else self.step(frame, step)
        return frame

    def step(self, frame, step):
        def read(text: str):
            return frame.parse_sql_expr(text)

        match step:
            case Filter(text):
                return frame.filter(read(text))
            case Select(columns):
                return frame.select(*map(read, columns))
            case Group(by, agg):
                return frame.aggregate([read(text) for text in by], [read(text) for text in agg])
            case Window(columns):
                return frame.select(*[col(f'"{name}"') for name in frame.schema().names], *map(read, columns))
            case Sort(keys):
                return frame.sort(*[f.order_by(col(f'"{k.column}"'), not k.descending, k.nulls_first) for k in keys])
            case Limit(rows):
                return frame.limit(rows)
            case Distinct():
                return frame.distinct()
            case Pivot(by, column, values, value):
                cells = [f"{value} FILTER (WHERE {column} = {v}) AS \"{title(v)}\"" for v in values]
                return frame.aggregate([read(text) for text in by], [read(text) for text in cells])
            case Join(table, on, how, prepared):
                right = self.apply([Scan(table), *prepared])
                lefts, rights = [left for left, _ in on], [right for _, right in on]
                same = all(left == right for left, right in on)
                return frame.join(right, left_on=lefts, right_on=rights, how=how, coalesce_duplicate_keys=same)

    def write_result(self, path: Path) -> None:
        pq.write_table(self.answer, path)

    def discard(self) -> None:
        self.answer = None

    def explain(self, workload: Workload, analyze: bool) -> str:
        frame = self.frame(workload)
        return frame.execution_plan().display_indent() if not analyze else frame.explain_string(analyze=True)

    def classify(self, error: BaseException) -> str | None:
        text = str(error)
        return next((kind for words, kind in WORDS.items() if words in text), None)


def listed(files: tuple[str, ...], folder: Path, suffix: str) -> Path:
    """A folder of links to these files and no others, in their order: as one listing table they are planned like a table of the
    engine `datafusion`, which names them one by one. A union of a table each would have as many partitions as files."""
    folder.mkdir(parents=True)
    for number, file in enumerate(files):
        (folder / f"{number:05}{suffix}").symlink_to(file)
    return folder


def title(literal: str) -> str:
    return literal.strip("'").replace('"', "")


if __name__ == "__main__":
    serve(Datafusion())
