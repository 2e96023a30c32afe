"""DataFusion inside Dask tasks: Dask's runtime, and the kernel of this repository's own engines."""

from __future__ import annotations

import uuid
from importlib.metadata import version
from operator import getitem
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from bench_driver import Dataset, Engine, ProgramError, Ran, Setup, Unsupported, Workload, serve
from bench_driver.spans import Spans, Window
from datafusion_kernel import Graph, plan, run_task

from dask_cluster import Cluster

PYTHON = Path(__file__).resolve().parent.parent


class DaskDataFusion(Engine):
    name = "dask-datafusion"
    refuses = {"sql": "there is no distributed SQL planner around this kernel in Python; engines with it and SQL: datafusion, ballista"}

    def version(self) -> str:
        return f"{version('distributed')}, datafusion {version('datafusion')}"

    def start(self, setup: Setup) -> None:
        self.cluster: Cluster | None = None
        self.loaded: dict[str, Dataset] = {}
        self.answer: list[pa.Table] | None = None
        settings = self.settings()
        self.partitions = setup.slots * setup.nodes * int(settings["partitions_per_slot"])
        # What operators may hold in one task: the rest of a worker's memory is for pieces.
        self.task_bytes = None if setup.memory_bytes is None else int(setup.memory_bytes * 0.7) // setup.slots
        self.cluster = Cluster(self, [PYTHON / "bench_driver", PYTHON / "datafusion_kernel"])
        # Workers have loaded the kernel before anything is timed.
        self.cluster.client.run(load_kernel)

    def load(self, datasets: list[Dataset]) -> None:
        self.loaded = {dataset.name: dataset for dataset in datasets}

    def graph(self, workload: Workload) -> Graph:
        if workload.dataset not in self.loaded:
            raise ProgramError(f"{workload.name} reads the dataset {workload.dataset}, which is not loaded")
        return plan(workload.steps, self.loaded[workload.dataset], self.partitions, self.task_bytes)

    def run(self, workload: Workload) -> Ran:
        graph = self.graph(workload)
        tasks, keys = as_dask(graph, uuid.uuid4().hex)
        futures = self.cluster.client.get(tasks, keys, sync=False)
        # One by one: the first failure ends the run, and all wait for the same cancel.
        self.answer = self.cluster.gather(futures)
        return Ran(sum(rows.num_rows for rows in self.answer), [f"{len(graph.tasks)} kernel tasks"])

    def write_result(self, path: Path) -> None:
        pq.write_table(pa.concat_tables(self.answer), path)

    def spans(self, window: Window) -> Spans:
        return self.cluster.spans(window)

    def discard(self) -> None:
        self.answer = None
        self.cluster.forget()

    def interrupt(self) -> None:
        """Nothing to do: `Cluster.gather` looks whether the run is still wanted."""

    def explain(self, workload: Workload, analyze: bool) -> str:
        if analyze:
            raise Unsupported("dask-datafusion measures no single task")
        return self.graph(workload).describe()

    def classify(self, error: BaseException) -> str | None:
        return self.cluster.classify(error) if self.cluster else None

    def stop(self) -> None:
        if self.cluster:
            self.cluster.stop()


def as_dask(graph: Graph, run: str) -> tuple[dict, list]:
    """The graph as Dask has it, with the keys of the answer. A piece is a task of its own, as in Dask's shuffles: so a
    reader is sent that piece and no other."""
    tasks: dict = {}
    for task in graph.tasks:
        pieces = [(f"piece-{run}", number, piece) for number, piece in task.reads]
        tasks[f"kernel-{run}", task.id, "all"] = (run_task, task, *pieces)
        for piece in range(task.pieces):
            tasks[f"piece-{run}", task.id, piece] = (getitem, (f"kernel-{run}", task.id, "all"), piece)
    return tasks, [(f"piece-{run}", task, 0) for task in graph.answer]


def load_kernel() -> str:
    import datafusion_kernel

    return datafusion_kernel.__name__


if __name__ == "__main__":
    serve(DaskDataFusion())
