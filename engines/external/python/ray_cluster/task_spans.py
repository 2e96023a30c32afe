"""Where Ray's slots spent a run, from Ray's task events: what `ray.timeline()` draws, and when each task changed its state. Ray records
them whether anybody asks or not; nothing is switched on for it.

What each event is counted as, and why, is in docs/products/ray.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from bench_driver.spans import Busy, Phase, Spans, Wait, Window, account, around

FLUSH_S = 1.2
"""Workers hand their events over once a second."""
READS = 2
"""How often the events are read: what an actor that was ended at once had not handed over never comes."""
KINDS = {
    "task:deserialize_arguments": "deserialize",
    "task:execute": "compute",
    "task:store_outputs": "shuffle_write",
}
WHOLE = "task::"
"""How the name of the event begins that is the whole task on its worker."""
WAITS_FOR_ARGUMENTS, WAITS_FOR_WORKER, SENT, FINISHED, FAILED = 1, 2, 5, 11, 12
"""States of a task, as Ray numbers them."""


def recorded(window: Window) -> list[dict]:
    """The tasks that were there during a run, once Ray has heard of all that happened to them."""
    tasks: list[dict] = []
    for read in range(1, READS + 1):
        time.sleep(max(0.0, window.end / 1e9 + read * FLUSH_S - time.time()))
        tasks = [task for task in all_tasks() if max(task["states"].values(), default=0) >= window.begin]
        if all(is_whole(task) for task in tasks if task["holds_slot"]):
            break
    return tasks


def all_tasks() -> list[dict]:
    """Every task attempt that Ray remembers, as plain data."""
    from ray._private.state import state

    events = list(state._get_all_task_events())
    # A method's task says nothing of resources: its actor holds them.
    of_actors = {event.task_info.actor_id: cpus(event) for event in events if event.task_info.actor_id and cpus(event)}
    return [
        {
            "name": event.task_info.name,
            "holds_slot": bool(cpus(event) or of_actors.get(event.task_info.actor_id)),
            "states": {int(number): int(at) for number, at in event.state_updates.state_ts_ns.items()},
            "events": [[one.event_name, int(one.start_time), int(one.end_time)] for one in event.profile_events.events],
        }
        for event in events
    ]


def cpus(event: Any) -> float:
    return event.task_info.required_resources.get("CPU", 0.0)


def is_whole(task: dict) -> bool:
    states = task["states"]
    return FAILED in states or FINISHED in states and whole_of(task) is not None


def spans_of(window: Window, slots: int, tasks: Iterable[dict]) -> Spans:
    """The slots' time of a run during which these tasks were there."""
    holding = [task for task in tasks if task["holds_slot"]]
    busy, waits, barriers, missing = [], [], [], 0
    for task in holding:
        whole = whole_of(task)
        states = {int(state): at for state, at in task["states"].items()}
        if whole is not None:
            busy.append(Busy(*whole, parts_of(task)))
        else:
            missing += 1
            # It held a slot for some of this time: what it did there is unknown, and that the slot was free would be a guess.
            begun = [at for state, at in states.items() if SENT <= state < FINISHED]
            if begun:
                ended = [at for state, at in states.items() if state >= FINISHED]
                busy.append(Busy(min(begun), min(ended, default=window.end), {}))
        asked, ready = states.get(WAITS_FOR_ARGUMENTS), states.get(WAITS_FOR_WORKER)
        if asked is not None and ready is not None:
            barriers.append(Phase(asked, ready, "idle_barrier"))
        if ready is not None and whole is not None:
            waits.append(Wait(ready, whole[0], "schedule"))
    note = f"spans from Ray's task events: {len(holding) - missing} tasks that held a slot"
    if missing:
        note += f"; of {missing} more it is not known when they ran"
    return Spans(account(window, slots, busy, waits, around(window, busy) + barriers), [note])


def whole_of(task: dict) -> tuple[int, int] | None:
    """When a task was on its worker."""
    for name, begin, end in task["events"]:
        if name.startswith(WHOLE):
            return begin, end
    return None


def parts_of(task: dict) -> dict[str, int]:
    parts: dict[str, int] = {}
    for name, begin, end in task["events"]:
        if name in KINDS:
            parts[KINDS[name]] = parts.get(KINDS[name], 0) + end - begin
    return parts
