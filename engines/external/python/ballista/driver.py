"""Apache DataFusion Ballista through its Python client: a scheduler and executors in this process, or a cluster elsewhere."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import ballista
from ballista import BallistaExecutor, BallistaScheduler, BallistaSessionContext
from bench_driver import DataError, Dataset, DriverError, Engine, ProgramError, Setup, Table, Workload, serve
from bench_driver.ports import LOOPBACK, free_port, holder_of

READY_S = 30.0
CONTROL_PORT = 50052
"""Where an executor of this package listens for its scheduler. The package has no setting for it, so that one machine has one executor."""


class Ballista(Engine):
    """Scheduler and executor as the package starts them. The answer is what the client collected, batches in order."""

    name = "ballista"
    refuses = {"frame": "this driver runs SQL text on Ballista and no dataframe programs"}

    def __init__(self) -> None:
        self.scheduler = None
        self.executor = None
        self.address = ""
        self.contexts: dict[str, BallistaSessionContext] = {}
        self.answer = None
        self.schema = None

    def version(self) -> str:
        return ballista.__version__

    def start(self, setup: Setup) -> None:
        self.address = setup.attach or self.serve_here(setup)

    def serve_here(self, setup: Setup) -> str:
        """Starts one scheduler and one executor with a task per slot."""
        if holder := holder_of(CONTROL_PORT):
            raise DriverError(
                f"port {CONTROL_PORT} is taken by {holder}: Ballista's executor needs it and has no setting for another; "
                "end that process, or wait for it, and run this again"
            )
        # The executor keeps its shuffle files in a temporary folder and has no setting for the place.
        os.environ["TMPDIR"] = str(setup.scratch)
        port = free_port()
        self.scheduler = BallistaScheduler(LOOPBACK, port)
        self.scheduler.start()
        wait_for(port)
        executor_port = free_port()
        self.executor = BallistaExecutor(executor_port, LOOPBACK, LOOPBACK, port, setup.slots)
        self.executor.start()
        wait_for(executor_port)
        return f"df://{LOOPBACK}:{port}"

    def load(self, datasets: list[Dataset]) -> None:
        self.contexts = {dataset.name: self.context(dataset.tables) for dataset in datasets}

    def context(self, tables: tuple[Table, ...] = ()) -> BallistaSessionContext:
        """A session of its own for each dataset, so that equal names of tables never meet."""
        context = BallistaSessionContext(self.address, cluster_config=self.settings())
        for table in tables:
            try:
                register(context, table)
            except Exception as error:
                raise DataError(f"cannot read table {table.name} from {table.files[0]}: {error}") from error
        return context

    def run(self, workload: Workload) -> int:
        if self.setup.memory_bytes is not None and self.setup.attach is None:
            self.note("the package has no setting for an executor's memory: the limit binds it in name only, and its peak is in the record")
        frame = self.plan(workload)
        self.answer = frame.collect()
        self.schema = frame.schema
        return sum(batch.num_rows for batch in self.answer)

    def plan(self, workload: Workload):
        return self.context_of(workload).sql(self.sql(workload))

    def context_of(self, workload: Workload) -> BallistaSessionContext:
        if workload.dataset is None:
            return self.context()
        if workload.dataset not in self.contexts:
            raise ProgramError(f"{workload.name} reads the dataset {workload.dataset}, which is not loaded")
        return self.contexts[workload.dataset]

    def write_result(self, path: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        # Without rows there may be no batch to tell the columns from; the plan knows them.
        schema = self.answer[0].schema if self.answer else self.schema()
        parquet.write_table(pa.Table.from_batches(self.answer, schema), path, compression="none")

    def discard(self) -> None:
        self.answer = None
        self.schema = None

    def explain(self, workload: Workload, analyze: bool) -> str:
        text = ("EXPLAIN ANALYZE " if analyze else "EXPLAIN ") + self.sql(workload)
        rows = [row for batch in self.context_of(workload).sql(text).collect() for row in batch.to_pylist()]
        return "\n".join(f"{row['plan_type']}:\n{row['plan']}" for row in rows)

    def stop(self) -> None:
        for server in (self.executor, self.scheduler):
            if server is not None:
                server.close()

    def classify(self, error: BaseException) -> str | None:
        text = str(error)
        if "Resources exhausted" in text:
            return "out_of_memory"
        if "NotImplemented" in text or "not implemented" in text:
            return "unsupported"
        signs = ("SQL error", "Error during planning", "Schema error", "ParserError")
        return "program" if any(sign in text for sign in signs) else None


def register(context: BallistaSessionContext, table: Table) -> None:
    """A table's files share one folder; Ballista's plans name it rather than each file."""
    folders = {str(Path(file).parent) for file in table.files}
    place = table.files[0] if len(table.files) == 1 else folders.pop()
    if folders and len(table.files) > 1:
        raise ProgramError(f"the files of {table.name} lie in several folders")
    if table.format == "parquet":
        context.register_parquet(table.name, place)
    else:
        context.register_csv(table.name, place, schema=table.arrow_schema(), has_header=True)


def wait_for(port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            socket.create_connection((LOOPBACK, port), timeout=1.0).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise DriverError(f"Ballista does not listen on port {port} after {READY_S:.0f} s") from None
            time.sleep(0.02)


if __name__ == "__main__":
    serve(Ballista())
