"""Ray Data on a local Ray cluster, or on one that is given by its address."""

from __future__ import annotations

from pathlib import Path

from bench_driver import Cancelled, Dataset, Engine, Ran, Setup, Unsupported, Workload, serve
from bench_driver.spans import Spans, Window


CLIENT = "ray://"
"""Begins the address of a cluster that is used through Ray's client."""


class RayData(Engine):
    name = "ray"
    refuses = {"sql": "Ray Data has no SQL"}

    def __init__(self) -> None:
        self.cluster = None
        self.answer = None

    def version(self) -> str:
        from importlib.metadata import version

        return version("ray")

    def start(self, setup: Setup) -> None:
        if setup.attach is not None and setup.attach.startswith(CLIENT):
            # Its executor counts references to blocks in the driver's core worker, which a client has none of.
            raise Unsupported(
                "Ray Data 2.60 cannot be driven through Ray's client (ray://): run this on a node of the cluster, and attach to gcs://HOST:6379"
            )
        from ray_cluster import Cluster
        from ray_cluster.cluster import given, number

        settings = self.settings()
        self.cluster = Cluster(setup, settings, [])
        import ray

        import expressions
        import partitions

        for module in (expressions, partitions):
            # Workers of another machine have no such file.
            ray.cloudpickle.register_pickle_by_value(module)
        self.context = ray.data.DataContext.get_current()
        self.context.enable_progress_bars = False
        for name, value in given(settings, "data.").items():
            if not hasattr(self.context, name):
                raise ValueError(f"Ray Data has no setting `{name}`")
            setattr(self.context, name, number(value))

    def load(self, datasets: list[Dataset]) -> None:
        self.by_name = {dataset.name: dataset for dataset in datasets}

    def frame(self, workload: Workload):
        from frame import Translator

        dataset = self.by_name[workload.dataset]
        ordered = bool(workload.order_by)
        # Tasks that are done early hand their blocks on early; order costs waiting, so only who asked for it pays.
        self.context.execution_options.preserve_order = ordered
        return Translator(dataset, self.context.default_hash_shuffle_parallelism).frame(workload.steps)

    def run(self, workload: Workload) -> Ran:
        import ray

        try:
            frame = self.frame(workload)
            done = frame.data.select_columns(frame.columns).materialize()
            # Blocks of a local cluster are mapped, not copied.
            blocks = ray.get(done.to_arrow_refs())
        except KeyboardInterrupt:
            raise Cancelled("cancelled") from None
        self.answer = (frame.columns, blocks)
        return Ran(sum(block.num_rows for block in blocks), spilled_bytes=None)

    def interrupt(self) -> None:
        import _thread

        _thread.interrupt_main()

    def write_result(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns, blocks = self.answer
        filled = [block.select(columns) for block in blocks if block.num_rows] or [block.select(columns) for block in blocks[:1] if block.num_columns]
        if not filled:
            raise ValueError("Ray Data lost the columns of an empty answer")
        pq.write_table(pa.concat_tables(filled, promote_options="permissive"), path)

    def spans(self, window: Window) -> Spans:
        return self.cluster.spans(window)

    def discard(self) -> None:
        self.answer = None

    def explain(self, workload: Workload, analyze: bool) -> str:
        frame = self.frame(workload)
        if not analyze:
            return str(frame.data)
        return frame.data.materialize().stats()

    def stop(self) -> None:
        if self.cluster is not None:
            self.cluster.stop()

    def classify(self, error: BaseException) -> str | None:
        from ray_cluster import kind_of

        return kind_of(error)

    def casualty(self) -> str | None:
        from ray_cluster import casualty

        return casualty()


if __name__ == "__main__":
    serve(RayData())
