"""Spark's task metrics by kind. Needs neither Spark nor packages: `python3 -m unittest discover -s spark/tests -p test_task_spans.py`."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2]))
sys.path.insert(0, str(HERE.parents[2] / "bench_driver" / "tests"))
sys.path.insert(0, str(HERE.parents[1]))

from bench_driver.spans import Window  # noqa: E402
from recorded import check_recorded  # noqa: E402
from task_spans import MS, spans_of  # noqa: E402


def task(launch: int, duration: int, **given) -> dict:
    """One of these times, in milliseconds; `run` is what its executor worked."""
    metrics = {
        "executorRunTime": given.get("run", duration),
        "executorDeserializeTime": given.get("decode", 0),
        "resultSerializationTime": given.get("result", 0),
        "jvmGcTime": given.get("gc", 0),
        "shuffleReadMetrics": {"fetchWaitTime": given.get("fetch", 0)},
        "shuffleWriteMetrics": {"writeTime": given.get("write_ns", 0)},
    }
    times = {"launchTime": launch, "duration": duration, "schedulerDelay": given.get("delay", 0)}
    return {**times, "gettingResultTime": given.get("getting", 0), "taskMetrics": metrics}


def stage(submitted: int, *tasks: dict) -> dict:
    return {"submissionTime": submitted, "tasks": list(tasks)}


class TaskMetrics(unittest.TestCase):
    def spans(self, end: int, slots: int, *stages: dict) -> dict[str, float]:
        """By kind in milliseconds, of a run from 0."""
        found = spans_of(Window(0, end * MS), slots, list(stages)).by_kind_ns
        return {kind: time / MS for kind, time in found.items()}

    def test_a_task_is_what_its_metrics_say(self) -> None:
        one = task(100, 100, run=70, decode=10, result=5, delay=15, fetch=20, write_ns=8 * MS)
        found = self.spans(300, 1, stage(90, one))
        expected = {"submit": 90, "schedule": 10 + 15, "deserialize": 10, "fetch_remote": 20, "shuffle_write": 8, "compute": 42}
        self.assertEqual(found, {**expected, "report": 5 + 100})

    def test_a_slot_is_free_while_a_large_result_is_fetched(self) -> None:
        self.assertEqual(self.spans(100, 1, stage(0, task(0, 60, run=40, getting=20))), {"compute": 40, "report": 60})

    def test_a_free_slot_waits_for_the_scheduler_a_barrier_the_driver_or_for_nothing(self) -> None:
        # Two slots; one task alone, then nothing while the driver plans, then a last stage with one task that starts late.
        found = self.spans(1000, 2, stage(0, task(0, 300)), stage(500, task(600, 200)))
        self.assertEqual(found["compute"], 500)
        self.assertEqual(found["idle_barrier"], 300)
        self.assertEqual(found["submit"], 2 * 200 + 100, "between stages, and beside the one task that waits")
        self.assertEqual(found["schedule"], 100)
        self.assertEqual(found["idle_no_task"], 200)
        self.assertEqual(found["report"], 400)
        self.assertEqual(sum(found.values()), 2000)

    def test_what_a_lost_executor_did_and_a_run_without_tasks_are_unknown(self) -> None:
        lost = {**task(0, 100), "taskMetrics": None}
        self.assertEqual(self.spans(100, 1, stage(0, lost)), {})
        self.assertEqual(self.spans(100, 1), {})

    def test_garbage_collection_is_told_and_belongs_to_no_kind_of_its_own(self) -> None:
        spans = spans_of(Window(0, 100 * MS), 1, [stage(0, task(0, 100, gc=30))])
        self.assertEqual(spans.by_kind_ns, {"compute": 100 * MS})
        self.assertEqual(spans.notes, ["spans from Spark's task metrics: 1 tasks of 1 stages; 30 ms of their time was garbage collection"])

    def test_a_recorded_run_is_explained_and_no_more_than_that(self) -> None:
        def explained(window: Window, recorded: dict):
            return recorded["slots"], spans_of(window, recorded["slots"], recorded["trace"])

        check_recorded(self, HERE.parent, explained)


if __name__ == "__main__":
    unittest.main()
