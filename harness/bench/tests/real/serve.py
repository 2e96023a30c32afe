"""Starts a cluster of a product as its user would, with the product's own means, and keeps it until it is ended.

    VENV/bin/python serve.py PRODUCT PORT SLOTS FOLDER

It listens on 127.0.0.1:PORT and says `ready` when it does. Nothing of it is a driver's or the harness's.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

HOST = "127.0.0.1"
PATIENCE_S = 60


def spark(port: int, slots: int, folder: Path) -> None:
    import pyspark

    started = Path(pyspark.__file__).parent / "bin/spark-class"
    environment = os.environ | {"SPARK_LOCAL_IP": HOST, "SPARK_HOME": str(started.parent.parent)}
    of = "org.apache.spark.deploy"
    subprocess.Popen([started, f"{of}.master.Master", "--host", HOST, "--port", str(port), "--webui-port", "0"], env=environment)
    wait_for(port)
    worker = ["--host", HOST, "--cores", str(slots), "--memory", "4g", "--webui-port", "0", "--work-dir", str(folder)]
    subprocess.Popen([started, f"{of}.worker.Worker", *worker, f"spark://{HOST}:{port}"], env=environment)


def dask(port: int, slots: int, folder: Path):
    from distributed import LocalCluster

    return LocalCluster(
        host=HOST, scheduler_port=port, n_workers=slots, threads_per_worker=1, dashboard_address=None, local_directory=str(folder),
    )


def ray(port: int, slots: int, folder: Path, client: int | None = None) -> None:
    line = [Path(sys.executable).with_name("ray"), "start", "--head", "--node-ip-address", HOST, "--port", str(port)]
    line += ["--ray-client-server-port", str(client or free_port()), "--num-cpus", str(slots), "--include-dashboard", "false"]
    line += ["--temp-dir", str(folder), "--disable-usage-stats", "--block"]
    subprocess.Popen(line, env=os.environ | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"})


def ray_client(port: int, slots: int, folder: Path) -> None:
    ray(free_port(), slots, folder, client=port)


def sail(port: int, slots: int, folder: Path):
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(HOST, port)
    server.start(background=True)
    return server


def ballista(port: int, slots: int, folder: Path):
    from ballista import BallistaExecutor, BallistaScheduler

    scheduler = BallistaScheduler(HOST, port)
    scheduler.start()
    wait_for(port)
    executor = BallistaExecutor(free_port(), HOST, HOST, port, slots)
    executor.start()
    return scheduler, executor


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return found.getsockname()[1]


def wait_for(port: int) -> None:
    by = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            if time.monotonic() > by:
                raise SystemExit(f"nothing listens on {port}") from None
            time.sleep(0.1)


if __name__ == "__main__":
    # What a product prints must not come before it, nor stop it when nobody reads on.
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    product, port, slots, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    held = {"spark": spark, "dask": dask, "ray": ray, "ray-datafusion": ray_client, "sail": sail, "ballista": ballista}[product](port, slots, folder)
    wait_for(port)
    print("ready", file=said, flush=True)
    while True:
        time.sleep(60)
