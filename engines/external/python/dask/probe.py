"""What Dask's runtime costs: futures, actors, values scattered to and gathered from workers."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from bench_driver import DriverError
from bench_driver.probes import each, timed
from distributed import wait
from distributed.protocol import deserialize, serialize as serialize_value


class Stateful:
    def nothing(self) -> None:
        return None


def tasks(engine, count: int) -> list[int]:
    client = engine.cluster.client
    client.gather(client.map(nothing, range(engine.setup.slots), pure=False))
    return [timed(lambda: client.gather(client.map(nothing, range(count), pure=False)))]


def round_trip(engine, count: int) -> list[int]:
    client = engine.cluster.client
    client.submit(nothing, 0, pure=False).result()
    return each(lambda: client.submit(nothing, 0, pure=False).result() for _ in range(count))


def calls(engine, count: int) -> list[int]:
    actor = started_actor(engine)
    return [timed(lambda: [call.result() for call in [actor.nothing() for _ in range(count)]])]


def call_round_trip(engine, count: int) -> list[int]:
    actor = started_actor(engine)
    return each(lambda: actor.nothing().result() for _ in range(count))


def started_actor(engine):
    actor = engine.cluster.client.submit(Stateful, actor=True, pure=False).result()
    actor.nothing().result()
    return actor


def put(engine, bytes: int, count: int) -> list[int]:
    client = engine.cluster.client
    value = random_array(bytes)
    return each(lambda: client.scatter(value, hash=False) for _ in range(count))


def get(engine, bytes: int, count: int) -> list[int]:
    client = engine.cluster.client
    samples = []
    for _ in range(count):
        future = client.submit(random_array, bytes, pure=False)
        wait(future)
        samples.append(timed(lambda: int(future.result().sum())))
    return samples


def serialize(engine, bytes: int, count: int) -> list[int]:
    import pyarrow as pa

    value = pa.table({"value": random_array(bytes)})
    return each(lambda: deserialize(*serialize_value(value)) for _ in range(count))


def spill(engine, bytes: int, count: int) -> list[int]:
    """Workers write out what they hold beyond 60 % of their limit (`distributed.worker.memory.target`)."""
    client = engine.cluster.client
    value = random_array(bytes)
    futures: list = []
    written = timed(lambda: futures.extend(client.scatter(value, hash=False) for _ in range(count)))
    if not sum(client.run(on_disk).values()):
        raise DriverError(f"no worker of Dask has spilled anything of {count} values of {bytes} bytes")

    def read() -> None:
        for future in futures:
            future.result().sum()

    return [written, timed(read)]


def on_disk(dask_worker) -> int:
    """Values that a worker has written out."""
    return len(getattr(dask_worker.data, "slow", ()))


def recover(engine, count: int, task_ns: int, kill: bool) -> list[int]:
    client = engine.cluster.client
    client.gather(client.map(sleep, [0.2] * engine.setup.slots, pure=False))

    def work() -> None:
        futures = client.map(sleep, [task_ns / 1e9] * count, pure=False)
        quarter = max(count // 4, 1)
        wait(futures[:quarter])
        if kill:
            os.kill(futures[0].result(), signal.SIGKILL)
        client.gather(futures)

    return [timed(work)]


def nothing(_) -> None:
    return None


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def random_array(size: int) -> np.ndarray:
    return np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
