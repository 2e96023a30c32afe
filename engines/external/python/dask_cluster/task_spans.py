"""Where Dask's workers spent a run, from Dask's task stream: what its dashboard draws, recorded by a plugin of the scheduler that comes
with Dask and that is added when spans are asked for.

What each action is counted as, and why, is in docs/products/dask.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench_driver.failures import DriverError
from bench_driver.spans import Busy, Spans, Wait, Window, account, added, around

SECOND = 1_000_000_000
CUTTING = ("shuffle-transfer-", "hash-join-transfer-")
"""Tasks of Dask's own shuffles that cut rows into pieces, encode them and send them away."""


def tasks_so_far(client: Any) -> int:
    """How many tasks Dask has recorded. From the first call on it does."""
    return client.sync(client.scheduler.get_task_stream_index)


def recorded(client: Any, since: int) -> list[Mapping]:
    """The tasks after so many. By number and not by time: a worker knows the scheduler's clock to some milliseconds only, and the last
    task of one run would count for the next one."""
    tasks = list(client.sync(client.scheduler.get_task_stream, start_index=since))
    lost = tasks_so_far(client) - since - len(tasks)
    if lost:
        # Where those ran, slots would look free.
        raise DriverError(f"Dask keeps no more of its task stream: {lost} tasks of this run are not in it")
    return tasks


def spans_of(window: Window, threads: Mapping[str, int], tasks: Iterable[Mapping]) -> Spans:
    """The time of every worker's threads. A worker's transfers explain only its own."""
    # Of a run that failed nobody has forgotten the tasks.
    tasks = [task for task in tasks if any(nanos(one["stop"]) > window.begin for one in task["startstops"])]
    strange = {task["worker"] for task in tasks} - set(threads)
    if strange:
        raise DriverError(f"workers that ran its tasks are not there any more: {', '.join(sorted(strange))}")
    busy: dict[str, list[Busy]] = {worker: [] for worker in threads}
    waits: dict[str, list[Wait]] = {worker: [] for worker in threads}
    for task in tasks:
        for action in task["startstops"]:
            held, waited = entries(task["key"], action)
            busy[task["worker"]] += held
            waits[task["worker"]] += waited
    phases = around(window, [one for held in busy.values() for one in held])
    of_workers = (account(window, threads[worker], busy[worker], waits[worker], phases) for worker in threads)
    return Spans(added(of_workers), [f"spans from Dask's task stream: {len(tasks)} tasks of {len(threads)} workers"])


def entries(key: Any, action: Mapping) -> tuple[list[Busy], list[Wait]]:
    """What an action did to its worker's threads. Their event loop does the rest beside them: that explains a thread without a task, and
    takes nothing from one that has one."""
    begin, end = nanos(action["start"]), nanos(action["stop"])
    match action["action"]:
        case "compute":
            kind = "shuffle_write" if name_of(key).startswith(CUTTING) else "compute"
        case "deserialize":
            kind = "deserialize"
        case "disk-read":
            kind = "spill_read"
        case "transfer":
            return [], [Wait(begin, end, "fetch_remote")]
        case "disk-write":
            return [], [Wait(begin, end, "spill_write")]
        case _:
            return [], []
    return [Busy(begin, end, {kind: end - begin})], []


def name_of(key: Any) -> str:
    return str(key[0] if isinstance(key, (tuple, list)) else key)


def nanos(seconds: float) -> int:
    return round(seconds * SECOND)
