"""Slot time by kind. `python3 -m unittest discover -s engines/external/tests`."""

from __future__ import annotations

import random
import re
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))

from bench_driver.spans import KINDS, Busy, Phase, Wait, Window, account, added, around, gaps  # noqa: E402

WINDOW = Window(1000, 2000)


class Accounting(unittest.TestCase):
    def test_the_kinds_are_those_of_the_harness(self) -> None:
        text = (HERE.parents[2] / "harness" / "model" / "src" / "span.rs").read_text()
        self.assertEqual(re.findall(r'^    [A-Z]\w+ = "(\w+)",$', text, re.MULTILINE), list(KINDS))
        with self.assertRaises(ValueError):
            account(WINDOW, 1, [Busy(1000, 1100, {"lunch": 100})])

    def test_what_nothing_explains_belongs_to_no_kind(self) -> None:
        self.assertEqual(account(WINDOW, 2, []), {})
        self.assertEqual(account(WINDOW, 2, [Busy(1100, 1400, {"compute": 200})]), {"compute": 200})

    def test_only_what_falls_into_the_run_counts(self) -> None:
        found = account(WINDOW, 1, [Busy(500, 1500, {"compute": 600, "report": 400})], phases=[Phase(1500, 9000, "submit")])
        self.assertEqual(found, {"compute": 300, "report": 200, "submit": 500})
        self.assertEqual(account(WINDOW, 1, [Busy(0, 900, {"compute": 900}), Busy(2000, 2100, {"compute": 100})]), {})

    def test_tasks_that_are_more_than_slots_share_them(self) -> None:
        busy = [Busy(1000, 2000, {"compute": 1000}), Busy(1000, 2000, {"report": 1000}), Busy(1500, 2000, {"submit": 500})]
        # Two slots: 500 each alone, then two thirds of 500 each.
        self.assertEqual(account(WINDOW, 2, busy), {"compute": 833, "report": 833, "submit": 333})

    def test_parts_that_are_more_than_their_task_are_cut_to_it(self) -> None:
        self.assertEqual(account(WINDOW, 1, [Busy(1000, 1100, {"compute": 150, "report": 50})]), {"compute": 75, "report": 25})

    def test_a_wait_explains_one_free_slot_and_a_phase_all_that_are_left(self) -> None:
        busy = [Busy(1000, 1500, {"compute": 500})]
        waits = [Wait(1000, 2000, "fetch_remote")]
        phases = [Phase(1500, 1600, "report"), Phase(1000, 1700, "idle_barrier")]
        found = account(WINDOW, 3, busy, waits, phases)
        self.assertEqual(found, {"compute": 500, "fetch_remote": 1000, "idle_barrier": 500 + 2 * 100, "report": 2 * 100})
        taken = account(WINDOW, 1, [Busy(1000, 2000, {"compute": 1000})], waits, phases)
        self.assertEqual(taken, {"compute": 1000}, "a slot that has a task waits for nothing")

    def test_before_the_first_task_and_after_the_last_one_and_between(self) -> None:
        busy = [Busy(1600, 1700, {}), Busy(1200, 1300, {}), Busy(1250, 1400, {})]
        self.assertEqual(around(WINDOW, busy), [Phase(1000, 1200, "submit"), Phase(1700, 2000, "report")])
        self.assertEqual(gaps(WINDOW, busy), [(1400, 1600)])
        self.assertEqual((around(WINDOW, []), gaps(WINDOW, [])), ([], []))

    def test_sums_add_up(self) -> None:
        self.assertEqual(added([{"compute": 1}, {"compute": 2, "report": 3}]), {"compute": 3, "report": 3})

    def test_whatever_a_trace_says_no_more_is_explained_than_there_was(self) -> None:
        numbers = random.Random(7)

        def entry():
            begin = numbers.randrange(800, 2200)
            return begin, begin + numbers.randrange(0, 600)

        for _ in range(300):
            slots = numbers.randrange(1, 5)
            busy = [Busy(*entry(), {kind: numbers.randrange(0, 400) for kind in numbers.sample(KINDS, 3)}) for _ in range(numbers.randrange(9))]
            waits = [Wait(*entry(), numbers.choice(KINDS)) for _ in range(numbers.randrange(5))]
            phases = [Phase(*entry(), numbers.choice(KINDS)) for _ in range(numbers.randrange(5))]
            found = account(WINDOW, slots, busy, waits, phases + [Phase(0, 9999, "submit")])
            self.assertLessEqual(sum(found.values()), slots * 1000)
            self.assertTrue(all(time > 0 for time in found.values()))
            full = [Busy(one.begin, one.end, {"compute": one.end - one.begin}) for one in busy]
            all_of_it = account(WINDOW, slots, full, waits, [Phase(0, 9999, "submit")])
            self.assertAlmostEqual(sum(all_of_it.values()), slots * 1000, delta=len(all_of_it))


if __name__ == "__main__":
    unittest.main()
