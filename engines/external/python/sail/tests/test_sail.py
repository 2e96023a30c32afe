"""Sail through its driver. Needs Sail: run with the Python of its environment, `python -m unittest discover -s sail/tests`."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pyspark_frame" / "tests"))

from frame_cases import FrameCases  # noqa: E402


class SailFrames(FrameCases):
    product = "sail"


del FrameCases

if __name__ == "__main__":
    unittest.main()
