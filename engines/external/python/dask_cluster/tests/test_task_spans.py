"""Dask's task stream by kind. Needs neither Dask nor packages: `python3 -m unittest discover -s dask_cluster/tests`."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2]))
sys.path.insert(0, str(HERE.parents[2] / "bench_driver" / "tests"))
sys.path.insert(0, str(HERE.parents[1]))

from bench_driver.failures import DriverError  # noqa: E402
from bench_driver.spans import Window  # noqa: E402
from recorded import check_recorded  # noqa: E402
from task_spans import SECOND, spans_of  # noqa: E402


def task(worker: str, *actions: tuple[str, float, float], key: object = "add-1") -> dict:
    startstops = [{"action": action, "start": start, "stop": stop} for action, start, stop in actions]
    return {"worker": worker, "key": key, "startstops": startstops}


class TaskStream(unittest.TestCase):
    def spans(self, tasks: list[dict], threads: dict[str, int] | None = None) -> dict[str, float]:
        """By kind in seconds, of a run from 10 to 20."""
        found = spans_of(Window(10 * SECOND, 20 * SECOND), threads or {"a": 1, "b": 1}, tasks).by_kind_ns
        return {kind: time / SECOND for kind, time in found.items()}

    def test_actions_are_told_apart_and_the_rest_is_unknown(self) -> None:
        found = self.spans([
            task("a", ("disk-read", 11, 12), ("compute", 12, 15)),
            task("b", ("deserialize", 12, 12.5), ("compute", 13, 14), key=("shuffle-transfer-1", 0)),
            task("b", ("lunch", 15, 16), ("compute", 18, 19)),
        ])
        self.assertEqual(found["submit"], 2, "until 11 on both workers")
        self.assertEqual((found["spill_read"], found["deserialize"], found["shuffle_write"]), (1, 0.5, 1))
        self.assertEqual((found["compute"], found["report"]), (4, 2))
        self.assertEqual(sum(found.values()), 10.5, "of 20: nobody says what the threads waited for meanwhile")

    def test_a_transfer_costs_a_thread_only_what_it_waits(self) -> None:
        found = self.spans([task("a", ("compute", 10, 14)), task("a", ("transfer", 12, 16), ("compute", 16, 20))], {"a": 1})
        self.assertEqual(found, {"compute": 8, "fetch_remote": 2})

    def test_a_transfer_of_one_worker_does_not_explain_another(self) -> None:
        found = self.spans([task("a", ("compute", 10, 20)), task("a", ("transfer", 12, 16), ("compute", 19.5, 20)), task("b", ("compute", 10, 11))])
        self.assertNotIn("fetch_remote", found)

    def test_a_run_that_failed_before_does_not_count(self) -> None:
        self.assertEqual(self.spans([task("a", ("compute", 1, 9)), task("gone", ("compute", 1, 9))]), {})

    def test_a_worker_that_is_gone_leaves_all_of_it_unknown(self) -> None:
        with self.assertRaisesRegex(DriverError, "not there any more: gone"):
            self.spans([task("gone", ("compute", 11, 12))])

    def test_a_recorded_run_is_explained_and_no_more_than_that(self) -> None:
        def explained(window: Window, recorded: dict):
            threads = recorded["trace"]["threads"]
            return sum(threads.values()), spans_of(window, threads, recorded["trace"]["tasks"])

        check_recorded(self, HERE.parent, explained)


if __name__ == "__main__":
    unittest.main()
