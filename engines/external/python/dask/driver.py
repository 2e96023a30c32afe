"""Dask: its DataFrame API on a distributed cluster, local or attached to."""

from __future__ import annotations

import importlib
from pathlib import Path

import dask
import pyarrow.parquet as pq
from bench_driver import Dataset, Engine, ProgramError, Setup, Unsupported, Workload, serve
from bench_driver.spans import Spans, Window

from answer import Answer, to_arrow
from dask_cluster import Cluster
from frame import translate
from tables import Tables
from texts import TEXTS, text_of

HERE = Path(__file__).resolve().parent
TASK_CODE = [HERE / "answer.py", HERE / "numbers_of.py", HERE / "tables.py", HERE / "tpch", HERE / "frame", HERE.parent / "bench_driver"]
"""What tasks import: an attached cluster is sent it."""


def load_task_code() -> None:
    for module in ("dask.dataframe", "pyarrow.dataset", "distributed.shuffle", "tables"):
        importlib.import_module(module)


class Dask(Engine):
    name = "dask"

    def version(self) -> str:
        return dask.__version__

    def start(self, setup: Setup) -> None:
        self.cluster: Cluster | None = None
        self.tables: dict[str, Tables] = {}
        self.answer: tuple | None = None
        self.partition_bytes = int(self.settings()["partition_bytes"])
        self.cluster = Cluster(self, TASK_CODE)
        # Workers have loaded what tasks import before anything is timed.
        self.cluster.client.run(load_task_code)

    def load(self, datasets: list[Dataset]) -> None:
        self.tables = {dataset.name: Tables(dataset, self.partition_bytes) for dataset in datasets}

    def run(self, workload: Workload) -> int:
        program = self.program(workload)
        computed = program.finish(self.cluster.compute(program.value))
        # Numbers get their types here, inside the run: few rows. Large answers stay as pandas has them.
        self.answer = (to_arrow(computed, program) if workload.sql else computed, program)
        return len(computed)

    def program(self, workload: Workload) -> Answer:
        """The workload's program over its tables; nothing runs yet."""
        tables = self.tables.get(workload.dataset)
        if tables is None:
            raise ProgramError(f"{workload.name} reads the dataset {workload.dataset}, which is not loaded")
        tables.begin_run()
        if workload.steps is not None:
            return translate(workload.steps, tables)
        if workload.name not in TEXTS:
            raise Unsupported("Dask has no SQL; there are DataFrame programs for tpch-q01 to tpch-q22 only")
        if text_of(workload.sql) != TEXTS[workload.name]:
            raise Unsupported(f"Dask has no SQL, and its DataFrame program for {workload.name} answers another text")
        module = importlib.import_module(f"tpch.{workload.name.removeprefix('tpch-')}")
        return module.program(tables, workload.sql)

    def write_result(self, path: Path) -> None:
        held, program = self.answer
        pq.write_table(to_arrow(held, program) if hasattr(held, "dtypes") else held, path)

    def spans(self, window: Window) -> Spans:
        return self.cluster.spans(window)

    def discard(self) -> None:
        self.answer = None
        self.cluster.forget()

    def interrupt(self) -> None:
        """Nothing to do: `Cluster.wait` looks whether the run is still wanted."""

    def explain(self, workload: Workload, analyze: bool) -> str:
        program = self.program(workload)
        text = program.value.optimize().expr.tree_repr()
        if analyze:
            rows = len(program.finish(self.cluster.compute(program.value)))
            text += f"\n{rows} rows"
        return text

    def classify(self, error: BaseException) -> str | None:
        return self.cluster.classify(error) if self.cluster else None

    def stop(self) -> None:
        if self.cluster:
            self.cluster.stop()


if __name__ == "__main__":
    serve(Dask())
