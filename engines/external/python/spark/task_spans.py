"""Where Spark's slots spent a run, from what Spark records of every task: the metrics of its `TaskEnd` events, as its own status store
keeps them for its web page. It does so whether anybody asks or not; nothing is switched on for it.

What each metric is counted as, and why, is in docs/products/spark.md.
"""

from __future__ import annotations

import json
from typing import Any

from bench_driver.spans import Busy, Phase, Spans, Wait, Window, account, around, gaps

MS = 1_000_000
TASKS_MAX = 1_000_000
PATIENCE_MS = 10_000
"""How long Spark may take to hand what it has recorded over to its status store."""


def recorded(session: Any, window: Window) -> list[dict]:
    """The stages of a run as Spark describes them, each attempt with its `tasks`."""
    context = session.sparkContext._jsc.sc()
    context.listenerBus().waitUntilEmpty(PATIENCE_MS)
    store = context.statusStore()
    jackson = session._jvm.com.fasterxml.jackson
    mapper = jackson.databind.ObjectMapper()
    mapper.registerModule(jackson.module.scala.DefaultScalaModule())

    def read(value: Any) -> Any:
        return json.loads(mapper.writeValueAsString(value))

    jobs = [job for job in read(store.jobsList(None)) if (job["submissionTime"] or 0) * MS >= window.begin - MS]
    stages = []
    for number in sorted({stage for job in jobs for stage in job["stageIds"]}):
        last = read(store.lastStageAttempt(number))
        if last["submissionTime"] is None:
            # Skipped: what it makes was there already.
            continue
        for attempt in range(last["attemptId"] + 1):
            tasks = read(store.taskList(number, attempt, TASKS_MAX))
            stages.append({"submissionTime": last["submissionTime"], "tasks": tasks})
    return stages


def spans_of(window: Window, slots: int, stages: list[dict]) -> Spans:
    """The slots' time of a run whose stages are these."""
    busy, waits = [], []
    garbage_ms = 0
    for stage in stages:
        for task in stage["tasks"]:
            one = busy_of(task, window)
            busy.append(one)
            # A later attempt waited for the failure of the one before, not for a slot.
            if task.get("attempt", 0) == 0:
                waits.append(Wait(stage["submissionTime"] * MS, one.begin, "schedule"))
            garbage_ms += (task["taskMetrics"] or {}).get("jvmGcTime", 0)
    phases = around(window, busy)
    # Nothing runs and nothing waits for a slot: the driver plans again with what the last stage told it, or builds what it broadcasts.
    phases += [Phase(begin, end, "submit") for begin, end in gaps(window, busy)]
    if busy:
        last = max(stage["submissionTime"] for stage in stages) * MS
        phases += [Phase(window.begin, last, "idle_barrier"), Phase(last, window.end, "idle_no_task")]
    note = f"spans from Spark's task metrics: {len(busy)} tasks of {len(stages)} stages; {garbage_ms} ms of their time was garbage collection"
    return Spans(account(window, slots, busy, waits, phases), [note])


def busy_of(task: dict, window: Window) -> Busy:
    """A task, from being sent to an executor until its slot was free again: a large result is fetched after that. One that still runs
    has its slot to the end."""
    begin = task["launchTime"] * MS
    if task["duration"] is None:
        return Busy(begin, max(begin, window.end), {})
    return Busy(begin, begin + (task["duration"] - task["gettingResultTime"]) * MS, parts_of(task))


def parts_of(task: dict) -> dict[str, int]:
    """What a task did, by kind. Spark counts in milliseconds, but for the writing of shuffles."""
    metrics = task["taskMetrics"]
    if metrics is None:
        # Lost with its executor.
        return {}
    run = metrics["executorRunTime"] * MS
    fetch = min(metrics["shuffleReadMetrics"]["fetchWaitTime"] * MS, run)
    write = min(metrics["shuffleWriteMetrics"]["writeTime"], run - fetch)
    return {
        "schedule": task["schedulerDelay"] * MS,
        "deserialize": metrics["executorDeserializeTime"] * MS,
        "fetch_remote": fetch,
        "shuffle_write": write,
        "compute": run - fetch - write,
        "report": metrics["resultSerializationTime"] * MS,
    }
