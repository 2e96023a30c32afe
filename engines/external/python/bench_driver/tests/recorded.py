"""A recorded run beside the tests of a product's spans: its trace, and what share of the slots' time each kind is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import TestCase

from bench_driver.spans import Spans, Window


def check_recorded(test: TestCase, folder: Path, explained: Callable[[Window, dict[str, Any]], tuple[int, Spans]]) -> None:
    """`explained` gives how many slots there were, and their spans, from what was recorded."""
    recorded = json.loads((folder / "recorded.json").read_text())
    begin, end = recorded["window"]
    slots, spans = explained(Window(begin, end), recorded)
    all_of_it = slots * (end - begin)
    shares = {kind: round(100 * time / all_of_it, 1) for kind, time in spans.by_kind_ns.items()}
    test.assertEqual(shares, recorded["percent"])
    test.assertLessEqual(sum(spans.by_kind_ns.values()), all_of_it)
