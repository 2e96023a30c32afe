"""Apache Spark through PySpark: one JVM in local mode, or a cluster that is given by its master's address."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pyspark
from bench_driver import Dataset, DriverError, Engine, Setup, Workload, serve
from bench_driver.processes import ended
from bench_driver.spans import Spans, Window
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession
from pyspark_frame import Tables, data_frame

from task_spans import recorded, spans_of

SHARE_OF_MACHINE = 0.6
"""Of the machine's memory, for the JVM's heap, where no limit is set: Spark's own 1 GiB is no competent configuration."""
LOOPBACK = "127.0.0.1"
LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*(\d+)\s*,\s*(\d+)\s*,\s*\d+\s*\]")


class Spark(Engine):
    """Plans and collects in the driver JVM. The answer is an Arrow table in this process, rows in Spark's order."""

    name = "spark"

    def __init__(self) -> None:
        self.session: SparkSession | None = None
        self.tables: Tables | None = None
        self.answer = None

    def version(self) -> str:
        return pyspark.__version__

    def start(self, setup: Setup) -> None:
        refuse_other_size(setup)
        if is_on_this_machine(setup.attach):
            os.environ["SPARK_LOCAL_IP"] = LOOPBACK
        # Local clusters and event logs write below it.
        os.environ["SPARK_WORKER_DIR"] = str(setup.scratch / "work")
        builder = SparkSession.builder.appName("bench").master(setup.attach or f"local[{setup.slots}]")
        settings = {**own_settings(setup), **self.settings()}
        for key, value in settings.items():
            builder = builder.config(key, str(value))
        self.session = builder.getOrCreate()
        self.session.sparkContext.setLogLevel("ERROR")
        self.tables = Tables(self.session)

    def load(self, datasets: list[Dataset]) -> None:
        self.session.catalog.clearCache()
        self.tables.load(datasets)

    def run(self, workload: Workload) -> int:
        self.answer = self.plan(workload).toArrow()
        return self.answer.num_rows

    def plan(self, workload: Workload) -> DataFrame:
        if workload.steps is not None:
            return data_frame(workload.steps, lambda name: self.tables.source(workload, name))
        if self.tables.of(workload):
            self.tables.show(workload.dataset)
        return self.session.sql(self.sql(workload))

    def write_result(self, path: Path) -> None:
        from pyarrow import parquet

        parquet.write_table(self.answer, path, compression="none")

    def spans(self, window: Window) -> Spans:
        return spans_of(window, self.setup.slots * self.setup.nodes, recorded(self.session, window))

    def discard(self) -> None:
        self.answer = None

    def interrupt(self) -> None:
        self.session.sparkContext.cancelAllJobs()

    def explain(self, workload: Workload, analyze: bool) -> str:
        frame = self.plan(workload)
        if analyze:
            frame.toArrow()
        # After a run this is the plan that adaptive execution ended with.
        mode = self.session._jvm.org.apache.spark.sql.execution.ExplainMode.fromString("formatted")
        return frame._jdf.queryExecution().explainString(mode)

    def stop(self) -> None:
        if self.session is not None:
            self.session.stop()

    def classify(self, error: BaseException) -> str | None:
        text = str(error)
        if any(sign in text for sign in ("OutOfMemoryError", "SparkOutOfMemoryError", "UNABLE_TO_ACQUIRE_MEMORY")):
            return "out_of_memory"
        if isinstance(error, (AnalysisException, ParseException)):
            return "unsupported" if (error.getCondition() or "").startswith("UNSUPPORTED_FEATURE") else "program"
        return self.fate_of_jvm()

    def fate_of_jvm(self) -> str | None:
        """What it means that the JVM is gone: Spark ends it with 52 when a task ran out of memory."""
        code = self.end_of_jvm()
        return None if code is None else "out_of_memory" if code == 52 else "panicked"

    def casualty(self) -> str | None:
        code = self.end_of_jvm()
        return None if code is None else f"the JVM {ended(code)}"

    def end_of_jvm(self) -> int | None:
        """How it has ended; None while it lives."""
        gateway = None if self.session is None else self.session.sparkContext._gateway
        if gateway is None:
            return None
        try:
            # Its connections break a little before it is gone.
            return gateway.proc.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return None


def own_settings(setup: Setup) -> dict[str, str]:
    """What holds Spark to this machine and this run, whatever its configuration."""
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.local.dir": str(setup.scratch),
        "spark.sql.warehouse.dir": str(setup.scratch / "warehouse"),
        "spark.driver.defaultJavaOptions": java_options(setup),
    }
    if setup.attach is not None:
        settings |= executor_settings(setup)
    if is_on_this_machine(setup.attach):
        settings |= {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
    if setup.memory_bytes is None:
        settings["spark.driver.memory"] = f"{int(machine_memory_mib() * SHARE_OF_MACHINE)}m"
    return settings


def java_options(setup: Setup) -> str:
    """A JVM sizes its own threads (garbage collection, compiling, Netty) by the machine unless it is told otherwise."""
    options = f"-Djava.io.tmpdir={setup.scratch} -XX:-UsePerfData"
    return options if setup.attach else f"{options} -XX:ActiveProcessorCount={setup.slots}"


def executor_settings(setup: Setup) -> dict[str, str]:
    """What the executors of a cluster get: by themselves 1 GiB each, whatever their machines have."""
    if setup.memory_bytes is None:
        raise DriverError("an attached Spark needs --memory, what an executor may use on each machine: by itself it gets 1 GiB")
    return {
        "spark.executor.cores": str(setup.slots),
        "spark.executor.memory": f"{setup.memory_bytes >> 20}m",
        "spark.cores.max": str(setup.slots * setup.nodes),
    }


def refuse_other_size(setup: Setup) -> None:
    """A `local-cluster[N,CORES,MIB]` has the size that its address says, and it is recorded and bound to CPUs by what else was said."""
    found = LOCAL_CLUSTER.fullmatch(setup.attach or "")
    if found and (int(found[1]), int(found[2])) != (setup.nodes, setup.slots):
        raise DriverError(f"{setup.attach} has {found[1]} executors of {found[2]} cores: give --attach-nodes {found[1]} --attach-slots {found[2]}")


def is_on_this_machine(attach: str | None) -> bool:
    """Whether every part of Spark is. Of a cluster elsewhere, Spark itself finds the address under which it is reached."""
    return attach is None or attach.startswith(("local", "spark://127.0.0.1:", "spark://localhost:"))


def machine_memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


if __name__ == "__main__":
    serve(Spark())
