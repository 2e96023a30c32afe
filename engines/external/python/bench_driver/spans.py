"""Where the slots of a product spent a run, told in the harness's kinds from what the product itself recorded.

A driver reads its product's own trace after a run and says of each task when it held a slot and what it did there (`Busy`), when work
waited for a slot or a slot for work (`Wait`), and what the product was at otherwise (`Phase`). `account` turns that into a partition of
the slots' time. Whatever nothing explains belongs to no kind: the harness calls it unknown.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

VERSION = 1
"""Of what `digested` says of spans."""

KINDS = (
    "submit",
    "schedule",
    "fetch_local",
    "fetch_remote",
    "deserialize",
    "compute",
    "spill_write",
    "spill_read",
    "shuffle_write",
    "report",
    "idle_no_task",
    "idle_barrier",
    "idle_straggler",
    "idle_paused",
)
"""The harness's kinds, `harness/model/src/span.rs`."""


@dataclass(frozen=True)
class Window:
    """A run: from the request to the whole answer, in nanoseconds since 1970 as this machine's clock has them."""

    begin: int
    end: int


@dataclass(frozen=True)
class Busy:
    """A task that held a slot. What `parts` leave of the time is unknown."""

    begin: int
    end: int
    parts: Mapping[str, int]
    """Nanoseconds by kind, wherever in that time they were."""


@dataclass(frozen=True)
class Wait:
    """Work that waited for a slot, or one slot that waited for work: explains one slot that is free meanwhile."""

    begin: int
    end: int
    kind: str


@dataclass(frozen=True)
class Phase:
    """What the product was at: explains every slot that is free meanwhile and that nothing else explains."""

    begin: int
    end: int
    kind: str


@dataclass
class Spans:
    """What is known of the slots' time of a run."""

    by_kind_ns: dict[str, int]
    notes: list[str] = field(default_factory=list)
    """What the trace tells and no kind does, a sentence each."""


def account(
    window: Window, slots: int, busy: Iterable[Busy], waits: Sequence[Wait] = (), phases: Sequence[Phase] = ()
) -> dict[str, int]:
    """The time of `slots` slots by kind, together never more than there is.

    Where more tasks than slots held one at the same instant, as they do for a moment when one hands over to the next, they share
    the slots evenly. Of waits and phases at the same instant the one that is listed first counts.
    """
    tasks = [one for one in busy if one.end > one.begin]
    edges = sorted(edge for number, entries in enumerate((tasks, waits, phases)) for edge in _edges(window, number, entries))
    active: tuple[set[int], set[int], set[int]] = (set(), set(), set())
    held = [0.0] * len(tasks)
    spent: dict[str, float] = {}
    at = window.begin
    for time, is_begin, number, index in [*edges, (window.end, False, 0, -1)]:
        if time > at:
            running = active[0]
            share = min(1.0, slots / len(running)) * (time - at) if running else 0.0
            for task in running:
                held[task] += share
            free = max(slots - len(running), 0)
            for wait in heapq.nsmallest(free, active[1]) if free else ():
                _add(spent, waits[wait].kind, time - at)
            free -= min(free, len(active[1]))
            if free and active[2]:
                _add(spent, phases[min(active[2])].kind, free * (time - at))
            at = time
        (active[number].add if is_begin else active[number].discard)(index)
    for task, of_slots in zip(tasks, held, strict=True):
        # Parts that are more than the whole were rounded up, each by itself.
        whole = max(task.end - task.begin, sum(task.parts.values()))
        for kind, part in task.parts.items():
            _add(spent, kind, part * of_slots / whole)
    return {kind: int(time) for kind, time in spent.items() if int(time) > 0}


def gaps(window: Window, busy: Iterable[Busy]) -> list[tuple[int, int]]:
    """When no task held a slot, the time before the first and after the last left out."""
    found = []
    reached = None
    for task in sorted(busy, key=lambda one: one.begin):
        if reached is not None and task.begin > reached:
            found.append((reached, task.begin))
        reached = task.end if reached is None else max(reached, task.end)
    return [(max(begin, window.begin), min(end, window.end)) for begin, end in found if begin < window.end and end > window.begin]


def around(window: Window, busy: Sequence[Busy]) -> list[Phase]:
    """Before the first task nothing could run yet, and after the last one the answer was on its way."""
    if not busy:
        return []
    first, last = min(task.begin for task in busy), max(task.end for task in busy)
    return [Phase(window.begin, max(first, window.begin), "submit"), Phase(min(last, window.end), window.end, "report")]


def added(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Sums by kind."""
    total: dict[str, int] = {}
    for part in parts:
        for kind, time in part.items():
            total[kind] = total.get(kind, 0) + time
    return total


def _edges(window: Window, number: int, entries: Sequence[Busy | Wait | Phase]):
    for index, entry in enumerate(entries):
        begin, end = max(entry.begin, window.begin), min(entry.end, window.end)
        if end > begin:
            yield begin, True, number, index
            yield end, False, number, index


def _add(spent: dict[str, float], kind: str, time: float) -> None:
    if kind not in KINDS:
        raise ValueError(f"there is no kind of span `{kind}`")
    spent[kind] = spent.get(kind, 0.0) + time
