"""What Sail costs before any work: a query that reads nothing, through its server and Spark's client."""

from __future__ import annotations

from bench_driver.probes import MISSING_IN_ONE_PROCESS, each

MISSING = {**MISSING_IN_ONE_PROCESS, "serialize": "it serializes what it answers, not values of its user's"}


def round_trip(engine, count: int) -> list[int]:
    """One query of one row, planning included: nothing smaller can be asked of it."""
    session = engine.session
    session.sql("SELECT 1").toArrow()
    return each(lambda: session.sql("SELECT 1").toArrow() for _ in range(count))
