"""What tiny's runtime costs: it calls a function. It shows what a driver's probes look like, and has nothing else to show."""

from __future__ import annotations

from bench_driver.probes import each, timed

MISSING = {
    "calls": "it has no stateful workers",
    "call_round_trip": "it has no stateful workers",
    "put": "it has no store",
    "get": "it has no store",
    "serialize": "it has no serializer",
    "spill": "it has no store",
    "recover": "it has no workers",
}


def tasks(engine, count: int) -> list[int]:
    return [timed(lambda: [engine.discard() for _ in range(count)])]


def round_trip(engine, count: int) -> list[int]:
    return each(engine.discard for _ in range(count))
