"""Slow: the drivers on a real cluster, and its end. Needs the packages of `ray` (and `ray-datafusion` for its own half):

PYTHONPATH=engines/external/python VENV/bin/python -m unittest discover -s engines/external/python/ray/tests -p test_ray.py
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from bench_driver.processes import descendants

PYTHON = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 15
SLEEPERS = {"kind": "recover", "count": 40, "task_ns": 500_000_000, "kill": False}


class Driver:
    def __init__(self, name: str, scratch: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PYTHON / name / "driver.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": str(PYTHON), "PATH": os.environ["PATH"], "HOME": scratch},
            start_new_session=True,
        )
        self.number = 0
        self.ask({"hello": {"protocol": 1}})
        start = {"slots": 2, "memory_bytes": 2 << 30, "scratch": scratch, "tuning": {"config": "tuned"}, "spans": False}
        assert self.ask({"start": start}) == "started"
        self.started = descendants(self.process.pid)

    def send(self, body) -> None:
        self.number += 1
        self.process.stdin.write(json.dumps({"id": self.number, "body": body}).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline()
        return json.loads(line)["body"] if line else None

    def ask(self, body):
        self.send(body)
        return self.hear()

    def load(self, folder: str) -> None:
        path = Path(folder) / "t.parquet"
        pq.write_table(pa.table({"k": ["a", "b", "a", None], "v": [1, 2, 3, None]}), path)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, pq.read_schema(path)):
            pass
        schema = sink.getvalue().to_pybytes().hex()
        table = {"name": "t", "format": "parquet", "files": [str(path)], "schema_ipc_hex": schema, "rows": 4, "bytes": path.stat().st_size}
        assert self.ask({"load": {"datasets": [{"name": "d", "tables": [table]}]}}) == "loaded"

    def run(self, query: dict):
        check = {"approx": {}, "order_by": [], "ties_at_cut": False}
        workload = {"name": "w", "family": "dataframe", "title": "", "program": {"query": query}, "dataset": "d", "check": check}
        reply = self.ask({"run": {"workload": workload}})
        if "ran" not in reply:
            return reply
        return pq.read_table(self.ask({"digest": {"check": check}})["digested"]["result"]).to_pylist()


def living(pids: list[int]) -> list[int]:
    """Those that still are: a zombie is no process any more."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in ("Z", "X"):
            found.append(pid)
    return found


def daemon(pids: list[int], name: str) -> int:
    return next(pid for pid in pids if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(name.encode()))


class Cluster(unittest.TestCase):
    product = "ray"

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(self.folder.cleanup)
        scratch = Path(self.folder.name) / "s"
        scratch.mkdir()
        self.driver = Driver(self.product, str(scratch))
        self.addCleanup(self.end)

    def end(self):
        """Whatever a failed test has left, by its process id."""
        for pid in living([self.driver.process.pid, *self.driver.started]):
            os.kill(pid, signal.SIGKILL)
        self.driver.process.wait()
        self.driver.process.stdin.close()
        self.driver.process.stdout.close()

    def nothing_is_left(self):
        deadline = time.monotonic() + PATIENCE_S
        while living(self.driver.started) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(living(self.driver.started), [])

    def test_programs_are_answered_sql_is_not_and_stop_leaves_nothing(self):
        self.driver.load(self.folder.name)
        steps = [{"scan": "t"}, {"group": {"by": ["k"], "agg": ["sum(v) AS s", "count(*) AS n"]}}]
        rows = self.driver.run({"frame": steps})
        key = lambda row: str(row["k"])  # noqa: E731
        expected = [{"k": None, "s": None, "n": 1}, {"k": "a", "s": 4, "n": 2}, {"k": "b", "s": 2, "n": 1}]
        self.assertEqual(sorted(rows, key=key), sorted(expected, key=key))
        # Ray keeps one column of two keys that are called differently.
        other = {"join": {"table": "t", "on": [["k", "other_k"]], "steps": [{"select": ["k AS other_k", "v AS other_v"]}]}}
        rows = self.driver.run({"frame": [{"scan": "t"}, other]})
        found = sorted((row["k"], row["v"], row["other_v"]) for row in rows)
        self.assertEqual(found, [("a", 1, 1), ("a", 1, 3), ("a", 3, 1), ("a", 3, 3), ("b", 2, 2)])
        self.assertEqual(self.driver.run({"sql": "SELECT 1"})["failed"]["kind"], "unsupported")
        self.driver.started += descendants(self.driver.process.pid)
        self.assertEqual(self.driver.ask("stop"), "stopped")
        self.assertEqual(self.driver.process.wait(PATIENCE_S), 0)
        self.nothing_is_left()

    def test_a_driver_that_is_killed_takes_its_daemons_along(self):
        self.driver.process.kill()
        self.driver.process.wait()
        self.nothing_is_left()

    def test_the_end_of_the_input_ends_everything(self):
        self.driver.process.stdin.close()
        self.driver.process.wait(PATIENCE_S)
        self.nothing_is_left()
        self.driver.process.stdin = open(os.devnull, "wb")

    def test_without_its_raylet_the_trial_ends_and_nothing_is_left(self):
        if self.product == "ray":
            self.driver.send({"probe": SLEEPERS})
        os.kill(daemon(self.driver.started, "raylet"), signal.SIGKILL)
        reply = self.driver.hear() if self.product == "ray" else None
        self.assertTrue(reply is None or "failed" in reply, reply)
        if self.driver.process.poll() is None:
            self.driver.process.stdin.close()
            self.driver.process.wait(PATIENCE_S)
            self.driver.process.stdin = open(os.devnull, "wb")
        self.nothing_is_left()


@unittest.skipUnless(importlib.util.find_spec("datafusion"), "needs the packages of ray-datafusion")
class WithKernel(Cluster):
    product = "ray-datafusion"


if __name__ == "__main__":
    unittest.main()
