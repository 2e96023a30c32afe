"""The verbs that a driver defines, and what it is given."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .data import Dataset, Workload, fields
from .failures import ProgramError, ProtocolError, Unsupported
from .overrides import override_of
from .settings import read_settings
from .spans import Spans, Window


@dataclass(frozen=True)
class Setup:
    """What an engine is started with: the same limits for every engine of a comparison."""

    slots: int
    """How many tasks may run at a time; on each machine of a cluster that is attached to."""
    memory_bytes: int | None
    """Memory that the engine may hold before it must spill; unlimited if None. On each machine likewise."""
    scratch: Path
    """An empty folder of its own on local disk, removed by the harness."""
    tuning: dict[str, Any]
    """Its switches; `config` names the configuration."""
    spans: bool = False
    """Whether `spans` will be asked for."""
    attach: str | None = None
    """The address of a running cluster, as the user gave it; None: start everything here."""
    nodes: int = 1
    """How many machines that cluster has, as the user says."""

    @property
    def config(self) -> str:
        return str(self.tuning.get("config", "default"))

    @staticmethod
    def parse(value: Any) -> Setup:
        given = fields(
            value,
            "start",
            {"slots": int, "scratch": str, "tuning": dict, "spans": bool},
            {"memory_bytes": int, "cluster": (str, dict)},
        )
        cluster = given.get("cluster", {"attached": {}})
        if not isinstance(cluster, dict) or set(cluster) != {"attached"}:
            raise Unsupported("this engine has no node processes of this repository; attach it to a cluster of its own")
        known = {"address": str, "nodes": int} if "cluster" in given else {}
        attached = fields(cluster["attached"], "attached", known)
        if given["slots"] < 1 or not Path(given["scratch"]).is_absolute():
            raise ProtocolError("start needs at least one slot and an absolute scratch folder")
        return Setup(
            slots=given["slots"],
            memory_bytes=given.get("memory_bytes"),
            scratch=Path(given["scratch"]),
            tuning=given["tuning"],
            spans=given["spans"],
            attach=attached.get("address"),
            nodes=attached.get("nodes", 1),
        )


@dataclass
class Ran:
    """What a run came to, where the number of rows is not all there is to say."""

    rows: int
    notes: list[str] = field(default_factory=list)
    """What the engine decided on the way, a sentence each."""
    spilled_bytes: int | None = None
    """What operators wrote out because memory ran short, in all tasks; None if the product does not count it."""


class Engine:
    """A product. `serve` calls the verbs one at a time on the main thread, all but `interrupt`."""

    name = ""
    refuses: dict[str, str] = {}
    """Forms of programs, `sql` and `frame`, that the product runs none of, and why. Told at `hello`, so that nobody asks."""

    def version(self) -> str:
        """The product's version, read from the product."""
        raise NotImplementedError

    def start(self, setup: Setup) -> None:
        """Starts it within its limits. `self.setup` is `setup` already."""
        raise NotImplementedError

    def load(self, datasets: list[Dataset]) -> None:
        """Makes these known and forgets the earlier ones; reads schemas and statistics, not rows. `self.datasets` follows."""
        raise NotImplementedError

    def run(self, workload: Workload) -> int | Ran:
        """Computes the whole answer and holds it in the driver's process; returns its rows."""
        raise NotImplementedError

    def write_result(self, path: Path) -> None:
        """Writes the answer that is held as one Parquet file, in the order of its rows. Not timed."""
        raise NotImplementedError

    def spans(self, window: Window) -> Spans | None:
        """Where the slots spent the last run, which lasted for `window`, as the product itself recorded it; None if it records
        nothing. Asked after the run, where reading takes no measured time, and only with `setup.spans`: without that, nothing
        may be recorded that the product does not record by itself."""
        return None

    def discard(self) -> None:
        """Drops the answer that is held."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Makes the run that is going on end soon, from another thread; whatever `run` then raises counts as
        cancelled, unless it is a `DriverError` of another kind or a process was lost. Without it the process is killed after its grace."""

    def explain(self, workload: Workload, analyze: bool) -> str:
        """How it would run; with `analyze`, after running it."""
        raise Unsupported(f"{self.name} explains nothing through this driver")

    def stop(self) -> None:
        """Ends everything that was started. What is still there afterwards is killed."""

    def classify(self, error: BaseException) -> str | None:
        """The kind of the product's own exception (`program`, `out_of_memory`, ...), if it tells."""
        return None

    def casualty(self) -> str | None:
        """Which process that the product cannot do without has ended, and how, if one has: `the JVM was killed by signal 9`. Asked
        when a request has failed: an exception then tells only of the connection that broke."""
        return None

    # What a driver may use.

    setup: Setup
    datasets: list[Dataset]

    def folder(self) -> Path:
        """Where the driver lies, with its settings and overrides."""
        return Path(inspect.getfile(type(self))).resolve().parent

    def settings(self) -> dict[str, Any]:
        """The settings of the configuration that was asked for."""
        memory = self.setup.memory_bytes
        places = {
            "slots": self.setup.slots * self.setup.nodes,
            "memory_bytes": memory,
            "memory_mib": None if memory is None else memory >> 20,
            "scratch": str(self.setup.scratch),
        }
        return read_settings(self.folder(), self.setup.config, places)

    def sql(self, workload: Workload) -> str:
        """The text to run for a SQL workload; an override of this dialect is noted in the record."""
        text = workload.sql
        if text is None:
            raise Unsupported(f"{workload.name} is no SQL text")
        found = override_of(self.folder(), workload.name, text)
        if found is None:
            return text
        self.note(f"SQL override: {found[1]}")
        return found[0]

    def note(self, sentence: str) -> None:
        """Puts a sentence into the record of the run that is going on."""
        self._notes.append(sentence)

    def is_cancelled(self) -> bool:
        """Whether the run that is going on is not wanted any more."""
        return self._cancelled()

    _notes: list[str]

    def _cancelled(self) -> bool:
        return False
