"""Polars in this process: SQL through its SQL context, dataframe programs as lazy frames."""

from __future__ import annotations

import os
from pathlib import Path

# Polars reads it when it is imported. By itself it would spill below /var/tmp, where nobody looks for what a run leaves.
os.environ.setdefault("POLARS_OOC_SPILL_DIR", str(Path(os.environ.get("TMPDIR", "/tmp")) / "polars-spill"))

import polars as pl
import polars.exceptions as errors
from frame import apply

from bench_driver import Engine, Setup, Unsupported, Workload, serve

KINDS = {
    errors.SQLSyntaxError: "program",
    errors.SQLInterfaceError: "unsupported",
    errors.ColumnNotFoundError: "program",
    errors.SchemaError: "program",
}


class Polars(Engine):
    name = "polars"

    def version(self) -> str:
        return pl.__version__

    def start(self, setup: Setup) -> None:
        settings = self.settings()
        self.engine = settings["engine"]
        self.parallel = settings.get("parallel", "auto")
        self.tables: dict[str, pl.LazyFrame] = {}
        self.answer: pl.DataFrame | None = None

    def load(self, datasets) -> None:
        self.tables = {}
        for table in [table for dataset in datasets for table in dataset.tables]:
            if table.format != "parquet":
                raise Unsupported(f"this driver reads Parquet tables only, and `{table.name}` is {table.format}")
            self.tables[table.name] = pl.scan_parquet(list(table.files), parallel=self.parallel)

    def run(self, workload: Workload) -> int:
        if self.setup.memory_bytes is not None:
            self.note("no stable setting of it says how much memory it may hold: the limit binds it in name only, and its peak is in the record")
        # In the foreground: a query in the background could be cancelled, but forgets which engine it was to run on.
        self.answer = self.frame(workload).collect(engine=self.engine)
        return self.answer.height

    def frame(self, workload: Workload) -> pl.LazyFrame:
        steps = workload.steps
        if steps is not None:
            return apply(self.tables, steps)
        return pl.SQLContext(self.tables).execute(self.sql(workload), eager=False)

    def write_result(self, path: Path) -> None:
        self.answer.write_parquet(path)

    def discard(self) -> None:
        self.answer = None

    def explain(self, workload: Workload, analyze: bool) -> str:
        frame = self.frame(workload)
        if analyze:
            _, profile = frame.profile()
            return f"{frame.explain()}\n\n{profile}"
        return frame.explain(engine=self.engine)

    def classify(self, error: BaseException) -> str | None:
        return next((kind for known, kind in KINDS.items() if isinstance(error, known)), None)


if __name__ == "__main__":
    serve(Polars())
