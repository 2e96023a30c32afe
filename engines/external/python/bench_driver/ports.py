"""Ports of this machine: which are free, and who listens on one that is not. Linux."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

LOOPBACK = "127.0.0.1"
LISTENS = "0A"
"""The state of a socket that waits for connections, as `/proc/net/tcp` writes it."""


def free_port() -> int:
    """A port that nobody listens on, for products that take numbers only and do not tell which one 0 became."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def holder_of(port: int) -> str | None:
    """Who has a port of the loopback address, such as `python3 (process 71)`; none if it is free for a server."""
    with socket.socket() as probe:
        # As servers do: connections of an earlier one that are still being taken leave of are in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            return None
        except OSError:
            return next(listeners(port), "an outgoing connection, or a process that cannot be seen from here")


def listeners(port: int) -> Iterator[str]:
    """The processes that listen on a port, as far as this user may look at them."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in listening(Path("/proc/net") / table, port)}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and inodes & sockets_of(folder):
            yield f"{name_of(folder)} (process {folder.name})"


def listening(table: Path, port: int) -> list[str]:
    """The sockets in a table of the kernel that listen on a port, by inode."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    return [row[9] for row in rows if row[3] == LISTENS and int(row[1].rpartition(":")[2], 16) == port]


def sockets_of(process: Path) -> set[str]:
    """The sockets that a process has open, by inode; what it closes meanwhile is none."""
    try:
        entries = list((process / "fd").iterdir())
    except OSError:
        return set()
    found = set()
    for entry in entries:
        try:
            link = os.readlink(entry)
        except OSError:
            continue
        if link.startswith("socket:["):
            found.add(link[len("socket:[") : -1])
    return found


def name_of(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a process that has just ended"
