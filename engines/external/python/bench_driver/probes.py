"""What `bench overhead` asks of a product's runtime: work that does nothing, timed where the product's own user would time it.

A product is probed through `probe.py` beside its driver: one function per kind, called like it, that takes the started engine and
the fields of the request and gives the samples, whole nanoseconds in the order they were taken. A kind without a function is
`unsupported`. Start-up time and idle memory need no probe: the harness sees them from outside.

| kind | fields | a sample is |
|---|---|---|
| `tasks` | `count` | all of `count` no-op tasks, from submitting the first to holding the last result |
| `round_trip` | `count` | one of `count` no-op tasks, each awaited before the next |
| `calls` | `count` | all of `count` no-op method calls of one stateful worker |
| `call_round_trip` | `count` | one of `count` such calls, each awaited before the next |
| `put` | `bytes`, `count` | one of `count` byte arrays given to the runtime's store from this process |
| `get` | `bytes`, `count` | one of `count` byte arrays that a task in another process made, until this one holds it |
| `serialize` | `bytes`, `count` | one Arrow table of so many bytes through the product's serializer and back, in this process |
| `spill` | `bytes`, `count` | two: `count` arrays given to the store, together more than it may hold, then all of them read back |
| `recover` | `count`, `task_ns`, `kill` | all of `count` tasks that sleep `task_ns`; with `kill`, a process that runs them is killed once a quarter is done |

`put`, `get` and `spill` move random bytes: nothing to compress.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .data import fields
from .failures import DriverError, ProtocolError, Unsupported

FIELDS: dict[str, dict[str, type]] = {
    "tasks": {"count": int},
    "round_trip": {"count": int},
    "calls": {"count": int},
    "call_round_trip": {"count": int},
    "put": {"bytes": int, "count": int},
    "get": {"bytes": int, "count": int},
    "serialize": {"bytes": int, "count": int},
    "spill": {"bytes": int, "count": int},
    "recover": {"count": int, "task_ns": int, "kill": bool},
}
MAX_COUNT = 1_000_000
MISSING_IN_ONE_PROCESS = {
    "tasks": "it has no tasks that its user could submit: it cuts each query up itself",
    "calls": "it has no stateful workers",
    "call_round_trip": "it has no stateful workers",
    "put": "it has no store of values",
    "get": "it has no store of values",
    "serialize": "its answers are in this process already",
    "spill": "it spills what operators hold, not values",
    "recover": "one process holds all of it: without that there is nothing to recover",
}
"""Why a product that runs queries in its driver's process, and nothing else, has no probe of a kind."""


def parse_probe(body: Any) -> tuple[str, dict[str, Any]]:
    """The kind and the other fields of a probe."""
    kind = body.get("kind") if isinstance(body, dict) else None
    if kind not in FIELDS:
        raise ProtocolError(f"there is no probe `{kind}`; probes: {', '.join(FIELDS)}")
    given = fields(body, f"the probe `{kind}`", {"kind": str, **FIELDS[kind]})
    for name, value in given.items():
        if isinstance(value, int) and not isinstance(value, bool) and value < 1:
            raise ProtocolError(f"the probe `{kind}` needs a `{name}` of at least 1")
    if given["count"] > MAX_COUNT:
        raise ProtocolError(f"the probe `{kind}` takes a `count` of at most {MAX_COUNT}")
    del given["kind"]
    return kind, given


def probe(engine: Any, folder: Path, kind: str, given: dict[str, Any]) -> list[int]:
    """The samples of a kind, from `probe.py` in the driver's folder."""
    path = folder / "probe.py"
    if not path.exists():
        raise Unsupported(f"{engine.name} has no probes: there is no `probe.py` beside its driver")
    spec = importlib.util.spec_from_file_location("probe", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, kind, None)
    if function is None:
        raise Unsupported(f"{engine.name} has no probe `{kind}`: {module.MISSING[kind]}")
    samples = list(function(engine, **given))
    if not samples or not all(isinstance(sample, int) and sample >= 0 for sample in samples):
        raise DriverError(f"the probe `{kind}` of {engine.name} gave no samples: {samples[:3]!r}")
    return samples


def timed(work: Callable[[], Any]) -> int:
    """How long something takes, in nanoseconds."""
    begun = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - begun


def each(works: Iterable[Callable[[], Any]]) -> list[int]:
    """How long each of these takes, one after the other."""
    return [timed(work) for work in works]
