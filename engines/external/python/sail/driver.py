"""Sail: a Spark-compatible engine in Rust, driven by PySpark's own client over Spark Connect. Its server is in this process."""

from __future__ import annotations

import os
from pathlib import Path

import pysail
from bench_driver import Dataset, Engine, Setup, Unsupported, Workload, serve
from pyspark.errors import (
    AnalysisException,
    IllegalArgumentException,
    ParseException,
    UnsupportedOperationException,
)
from pyspark.sql import DataFrame
from pyspark.sql.connect.client import DefaultChannelBuilder
from pyspark.sql.connect.session import SparkSession
from pyspark_frame import Tables, data_frame

# Sail sends a batch of an answer as one message, however large; PySpark's client takes 128 MiB and refuses more.
ANSWERS_OF_ANY_SIZE = ("grpc.max_receive_message_length", -1)
# Only bit 0, which is none: gRPC's client asks for gzip by itself, and Sail would then compress answers that never leave this machine.
NO_COMPRESSION = ("grpc.compression_enabled_algorithms_bitset", 1)


class Sail(Engine):
    """One Sail server and one client session. The answer is an Arrow table, as the client received it, rows in order."""

    name = "sail"

    def __init__(self) -> None:
        self.server = None
        self.session: SparkSession | None = None
        self.tables: Tables | None = None
        self.answer = None

    def version(self) -> str:
        return pysail.__version__

    def start(self, setup: Setup) -> None:
        address = setup.attach or self.serve_here(setup)
        options = [ANSWERS_OF_ANY_SIZE] if setup.attach else [ANSWERS_OF_ANY_SIZE, NO_COMPRESSION]
        channel = DefaultChannelBuilder(address, channelOptions=options)
        self.session = SparkSession.builder.channelBuilder(channel).create()
        self.session.conf.set("spark.sql.session.timeZone", "UTC")
        self.tables = Tables(self.session)

    def serve_here(self, setup: Setup) -> str:
        """Starts the server with this configuration and says where it listens."""
        # Its threads are not among Sail's settings: it leaves them to its runtime, which reads this.
        os.environ["TOKIO_WORKER_THREADS"] = str(setup.slots)
        settings = self.settings()
        if setup.memory_bytes is None:
            # A fair pool has to have a size, and Sail's own is 64 GiB; without a limit it has no pool.
            settings.pop("runtime.memory_pool.type", None)
        for key, value in settings.items():
            os.environ[variable(key)] = str(value).lower() if isinstance(value, bool) else str(value)
        from pysail.spark import SparkConnectServer

        self.server = SparkConnectServer("127.0.0.1", 0)
        self.server.start(background=True)
        host, port = self.server.listening_address
        return f"sc://{host}:{port}"

    def load(self, datasets: list[Dataset]) -> None:
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

    def discard(self) -> None:
        self.answer = None

    def interrupt(self) -> None:
        self.session.interruptAll()

    def explain(self, workload: Workload, analyze: bool) -> str:
        if analyze:
            raise Unsupported("Sail tells nothing of a run through the Spark client; ask without --analyze")
        return self.plan(workload)._explain_string(extended="formatted")

    def stop(self) -> None:
        if self.session is not None:
            self.session.stop()
        if self.server is not None:
            self.server.stop()

    def classify(self, error: BaseException) -> str | None:
        text = str(error)
        if "Resources exhausted" in text:
            return "out_of_memory"
        if isinstance(error, UnsupportedOperationException):
            return "unsupported"
        if isinstance(error, (AnalysisException, ParseException)):
            return "program"
        # What Sail says of text that does not parse has no type of its own.
        is_syntax = isinstance(error, IllegalArgumentException) and "expected something else" in text
        return "program" if is_syntax else None


def variable(key: str) -> str:
    """The environment variable of a setting: `SAIL_RUNTIME__STACK_SIZE` for `runtime.stack_size`."""
    return "SAIL_" + key.replace(".", "__").upper()


if __name__ == "__main__":
    serve(Sail())
