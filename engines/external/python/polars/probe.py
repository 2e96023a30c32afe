"""What Polars costs before any work: a query that reads nothing. It has neither tasks nor workers of its user's."""

from __future__ import annotations

import polars as pl
from bench_driver.probes import MISSING_IN_ONE_PROCESS, each

MISSING = {**MISSING_IN_ONE_PROCESS, "spill": "it has no store of values"}


def round_trip(engine, count: int) -> list[int]:
    """One query of one row, planning included: nothing smaller can be asked of it."""
    return each(lambda: pl.LazyFrame({"n": [1]}).select("n").collect(engine=engine.engine) for _ in range(count))
