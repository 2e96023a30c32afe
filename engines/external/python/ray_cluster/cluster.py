"""A Ray cluster of this driver, or one that was there before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_driver import DriverError, Setup
from bench_driver.processes import ended
from bench_driver.spans import Spans, Window

from .task_spans import recorded, spans_of

SOCKET_BYTES = 107
"""The longest path of a Unix socket."""
SOCKET_SUFFIX = len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")

SOCKETS = "BENCH_SOCKETS"
"""Names a folder of the harness whose path is short."""

MARKER = "BENCH_RAY_CLUSTER"
"""The variable that all processes of a cluster of ours have."""
ENVIRONMENT = "env."
"""Settings of this prefix are environment variables of Ray's daemons and workers."""
INIT = "init."
"""Settings of this prefix are arguments of `ray.init`."""

QUIET = {
    # No network beyond loopback, and none of the reporting that would compete with the work.
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
ON_LOOPBACK = {
    # Without it Ray takes any other address of this machine rather than 127.0.0.1, and all its daemons and workers listen on all of them. The
    # name is of where it is the default.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
OWN = ON_LOOPBACK | {
    # A token would be written into the home folder and stay there; whoever is on this machine may use the cluster meanwhile.
    "RAY_AUTH_MODE": "disabled",
}

NO_HTTP = """\
import importlib.util
import sys

if importlib.util.find_spec("aiohttp") is None:
    sys.modules["fsspec.implementations.http"] = None
"""
"""Ray Data asks in several threads at once whether fsspec's HTTP files can be imported, and expects that they can or that they are not
there. Without aiohttp they are there and fail half-way, so that one thread sees what another one has begun: an ImportError now and
then. From here on they are not there."""

VITAL = ("gcs_server", "raylet")
"""The daemons without which nothing runs, as Ray calls them."""

MEMBER = "gcs://"
"""Begins the address of a cluster whose node this machine is: that of its GCS, which Ray itself writes without such a beginning."""

FOLDERS = "bench-ray-"
"""How the names of folders outside the scratch folder begin; the number of the process that made it follows."""


STORE_SHARE, SHM_SHARE = 0.3, 0.95
"""What Ray gives its object store of the memory that is free when it starts, and of `/dev/shm` at most."""


def shares_of_machine() -> dict[str, int]:
    """The sizes of a cluster without a limit: Ray's own shares, but of the machine. By itself Ray takes them of what is free at that moment, and
    what other engines of a run hold then would decide how much it spills."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    store = min(int(memory * STORE_SHARE), int(shutil.disk_usage("/dev/shm").free * SHM_SHARE))
    return {"object_store_memory": store, "_memory": int(memory * (1 - STORE_SHARE))}


class Cluster:
    """Started when made. `settings` are those of `default.toml` or `tuned.toml`; `modules` are folders that its tasks import."""

    def __init__(self, setup: Setup, settings: dict[str, Any], modules: list[Path]):
        self.slots = setup.slots * setup.nodes
        self.folder: Path | None = None
        """Sockets and logs; None for a cluster that was attached to."""
        only_modules(setup.scratch / "modules", modules)
        os.environ.update(QUIET | environment_for(setup.attach))
        os.environ.update({name: str(value) for name, value in given(settings, ENVIRONMENT).items()})
        if setup.attach is None:
            self.start(setup, settings)
        else:
            self.attach(setup.attach, modules)

    def start(self, setup: Setup, settings: dict[str, Any]) -> None:
        import ray

        self.folder, self.short = folder_for_sockets(setup.scratch)
        self.watchdog = watched(self.folder if self.short else None)
        spill = setup.scratch / "spill"
        spill.mkdir(exist_ok=True)
        ray.init(
            address="local",
            num_cpus=setup.slots,
            num_gpus=0,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="warning",
            _node_ip_address="127.0.0.1",
            _temp_dir=str(self.folder),
            object_spilling_directory=str(spill),
            **(shares_of_machine() if setup.memory_bytes is None else {}),
            **{name: number(value) for name, value in given(settings, INIT).items()},
        )

    def attach(self, address: str, modules: list[Path]) -> None:
        """`gcs://HOST:PORT` is the cluster that this machine is a node of, `ray://HOST:PORT` a client of one elsewhere."""
        import ray

        # Its workers may be on machines that do not have these files.
        environment = {"py_modules": [str(module) for module in modules]} if modules else None
        try:
            ray.init(address=address.removeprefix(MEMBER), runtime_env=environment, log_to_driver=False, logging_level="warning")
        except Exception as error:
            raise DriverError(f"cannot attach to the Ray cluster at {address}: {error}; is it Ray {ray.__version__}?") from error

    def spans(self, window: Window) -> Spans:
        return spans_of(window, self.slots, recorded(window))

    def stop(self) -> None:
        import ray

        ray.shutdown()
        if self.folder is not None and self.short:
            shutil.rmtree(self.folder, ignore_errors=True)


def environment_for(attach: str | None) -> dict[str, str]:
    """What a cluster of our own needs, or one whose GCS is on the loopback address."""
    if attach is None:
        return OWN
    return ON_LOOPBACK if attach.startswith((f"{MEMBER}127.0.0.1:", f"{MEMBER}localhost:")) else {}


def only_modules(folder: Path, modules: list[Path]) -> None:
    """Lets this process and its workers import these folders and none beside them: the folders of other products' drivers are called
    like their packages, and Ray Data uses a package that it can import."""
    folder.mkdir()
    for module in modules:
        (folder / module.name).symlink_to(module)
    drivers = Path(__file__).resolve().parent.parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != drivers] + [str(folder)]
    os.environ["PYTHONPATH"] = str(folder)
    # Read by every Python that starts with this path.
    (folder / "sitecustomize.py").write_text(NO_HTTP)
    exec(NO_HTTP, {})


def watched(folder: Path | None) -> subprocess.Popen:
    """A process that ends what Ray starts from here on, and removes `folder`, should this one be killed. It is held by a pipe, and in no process group of
    ours, so that whoever kills that does not kill it first."""
    marker = f"{MARKER}={os.getpid()}-{time.time_ns()}"
    started = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("watchdog.py")), marker, *([str(folder)] if folder else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={},
        start_new_session=True,
    )
    name, _, value = marker.partition("=")
    os.environ[name] = value
    return started


def folder_for_sockets(scratch: Path) -> tuple[Path, bool]:
    """A folder whose sockets have paths that are short enough, and whether it lies outside the scratch folder."""
    folder = scratch / "ray"
    if len(os.fsencode(folder)) + SOCKET_SUFFIX <= SOCKET_BYTES:
        folder.mkdir(exist_ok=True)
        return folder, False
    given = os.environ.get(SOCKETS)
    if given:
        # The harness removes it, however this process and its watchdog end.
        folder = Path(given) / "ray"
        folder.mkdir(exist_ok=True)
        return folder, True
    remove_leftovers()
    # TMPDIR lies in the scratch folder too.
    return Path(tempfile.mkdtemp(prefix=f"{FOLDERS}{os.getpid()}-", dir="/tmp")), True


def remove_leftovers() -> None:
    """Whoever was killed together with its watchdog has left its folder: the next one removes it."""
    for folder in Path("/tmp").glob(f"{FOLDERS}*"):
        owner = folder.name.removeprefix(FOLDERS).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)


def given(settings: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)}


def number(value: Any) -> Any:
    """Text that holds a number after its places were filled in."""
    return int(value) if isinstance(value, str) and value.isdigit() else value


def casualty() -> str | None:
    """Which of the daemons that a cluster of ours cannot do without has ended, and how."""
    import ray

    # Ray tells it nowhere else. Of a cluster elsewhere there is no such node here.
    node = getattr(ray._private.worker, "_global_node", None)
    lost = [] if node is None else [(str(kind), process) for kind, process in node.dead_processes()]
    return next((f"Ray's {kind} {ended(process.returncode)}" for kind, process in lost if kind in VITAL), None)


def kind_of(error: BaseException) -> str | None:
    """What the harness calls an exception of Ray's."""
    import ray.exceptions as known

    if isinstance(error, (known.OutOfMemoryError, known.ObjectStoreFullError, known.OutOfDiskError)):
        return "out_of_memory"
    if isinstance(error, known.TaskCancelledError):
        return "cancelled"
    cause = getattr(error, "cause", None)
    # The second is DataFusion's kernel in a task, at the end of its share of the memory.
    if isinstance(cause, MemoryError) or "Resources exhausted" in str(error):
        return "out_of_memory"
    return None
