"""What Spark's runtime costs: jobs of tasks that do nothing, in the JVM."""

from __future__ import annotations

from bench_driver.probes import each, timed

MISSING = {
    "calls": "it has no stateful workers",
    "call_round_trip": "it has no stateful workers",
    "put": "its store holds partitions and broadcasts, which no single value is given to",
    "get": "its store holds partitions and broadcasts, which no single value is read from",
    "serialize": "its serializers take objects of its JVM, and no Arrow table",
    "spill": "it spills what operators hold, not values",
    "recover": "one JVM holds all of it: without that there is nothing to recover",
}


def tasks(engine, count: int) -> list[int]:
    """One stage of so many tasks, rows never leaving the JVM."""
    jvm_job(engine, engine.setup.slots)
    return [timed(lambda: jvm_job(engine, count))]


def round_trip(engine, count: int) -> list[int]:
    """One job of one task."""
    jvm_job(engine, 1)
    return each(lambda: jvm_job(engine, 1) for _ in range(count))


def jvm_job(engine, tasks: int) -> None:
    engine.session.sparkContext._jsc.sc().range(0, tasks, 1, tasks).count()
