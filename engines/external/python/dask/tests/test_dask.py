"""Dask through its driver. Run with the Python of its environment, `python -m unittest discover -s dask/tests`."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import unittest
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2] / "pyspark_frame" / "tests"))
sys.path.insert(0, str(HERE.parents[2]))
sys.path.insert(0, str(HERE.parents[1]))

import pyarrow as pa  # noqa: E402
from bench_driver.processes import descendants  # noqa: E402
from driver_process import DriverTest, run  # noqa: E402
from frame_cases import FrameCases, frame  # noqa: E402
from numbers_of import cents_of, decimals_of  # noqa: E402
from texts import TEXTS, text_of  # noqa: E402

SUITE = HERE.parents[5] / "workloads" / "suite" / "families" / "tpch"


class DaskFrames(FrameCases):
    product = "dask"

    def test_dates_stay_dates(self) -> None:
        found = self.driver.answer({"frame": [{"scan": "dates"}, {"sort": [{"column": "d"}]}]})
        self.assertEqual(str(found.schema.field("d").type), "date32[day]")
        self.assertEqual([str(d) for d in found["d"].to_pylist()], ["1970-01-01", "2000-01-01", "None"])

    def test_an_answer_without_rows_has_its_columns(self) -> None:
        found = self.driver.answer(frame({"filter": "k > 99"}, {"select": ["k", "s"]}))
        self.assertEqual((found.num_rows, found.column_names), (0, ["k", "s"]))

    def test_a_wrong_program_is_told_from_a_failure(self) -> None:
        for steps in ([{"scan": "nowhere"}], [{"scan": "t"}, {"filter": "nothing = 1"}], [{"scan": "t"}, {"filter": "k ="}]):
            with self.subTest(steps):
                self.assertEqual(self.driver.ask(run({"frame": steps}))["failed"]["kind"], "program")

    def test_a_condition_on_null_is_not_true_and_neither_is_its_negation(self) -> None:
        for condition in ("v > 4", "v <> 4", "not (v > 4)", "not (v in (3))"):
            with self.subTest(condition):
                rows = self.rows(frame({"filter": condition}, {"select": ["v"]}))
                self.assertNotIn((None,), rows)
                self.assertTrue(rows)

    def test_a_repeated_run_computes_again(self) -> None:
        """Dask names a task by what it computes and takes results that it still has."""
        workload = run(frame({"group": {"by": ["k"], "agg": ["sum(v) AS v"]}}))["run"]["workload"]
        request = {"explain": {"workload": workload, "analyze": False}}
        first, second = (self.driver.ask(request)["explained"]["text"] for _ in range(2))
        self.assertIn("run", first)
        self.assertNotEqual(first, second)

    def test_sql_without_a_program_is_unsupported(self) -> None:
        self.assertEqual(self.driver.ask(run({"sql": "SELECT 1"}))["failed"]["kind"], "unsupported")

    def test_a_text_that_only_has_the_name_of_a_query_is_unsupported(self) -> None:
        request = run({"sql": "SELECT 1"})
        request["run"]["workload"]["name"] = "tpch-q01"
        failed = self.driver.ask(request)["failed"]
        self.assertEqual(failed["kind"], "unsupported")
        self.assertIn("answers another text", failed["message"])


ROWS = 500_000
LONG = {
    "frame": [
        {"scan": "t"},
        {"group": {"by": ["text"], "agg": ["median(k) AS a"]}},
        {"group": {"by": ["text"], "agg": ["median(a) AS b"]}},
        {"group": {"by": ["text"], "agg": ["median(b) AS c"]}},
        {"sort": [{"column": "text"}]},
    ]
}
"""Seconds of work."""


class Ends(DriverTest):
    product = "dask"
    tables = {"t": pa.table({"k": list(range(ROWS)), "text": [str(number) for number in range(ROWS)]})}

    def test_killing_the_driver_ends_its_workers(self) -> None:
        driver, end = self.begin()
        self.addCleanup(end)
        below = descendants(driver.process.pid)
        self.assertGreaterEqual(len(below), 2)
        driver.process.send_signal(signal.SIGKILL)
        driver.process.wait()
        self.assertEqual(living(below, 10), [])

    def test_stopping_leaves_nothing(self) -> None:
        driver, end = self.begin()
        self.addCleanup(end)
        below = descendants(driver.process.pid)
        self.assertEqual(driver.ask("stop"), "stopped")
        driver.process.wait(20)
        self.assertEqual(living(below, 1), [])

    def test_a_worker_that_is_killed_is_replaced_and_the_run_has_an_outcome(self) -> None:
        driver, end = self.begin()
        self.addCleanup(end)
        driver.load(self.tables)
        workers = [pid for pid in descendants(driver.process.pid) if b"spawn_main" in command(pid)]
        self.assertEqual(len(workers), 2)
        number = driver.send(run(LONG))
        time.sleep(0.3)
        self.assertEqual(select.select([driver.process.stdout], [], [], 0)[0], [], "the run ended before its worker did")
        os.kill(workers[0], signal.SIGKILL)
        reply = driver.hear()
        self.assertEqual(reply["id"], number)
        self.assertEqual(living(workers[:1], 1), [])
        outcome = reply["body"]
        self.assertTrue(outcome.get("ran", {}).get("rows") == ROWS or outcome["failed"]["kind"] == "failed", outcome)
        self.assertEqual(driver.answer({"frame": [{"scan": "t"}, {"limit": 3}]}).num_rows, 3)

    def test_a_run_that_is_cancelled_ends_and_the_next_one_works(self) -> None:
        number = self.driver.send(run(LONG))
        time.sleep(0.3)
        self.driver.process.stdin.write(json.dumps({"id": number + 1, "body": {"cancel": {"run": number}}}).encode() + b"\n")
        self.driver.process.stdin.flush()
        self.driver.number += 1
        reply = self.driver.hear()
        self.assertEqual((reply["id"], reply["body"]["failed"]["kind"]), (number, "cancelled"))
        self.assertEqual(self.driver.answer({"frame": [{"scan": "t"}, {"limit": 3}]}).num_rows, 3)

    def test_an_attached_cluster_is_used_and_left_as_it_was(self) -> None:
        cluster = subprocess.Popen(
            [sys.executable, "-c", CLUSTER], cwd="/", env={"PATH": os.environ["PATH"]}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(cluster.communicate, "", 20)
        address = cluster.stdout.readline().strip()
        driver, end = self.begin(cluster={"attached": {"address": address, "nodes": 1}})
        self.addCleanup(end)
        driver.load(self.tables)
        self.assertEqual(driver.answer({"frame": [{"scan": "t"}, {"filter": "k < 5"}]}).num_rows, 5)
        self.assertEqual([pid for pid in descendants(driver.process.pid) if b"spawn_main" in command(pid)], [])
        self.assertEqual(driver.ask("stop"), "stopped")
        driver.process.wait(20)
        self.assertIsNone(cluster.poll())
        self.assertGreaterEqual(len(descendants(cluster.pid)), 1)

    def test_an_address_without_a_scheduler_fails_with_that_address(self) -> None:
        with self.assertRaisesRegex(AssertionError, "no Dask scheduler answers at tcp://127.0.0.1:1"):
            self.begin(cluster={"attached": {"address": "tcp://127.0.0.1:1", "nodes": 1}})


CLUSTER = """
if __name__ == "__main__":
    import sys
    from distributed import LocalCluster
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


def living(pids: list[int], patience_s: float) -> list[int]:
    """Those that are still there when patience is over."""
    deadline = time.monotonic() + patience_s
    while (left := [pid for pid in pids if command(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def command(pid: int) -> bytes:
    """The command of a process; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Numbers(unittest.TestCase):
    def test_decimals_survive_the_way_to_integers_and_back(self) -> None:
        values = [Decimal(text) for text in ("0.00", "0.07", "-0.01", "104949.50", "-9999999999999.99")]
        column = pa.chunked_array([pa.array([Decimal("1.00"), *values], pa.decimal128(15, 2)).slice(1)])
        whole = cents_of(column)
        self.assertEqual(whole.to_pylist(), [0, 7, -1, 10494950, -999999999999999])
        self.assertEqual(decimals_of(whole.to_numpy(), 2).to_pylist(), values)

    def test_a_decimal_that_may_not_fit_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            cents_of(pa.chunked_array([pa.array([1], pa.decimal128(19, 0))]))

    def test_a_null_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            cents_of(pa.chunked_array([pa.array([None], pa.decimal128(15, 2))]))


class Texts(unittest.TestCase):
    def test_the_programs_answer_the_texts_of_the_suite(self) -> None:
        found = {path.stem: text_of(path.read_text()) for path in SUITE.glob("*.sql")}
        self.assertEqual(found, TEXTS)

    def test_only_the_share_of_query_11_may_differ(self) -> None:
        text = (SUITE / "tpch-q11.sql").read_text()
        self.assertEqual(text_of(text.replace("${fraction}", "0.01")), TEXTS["tpch-q11"])
        self.assertNotEqual(text_of(text.replace("GERMANY", "FRANCE")), TEXTS["tpch-q11"])


del DriverTest, FrameCases

if __name__ == "__main__":
    unittest.main()
