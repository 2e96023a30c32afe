"""What Ballista costs before any work: a query that reads nothing, through its scheduler and its executor."""

from __future__ import annotations

from bench_driver.probes import MISSING_IN_ONE_PROCESS, each

MISSING = {
    **MISSING_IN_ONE_PROCESS,
    "tasks": "it has no tasks that its user could submit: its scheduler cuts each query up",
    "serialize": "it serializes what its stages exchange, not values of its user's",
    "recover": "a cluster of ours has one executor: without that there is nothing to recover",
}


def round_trip(engine, count: int) -> list[int]:
    """One query of one row, planning included: nothing smaller can be asked of it."""
    context = engine.context()
    context.sql("SELECT 1").collect()
    return each(lambda: context.sql("SELECT 1").collect() for _ in range(count))
