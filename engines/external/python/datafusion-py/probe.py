"""What DataFusion through its Python package costs before any work: a query that reads nothing. It has neither tasks nor workers of its user's."""

from __future__ import annotations

from bench_driver.probes import MISSING_IN_ONE_PROCESS, each

MISSING = MISSING_IN_ONE_PROCESS


def round_trip(engine, count: int) -> list[int]:
    """One query of one row, planning included: nothing smaller can be asked of it."""
    return each(lambda: engine.context.sql("SELECT 1").collect() for _ in range(count))
