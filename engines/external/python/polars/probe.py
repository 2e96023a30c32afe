"""What Polars costs before any work: a query that reads nothing. It has neither tasks nor workers of its user's."""

from __future__ import annotations

import polars as pl
from bench_driver.probes import each

MISSING = {
    "tasks": "it has no tasks that its user could submit: it cuts each query up itself",
    "calls": "it has no stateful workers",
    "call_round_trip": "it has no stateful workers",
    "put": "it has no store of values",
    "get": "it has no store of values",
    "serialize": "its answers are in this process already",
    "spill": "it has no store of values",
    "recover": "one process holds all of it: without that there is nothing to recover",
}


def round_trip(engine, count: int) -> list[int]:
    """One query of one row, planning included: nothing smaller can be asked of it."""
    return each(lambda: pl.LazyFrame({"n": [1]}).select("n").collect(engine=engine.engine) for _ in range(count))
