"""What Ray's runtime costs: tasks, calls of an actor, its object store."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import ray
from bench_driver import DriverError
from bench_driver.probes import each, timed


@ray.remote(num_cpus=1)
def nothing() -> None:
    return None


@ray.remote(num_cpus=1)
def array(size: int) -> np.ndarray:
    return np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)


@ray.remote(num_cpus=1, max_retries=3)
def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


@ray.remote(num_cpus=1)
class Stateful:
    def nothing(self) -> None:
        return None


def tasks(engine, count: int) -> list[int]:
    ray.get([nothing.remote() for _ in range(engine.setup.slots)])
    return [timed(lambda: ray.get([nothing.remote() for _ in range(count)]))]


def round_trip(engine, count: int) -> list[int]:
    ray.get(nothing.remote())
    return each(lambda: ray.get(nothing.remote()) for _ in range(count))


def calls(engine, count: int) -> list[int]:
    actor = started_actor()
    return [timed(lambda: ray.get([actor.nothing.remote() for _ in range(count)]))]


def call_round_trip(engine, count: int) -> list[int]:
    actor = started_actor()
    return each(lambda: ray.get(actor.nothing.remote()) for _ in range(count))


def started_actor():
    actor = Stateful.remote()
    ray.get(actor.nothing.remote())
    return actor


def put(engine, bytes: int, count: int) -> list[int]:
    value = random_array(bytes)
    return each(lambda: ray.put(value) for _ in range(count))


def get(engine, bytes: int, count: int) -> list[int]:
    """The store is mapped by all processes of a machine: the value is read once, or nothing would be moved at all."""
    samples = []
    for _ in range(count):
        reference = array.remote(bytes)
        ray.wait([reference], fetch_local=True)
        samples.append(timed(lambda: int(ray.get(reference).sum())))
    return samples


def serialize(engine, bytes: int, count: int) -> list[int]:
    import pyarrow as pa

    value = pa.table({"value": random_array(bytes)})

    def there_and_back() -> None:
        # As Ray does it: protocol 5 with buffers apart, which are copied once, into the store. Reading maps them where they are.
        apart: list = []
        made = ray.cloudpickle.dumps(value, protocol=5, buffer_callback=apart.append)
        back = ray.cloudpickle.loads(made, buffers=[bytearray(buffer.raw()) for buffer in apart])
        if not apart or back.nbytes != value.nbytes:
            raise DriverError(f"Ray's serializer gave {back.nbytes} bytes back for {value.nbytes}, with {len(apart)} buffers apart")

    return each(there_and_back for _ in range(count))


def spill(engine, bytes: int, count: int) -> list[int]:
    """Every value stays referred to, and together they are more than the store: what Ray does not write out has no place in it."""
    value = random_array(bytes)
    references: list = []
    written = timed(lambda: references.extend(ray.put(value) for _ in range(count)))

    def read() -> None:
        for reference in references:
            ray.get(reference).sum()

    return [written, timed(read)]


def recover(engine, count: int, task_ns: int, kill: bool) -> list[int]:
    ray.get([sleep.remote(0.2) for _ in range(engine.setup.slots)])

    def work() -> None:
        waiting = [sleep.remote(task_ns / 1e9) for _ in range(count)]
        done = []
        while len(done) < max(count // 4, 1):
            ready, waiting = ray.wait(waiting, num_returns=1)
            done += ready
        if kill:
            os.kill(ray.get(done[-1]), signal.SIGKILL)
        ray.get(waiting)

    return [timed(work)]


def random_array(size: int) -> np.ndarray:
    return np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
