"""Ballista through its driver. Run with the Python of its environment, `python -m unittest discover -s ballista/tests`."""

from __future__ import annotations

import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pyspark_frame" / "tests"))

from driver_process import DriverProcess, DriverTest, run  # noqa: E402
from frame_cases import TABLES  # noqa: E402


class Ballista(DriverTest):
    product = "ballista"
    tables = TABLES

    def test_rows_come_in_the_order_that_was_asked_for(self) -> None:
        rows = self.rows({"sql": "SELECT s, sum(v) FROM t GROUP BY s ORDER BY s DESC"})
        self.assertEqual(rows, [("e", None), ("d", 3), ("c", 7), ("b", None), ("a", 5)])

    def test_the_query_runs_in_stages_of_the_cluster(self) -> None:
        workload = run({"sql": "SELECT k, count(*) FROM t GROUP BY k"})["run"]["workload"]
        text = self.driver.ask({"explain": {"workload": workload, "analyze": True}})["explained"]["text"]
        self.assertIn("SuccessfulStage[stage_id=2", text)
        self.assertIn("ShuffleWriterExec", text)

    def test_an_answer_without_rows_has_its_columns(self) -> None:
        found = self.driver.answer({"sql": "SELECT k, s FROM t WHERE k > 99"})
        self.assertEqual((found.num_rows, found.column_names), (0, ["k", "s"]))

    def test_a_wrong_program_is_told_from_a_failure(self) -> None:
        for text in ("SELECT nothing FROM t", "SELECT * FROM nowhere", "SELEKT 1"):
            with self.subTest(text):
                self.assertEqual(self.driver.ask(run({"sql": text}))["failed"]["kind"], "program")

    def test_dataframe_programs_are_unsupported(self) -> None:
        self.assertEqual(self.driver.ask(run({"frame": [{"scan": "t"}]}))["failed"]["kind"], "unsupported")

    def test_a_second_one_fails_at_once_and_says_who_is_in_its_way(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            second = DriverProcess("ballista", Path(scratch))
            self.addCleanup(second.end)
            second.ask({"hello": {"protocol": 1}})
            begun = time.monotonic()
            setup = {"slots": 2, "scratch": scratch, "tuning": {"config": "default"}, "spans": False}
            failed = second.ask({"start": setup})["failed"]
            self.assertLess(time.monotonic() - begun, 5.0)
            self.assertEqual(failed["kind"], "failed")
            name = Path(f"/proc/{self.driver.process.pid}/comm").read_text().strip()
            self.assertIn(f"port 50052 is taken by {name} (process {self.driver.process.pid})", failed["message"])


del DriverTest

if __name__ == "__main__":
    unittest.main()
