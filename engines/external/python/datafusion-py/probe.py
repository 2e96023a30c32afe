"""What DataFusion through its Python package costs before any work: a query that reads nothing. It has neither tasks nor workers of its user's."""

from __future__ import annotations

from bench_driver.probes import each

MISSING = {
    "tasks": "it has no tasks that its user could submit: it cuts each query up itself",
    "calls": "it has no stateful workers",
    "call_round_trip": "it has no stateful workers",
    "put": "it has no store of values",
    "get": "it has no store of values",
    "serialize": "its answers are in this process already",
    "spill": "it spills what operators hold, not values",
    "recover": "one process holds all of it: without that there is nothing to recover",
}


def round_trip(engine, count: int) -> list[int]:
    """One query of one row, planning included: nothing smaller can be asked of it."""
    return each(lambda: engine.context.sql("SELECT 1").collect() for _ in range(count))
