"""Spark through its driver. Needs Spark: run with the Python of its environment, `python -m unittest discover -s spark/tests`."""

from __future__ import annotations

import os
import signal
import sys
import time
import unittest
from pathlib import Path

PYTHON = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PYTHON), str(PYTHON / "spark"), str(PYTHON / "pyspark_frame" / "tests")]

from bench_driver import DriverError, Setup  # noqa: E402
from bench_driver.processes import descendants  # noqa: E402
from driver import is_on_this_machine, own_settings  # noqa: E402
from driver_process import DriverTest, run  # noqa: E402
from frame_cases import TABLES, FrameCases  # noqa: E402

ENDLESS = {"sql": "SELECT sum(a.id * b.id) FROM range(1000000) a JOIN range(1000000) b ON a.id + b.id > 0"}
PATIENCE_S = 20.0


def living(pids: list[int]) -> list[int]:
    """Those that have not ended; zombies have."""
    return [pid for pid in pids if Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text()]


def wait_until(what) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not what() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(what())


class SparkFrames(FrameCases):
    product = "spark"


class Endings(DriverTest):
    product = "spark"
    tables = TABLES

    def started(self, **more):
        driver, end = self.begin(**more)
        self.addCleanup(end)
        driver.load(TABLES)
        return driver, descendants(driver.process.pid)

    def test_a_run_is_cancelled_and_the_next_one_works(self) -> None:
        number = self.driver.send(run(ENDLESS))
        time.sleep(2.0)
        self.driver.process.stdin.write(b'{"id":1000000,"body":{"cancel":{"run":%d}}}\n' % number)
        self.driver.process.stdin.flush()
        self.assertEqual(self.driver.hear()["body"]["failed"]["kind"], "cancelled")
        self.assertEqual(self.rows({"sql": "SELECT count(*) FROM t"}), [(5,)])

    def test_the_jvm_ends_when_the_driver_is_killed_during_a_run(self) -> None:
        driver, started = self.started()
        driver.send(run(ENDLESS))
        time.sleep(2.0)
        driver.process.kill()
        self.assertTrue(wait_until(lambda: not living(started)), f"still alive: {living(started)}")

    def test_a_killed_jvm_is_told_from_a_failed_query(self) -> None:
        driver, started = self.started()
        driver.send(run(ENDLESS))
        time.sleep(2.0)
        os.kill(next(pid for pid in started if "java" in os.readlink(f"/proc/{pid}/exe")), signal.SIGKILL)
        failed = driver.hear()["body"]["failed"]
        self.assertEqual(failed["kind"], "panicked")
        self.assertIn("the JVM was killed by signal 9: ", failed["message"])
        self.assertEqual(driver.ask("stop"), "stopped")

    def test_a_local_cluster_answers_and_leaves_no_executor_behind(self) -> None:
        driver, _ = self.started(slots=1, memory_bytes=1 << 30, cluster={"attached": {"address": "local-cluster[2,1,1024]", "nodes": 2}})
        self.assertEqual(driver.answer({"sql": "SELECT count(*) AS n FROM t"})["n"].to_pylist(), [5])
        started = descendants(driver.process.pid)
        # The second executor may still be on its way.
        self.assertGreaterEqual(len([p for p in started if "java" in os.readlink(f"/proc/{p}/exe")]), 2)
        self.assertEqual(driver.ask("stop"), "stopped")
        self.assertEqual(driver.process.wait(PATIENCE_S), 0)
        self.assertTrue(wait_until(lambda: not living(started)), f"still alive: {living(started)}")


class Parts(unittest.TestCase):
    def test_only_masters_on_this_machine_are_held_to_loopback(self) -> None:
        for attach in (None, "local[2]", "local-cluster[2,1,1024]", "spark://127.0.0.1:7077"):
            self.assertTrue(is_on_this_machine(attach), attach)
        for attach in ("spark://10.0.0.7:7077", "yarn"):
            self.assertFalse(is_on_this_machine(attach), attach)


class Settings(unittest.TestCase):
    def setup_of(self, attach: str | None, memory_bytes: int | None) -> Setup:
        return Setup(4, memory_bytes, Path("/s"), {}, attach=attach, nodes=3 if attach else 1)

    def test_a_jvm_of_ours_is_told_how_many_processors_it_has(self) -> None:
        self.assertIn("-XX:ActiveProcessorCount=4", own_settings(self.setup_of(None, None))["spark.driver.defaultJavaOptions"])
        elsewhere = own_settings(self.setup_of("spark://h:7077", 8 << 30))
        self.assertNotIn("ActiveProcessorCount", elsewhere["spark.driver.defaultJavaOptions"])

    def test_executors_elsewhere_get_the_memory_and_the_cores_of_the_comparison(self) -> None:
        settings = own_settings(self.setup_of("spark://h:7077", 8 << 30))
        told = {key: settings[key] for key in ("spark.executor.cores", "spark.executor.memory", "spark.cores.max")}
        self.assertEqual(told, {"spark.executor.cores": "4", "spark.executor.memory": "8192m", "spark.cores.max": "12"})
        self.assertRaisesRegex(DriverError, "needs --memory", own_settings, self.setup_of("spark://h:7077", None))
        self.assertNotIn("spark.executor.memory", own_settings(self.setup_of(None, 8 << 30)))


del FrameCases, DriverTest

if __name__ == "__main__":
    unittest.main()
