"""A Dask cluster: started here within the limits of the comparison, or attached to by its address."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask
import distributed
from bench_driver import Cancelled, DriverError, Engine, Setup
from bench_driver.spans import Spans, Window
from distributed import Client, KilledWorker, LocalCluster
from distributed.deploy.utils import nprocesses_nthreads

from .memory import MemoryWatch
from .task_spans import recorded, spans_of, tasks_so_far

ATTACH_TIMEOUT_S = 15
POLL_S = 0.2
RESTART_TIMEOUT_S = 20
CLUSTER_SETTINGS = {"workers", "threads_per_worker", "direct_to_workers"}
"""Settings of this module. Names with a dot are Dask's own; what else there is belongs to the driver."""


class Cluster:
    """A client and, unless it is attached, the processes it started: a scheduler in this one, nannies and workers below it."""

    def __init__(self, engine: Engine, packages: Sequence[Path]):
        """`packages` are what tasks import beside installed packages; an attached cluster is sent them."""
        self.engine = engine
        self.memory = MemoryWatch()
        self.local: LocalCluster | None = None
        settings = engine.settings()
        dask.config.set({key: value for key, value in settings.items() if "." in key})
        direct = bool(settings.get("direct_to_workers", False))
        setup = engine.setup
        if setup.attach is None:
            self.local = local_cluster(engine, settings)
            self.client = Client(self.local, direct_to_workers=direct, set_as_default=True)
        else:
            self.attach(setup, direct, packages)
        self.earlier_tasks = 0
        self.forget()

    def attach(self, setup: Setup, direct: bool, packages: Sequence[Path]) -> None:
        try:
            self.client = Client(setup.attach, timeout=ATTACH_TIMEOUT_S, direct_to_workers=direct, set_as_default=True)
        except (OSError, TimeoutError, ValueError) as error:
            raise DriverError(f"no Dask scheduler answers at {setup.attach}: {error}") from error
        self.client.upload_file(str(archive(packages, setup.scratch / "tasks.zip")))

    def compute(self, value: Any) -> Any:
        """Computes a collection; ends early when the run is cancelled, and leaves nothing running then."""
        # What happens to workers while the graph is made counts too: a sort runs tasks then, to look for its divisions.
        before = self.begin()
        return self.gathered([self.client.compute(value)], before)[0]

    def gather(self, futures: list[distributed.Future]) -> list[Any]:
        """The values, once all are there; the first failure is raised. Workers hold nothing of them afterwards."""
        return self.gathered(futures, self.begin())

    def begin(self) -> set[str] | None:
        """A run begins, with these workers."""
        self.memory.reset()
        return self.workers()

    def gathered(self, futures: list[distributed.Future], before: set[str] | None) -> list[Any]:
        """The same of a run that began with these workers."""
        try:
            self.wait(list(futures))
            values = self.client.gather(futures)
            after = self.workers()
            lost = len(before - after) if before is not None and after is not None else 0
            if lost:
                self.engine.note(f"workers that ended during the run: {lost}; Dask did again what they had done or held")
            return values
        finally:
            # Not when the last reference is collected: what is held until then fills the memory of the next run.
            for future in futures:
                future.release()

    def workers(self) -> set[str] | None:
        """The workers of our own; one that a nanny has started anew is another one. Of an attached cluster nothing is known in time."""
        if self.local is None:
            return None
        try:
            return {worker.server_id for worker in self.local.scheduler.workers.values()}
        except (RuntimeError, KeyError):
            # The scheduler's own thread changes them just now; a note is not worth a run.
            return None

    def wait(self, waiting: list[distributed.Future]) -> None:
        while waiting:
            try:
                distributed.wait(waiting, timeout=POLL_S, return_when="FIRST_COMPLETED")
            except (TimeoutError, distributed.TimeoutError):
                pass
            if self.engine.is_cancelled():
                try:
                    self.abandon(waiting)
                except Exception as error:
                    raise DriverError(f"cancelled, and its workers did not come back: {error}") from error
                raise Cancelled("cancelled")
            for future in [one for one in waiting if one.done()]:
                if future.status != "finished":
                    self.fail(future)
                waiting.remove(future)

    def fail(self, future: distributed.Future) -> None:
        error = future.exception()
        raise error if error is not None else DriverError(f"Dask gave a task up: {future.status}")

    def abandon(self, futures: list[distributed.Future]) -> None:
        """Drops work. A task that has begun cannot be stopped, so workers of our own are restarted."""
        self.client.cancel(futures, force=True)
        if self.local is not None:
            self.client.restart(timeout=RESTART_TIMEOUT_S)

    def spans(self, window: Window) -> Spans:
        return spans_of(window, self.client.nthreads(), recorded(self.client, self.earlier_tasks))

    def forget(self) -> None:
        """What ran until now is of no later run's spans."""
        if self.engine.setup.spans:
            self.earlier_tasks = tasks_so_far(self.client)

    def classify(self, error: BaseException) -> str | None:
        """A worker that dies again and again is out of memory if its nanny said so; DataFusion's kernel in a task says it itself."""
        if "Resources exhausted" in str(error):
            return "out_of_memory"
        if isinstance(error, KilledWorker) and self.memory.heard.is_set():
            return "out_of_memory"
        return None

    def stop(self) -> None:
        self.memory.close()
        self.client.close(timeout=3)
        if self.local is not None:
            self.local.close(timeout=4)


def local_cluster(engine: Engine, settings: dict[str, Any]) -> LocalCluster:
    """Workers for as many threads as there are slots, on the loopback device, without a dashboard."""
    setup = engine.setup
    workers, threads = nprocesses_nthreads(setup.slots)
    workers = int(settings.get("workers", workers))
    threads = int(settings.get("threads_per_worker", math.ceil(setup.slots / workers)))
    limit: Any = "auto"
    if setup.memory_bytes is not None:
        # One limit for all of it; a worker cannot lend memory to another.
        limit = setup.memory_bytes // workers
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=threads,
        processes=True,
        memory_limit=limit,
        host="127.0.0.1",
        dashboard_address=None,
        # Its health page is served all the same: on a free port, to this machine only.
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        local_directory=str(setup.scratch),
        silence_logs=False,
    )


def archive(packages: Sequence[Path], target: Path) -> Path:
    """Modules and packages as one archive that workers import from."""
    with zipfile.ZipFile(target, "w") as archive:
        for package in packages:
            files = sorted(package.rglob("*.py")) if package.is_dir() else [package]
            for file in files:
                archive.write(file, file.relative_to(package.parent))
    return target
