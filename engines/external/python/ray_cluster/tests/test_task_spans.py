"""Ray's task events by kind. Needs neither Ray nor packages: `python3 -m unittest discover -s ray_cluster/tests`."""

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
from task_spans import is_whole, spans_of  # noqa: E402

ASKED, READY, RUNNING, FINISHED, FAILED = 1, 2, 8, 11, 12


def task(begin: int, end: int, *, asked: int, ready: int, holds_slot: bool = True, **parts: int) -> dict:
    """A task that was on its worker from `begin` to `end`; parts follow each other."""
    events, at = [["task::f", begin, end]], begin
    for name, time in parts.items():
        events.append([f"task:{name}", at, at + time])
        at += time
    states = {ASKED: asked, READY: ready, RUNNING: begin, FINISHED: end}
    return {"name": "f", "holds_slot": holds_slot, "states": states, "events": events}


class TaskEvents(unittest.TestCase):
    def spans(self, slots: int, *tasks: dict) -> dict[str, int]:
        """Of a run from 1000 to 2000."""
        return spans_of(Window(1000, 2000), slots, list(tasks)).by_kind_ns

    def test_a_task_is_what_its_events_say_and_the_rest_of_it_is_unknown(self) -> None:
        one = task(1300, 1600, asked=1200, ready=1200, deserialize_arguments=50, execute=200, store_outputs=30)
        found = self.spans(1, one)
        self.assertEqual(found, {"submit": 200, "schedule": 100, "deserialize": 50, "compute": 200, "shuffle_write": 30, "report": 400})

    def test_a_free_slot_waits_for_a_worker_or_for_what_the_next_task_reads_or_nobody_knows(self) -> None:
        first = task(1000, 1400, asked=1000, ready=1000, execute=400)
        second = task(1500, 1700, asked=1100, ready=1400, execute=200)
        third = task(1900, 2000, asked=1850, ready=1850, execute=100)
        found = self.spans(2, first, second, third)
        self.assertEqual(found["compute"], 700)
        self.assertEqual(found["schedule"], 100 + 50)
        self.assertEqual(found["idle_barrier"], 300, "the second reads what the first makes")
        self.assertEqual(sum(found.values()), 700 + 150 + 300, "nothing was asked for meanwhile")

    def test_what_holds_no_slot_takes_no_time_of_one(self) -> None:
        keeper = task(1000, 2000, asked=1000, ready=1000, holds_slot=False, execute=1000)
        self.assertEqual(self.spans(1, keeper), {})

    def test_a_task_of_which_nothing_came_is_counted_and_not_guessed(self) -> None:
        lost = {"name": "f", "holds_slot": True, "states": {ASKED: 1000, READY: 1000, FAILED: 1500}, "events": []}
        spans = spans_of(Window(1000, 2000), 1, [lost])
        self.assertEqual((spans.by_kind_ns, len(spans.notes)), ({}, 1))
        self.assertIn("of 1 more it is not known when they ran", spans.notes[0])
        self.assertTrue(is_whole(lost), "nothing more will come of it")

    def test_where_a_task_of_which_nothing_came_ran_no_slot_is_said_to_be_free(self) -> None:
        lost = {"name": "f", "holds_slot": True, "states": {ASKED: 1000, READY: 1000, RUNNING: 1000, FAILED: 1500}, "events": []}
        known = task(1600, 1900, asked=1000, ready=1000, execute=300)
        self.assertEqual(self.spans(1, lost, known), {"schedule": 100, "compute": 300, "report": 100})

    def test_a_task_is_whole_when_its_end_and_its_events_have_come(self) -> None:
        whole = task(1, 2, asked=0, ready=0)
        self.assertTrue(is_whole(whole))
        self.assertFalse(is_whole({**whole, "events": []}))
        self.assertFalse(is_whole({**whole, "states": {ASKED: 0, READY: 0, RUNNING: 1}}))

    def test_a_recorded_run_is_explained_and_no_more_than_that(self) -> None:
        def explained(window: Window, recorded: dict):
            return recorded["slots"], spans_of(window, recorded["slots"], recorded["trace"])

        check_recorded(self, HERE.parent, explained)


if __name__ == "__main__":
    unittest.main()
