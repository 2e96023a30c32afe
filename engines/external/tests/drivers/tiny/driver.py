"""An example of a driver, and what tests drive: an engine that counts the rows of a table, in pure Python.

It answers `SELECT count(*) AS NAME FROM TABLE` and `SELECT NUMBER AS NAME`. For tests it also takes `SELECT sleep AS ...` (until
it is cancelled), `hang` (whatever it is told), `crash`, `print` (on standard output, as libraries do), `daemon` (leaves a process
behind that has detached itself), `burn` (a detached process that uses half a second of CPU time) and `devour` (a child that needs
half a gigabyte of memory). With `TINY_PORT` it listens on
that port, as products do of which a machine can run one at a time.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from parquet import write_numbers

from bench_driver import Cancelled, DriverError, Engine, ProgramError, Setup, Unsupported, Workload, serve
from bench_driver.ports import LOOPBACK, holder_of
from bench_driver.spans import Busy, Spans, Window, account


class Tiny(Engine):
    name = "tiny"

    def version(self) -> str:
        return "1.0"

    def start(self, setup: Setup) -> None:
        self.rows: dict[str, int] = {}
        self.answer: dict[str, list[int]] | None = None
        if port := os.environ.get("TINY_PORT"):
            if holder := holder_of(int(port)):
                raise DriverError(f"port {port} is taken by {holder}")
            self.server = socket.create_server((LOOPBACK, int(port)))

    def load(self, datasets) -> None:
        self.rows = {table.name: rows_of(table) for dataset in datasets for table in dataset.tables}

    def run(self, workload: Workload) -> int:
        begun = time.time_ns()
        rows = self.compute(workload)
        self.trace = [Busy(begun, ended := time.time_ns(), {"compute": ended - begun})]
        return rows

    def spans(self, window: Window) -> Spans:
        """One task, on one slot: what the other slots did is unknown."""
        return Spans(account(window, self.setup.slots, self.trace), [f"{len(self.trace)} task"])

    def compute(self, workload: Workload) -> int:
        if workload.sql is None:
            raise Unsupported("tiny has no dataframe interface")
        text = " ".join(self.sql(workload).split()).rstrip(";")
        count = re.fullmatch(r"(?i)select count\(\*\) as (\w+) from (\w+)", text)
        value = re.fullmatch(r"(?i)select (\w+) as (\w+)", text)
        if count:
            if count[2] not in self.rows:
                raise ProgramError(f"there is no table `{count[2]}`; known: {', '.join(self.rows)}")
            self.answer = {count[1]: [self.rows[count[2]]]}
        elif value:
            self.answer = {value[2]: [int(value[1]) if value[1].isdigit() else self.misbehave(value[1].lower())]}
        else:
            raise Unsupported(f"tiny cannot do `{text}`")
        return 1

    def misbehave(self, how: str) -> int:
        if how == "crash":
            os._exit(3)
        elif how == "print":
            print("a library that prints")
            os.write(1, b"and one that writes by itself\n")
        elif how in ("daemon", "burn"):
            work = "time.sleep(600)" if how == "daemon" else "t = time.process_time()\nwhile time.process_time() - t < 0.5: pass\ntime.sleep(600)"
            # A new session and a parent that exits at once: nobody's child any more.
            script = f"import os, time\nif os.fork() == 0:\n os.setsid()\n exec({work!r})\nos._exit(0)"
            subprocess.run([sys.executable, "-c", script], check=True)
            time.sleep(0.8 if how == "burn" else 0)
        elif how == "devour":
            subprocess.run([sys.executable, "-c", "bytearray(b'x') * (1 << 29)"], check=True)
        elif how in ("sleep", "hang"):
            while how == "hang" or not self.is_cancelled():
                time.sleep(0.01)
            raise Cancelled("woken")
        else:
            raise ProgramError(f"there is no column `{how}`")
        return 1

    def write_result(self, path: Path) -> None:
        write_numbers(path, self.answer)

    def discard(self) -> None:
        self.answer = None

    def explain(self, workload: Workload, analyze: bool) -> str:
        return f"count the rows of a table: {workload.sql}"


def rows_of(table) -> int:
    """Of CSV files nobody has counted the rows; the first line is the header."""
    if table.format == "parquet":
        return table.rows
    return sum(max(len(Path(file).read_bytes().splitlines()) - 1, 0) for file in table.files)


if __name__ == "__main__":
    serve(Tiny())
