"""DataFusion inside Ray tasks: Ray's runtime, and the kernel of this repository's own engines."""

from __future__ import annotations

from pathlib import Path

from bench_driver import Cancelled, Dataset, Engine, Ran, Setup, Unsupported, Workload, serve
from bench_driver.spans import Spans, Window


class RayDataFusion(Engine):
    name = "ray-datafusion"
    refuses = {"sql": "there is no distributed SQL planner around this kernel in Python; engines with it and SQL: datafusion, ballista"}

    def __init__(self) -> None:
        self.cluster = None
        self.answer = None

    def version(self) -> str:
        from importlib.metadata import version

        return f"{version('ray')}, datafusion {version('datafusion')}"

    def start(self, setup: Setup) -> None:
        from ray_cluster import Cluster

        settings = self.settings()
        python = Path(__file__).resolve().parent.parent
        self.cluster = Cluster(setup, settings, [python / "bench_driver", python / "datafusion_kernel"])
        import ray

        # The pieces are what a task returns, one object each, so that a reader is given its own and no others.
        self.remote = ray.remote(num_cpus=1)(pieces_of)
        # Workers are started and have loaded the kernel before anything is timed.
        ray.get([self.remote.options(num_returns=1).remote(None) for _ in range(setup.slots)])
        self.partitions = setup.slots * setup.nodes * int(settings["partitions_per_slot"])
        self.task_memory = None if setup.memory_bytes is None else int(setup.memory_bytes * 0.7) // setup.slots

    def load(self, datasets: list[Dataset]) -> None:
        self.by_name = {dataset.name: dataset for dataset in datasets}

    def graph(self, workload: Workload):
        from datafusion_kernel import plan

        return plan(workload.steps, self.by_name[workload.dataset], self.partitions, self.task_memory)

    def run(self, workload: Workload) -> Ran:
        import ray

        graph = self.graph(workload)
        made: dict[int, list] = {}
        try:
            for task in graph.tasks:
                given = [made[number][piece] for number, piece in task.reads]
                refs = self.remote.options(num_returns=task.pieces).remote(task, *given)
                made[task.id] = [refs] if task.pieces == 1 else refs
            answer = [made[number][0] for number in graph.answer]
            # What nobody reads any more may be dropped by the store while the rest still runs.
            made.clear()
            blocks = ray.get(answer)
        except KeyboardInterrupt:
            self.cancel(answer if not made else [ref for refs in made.values() for ref in refs])
            raise Cancelled("cancelled") from None
        self.answer = blocks
        return Ran(sum(block.num_rows for block in blocks), [f"{len(graph.tasks)} tasks"])

    def cancel(self, refs: list) -> None:
        import ray

        for ref in refs:
            ray.cancel(ref, force=True, recursive=True)

    def interrupt(self) -> None:
        import _thread

        _thread.interrupt_main()

    def write_result(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.concat_tables(self.answer), path)

    def spans(self, window: Window) -> Spans:
        return self.cluster.spans(window)

    def discard(self) -> None:
        self.answer = None

    def explain(self, workload: Workload, analyze: bool) -> str:
        if analyze:
            raise Unsupported("ray-datafusion measures no single task")
        return self.graph(workload).describe()

    def stop(self) -> None:
        if self.cluster is not None:
            self.cluster.stop()

    def classify(self, error: BaseException) -> str | None:
        from ray_cluster import kind_of

        return kind_of(error)

    def casualty(self) -> str | None:
        from ray_cluster import casualty

        return casualty()


def pieces_of(task, *given):
    """A task's pieces as Ray wants them: one value, or several. Without a task: loads the kernel."""
    from datafusion_kernel import run_task

    if task is None:
        return None
    pieces = run_task(task, *given)
    return pieces[0] if len(pieces) == 1 else tuple(pieces)


if __name__ == "__main__":
    serve(RayDataFusion())
