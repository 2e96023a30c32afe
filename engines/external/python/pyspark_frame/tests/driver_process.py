"""A product's driver in a process of its own, driven as the harness does, over tables made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

PYTHON = Path(__file__).resolve().parents[2]
PASSED_ON = ("PATH", "HOME", "JAVA_HOME")


class DriverProcess:
    """One driver and the numbered requests to it."""

    def __init__(self, product: str, scratch: Path) -> None:
        self.scratch = scratch
        self.process = subprocess.Popen(
            [sys.executable, str(PYTHON / product / "driver.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONPATH": str(PYTHON)},
            cwd=scratch,
        )
        self.number = 0

    def send(self, body) -> int:
        self.number += 1
        self.process.stdin.write(json.dumps({"id": self.number, "body": body}).encode() + b"\n")
        self.process.stdin.flush()
        return self.number

    def hear(self) -> dict:
        line = self.process.stdout.readline()
        assert line, f"the driver ended with {self.process.wait()}"
        return json.loads(line)

    def ask(self, body):
        number = self.send(body)
        reply = self.hear()
        assert reply["id"] == number, reply
        return reply["body"]

    def start(self, **more) -> None:
        hello = self.ask({"hello": {"protocol": 1}})
        assert "hello" in hello, hello
        setup = {"slots": 2, "scratch": str(self.scratch), "tuning": {"config": "default"}, "spans": False, **more}
        started = self.ask({"start": setup})
        assert started == "started", started

    def load(self, tables: dict[str, pa.Table]) -> None:
        loaded = self.ask({"load": {"datasets": [{"name": "d", "tables": [self.table(*t) for t in tables.items()]}]}})
        assert loaded == "loaded", loaded

    def table(self, name: str, rows: pa.Table) -> dict:
        file = self.scratch / f"{name}.parquet"
        parquet.write_table(rows, file)
        schema = pa.BufferOutputStream()
        with pa.ipc.new_stream(schema, rows.schema):
            pass
        described = {"name": name, "format": "parquet", "files": [str(file)], "rows": rows.num_rows}
        return described | {"schema_ipc_hex": schema.getvalue().to_pybytes().hex(), "bytes": file.stat().st_size}

    def answer(self, query: dict) -> pa.Table:
        """The rows of a query, as the driver wrote them."""
        ran = self.ask(run(query))
        assert "ran" in ran, ran
        digested = self.ask({"digest": {"check": CHECK}})
        found = parquet.read_table(digested["digested"]["result"])
        assert found.num_rows == ran["ran"]["rows"], ran
        return found

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


CHECK = {"approx": {}, "order_by": [], "ties_at_cut": False}


def run(query: dict) -> dict:
    workload = {"name": "w", "family": "sql", "title": "", "program": {"query": query}, "dataset": "d", "check": CHECK}
    return {"run": {"workload": workload}}


class DriverTest(unittest.TestCase):
    """One driver for all tests of a class; a test that hurts it starts one of its own with `begin`."""

    product = ""
    tables: dict[str, pa.Table] = {}
    driver: DriverProcess

    @classmethod
    def setUpClass(cls) -> None:
        cls.driver, end = cls.begin()
        cls.addClassCleanup(end)
        cls.driver.load(cls.tables)

    @classmethod
    def begin(cls, **more):
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        driver = DriverProcess(cls.product, Path(folder.name))

        def end() -> None:
            driver.end()
            folder.cleanup()

        try:
            driver.start(**more)
        except BaseException:
            end()
            raise
        return driver, end

    def rows(self, query: dict) -> list[tuple]:
        return [tuple(row.values()) for row in self.driver.answer(query).to_pylist()]
