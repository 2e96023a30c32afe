"""What the driver has started, daemons included, and its end. Linux."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Makes this process the parent of what its descendants leave behind, so that daemons stay in its tree."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        # Without it daemons are only found by the harness, which looks for them as well.
        pass


def descendants(root: int) -> list[int]:
    """The living processes below a process, itself not included."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The command may hold spaces and parentheses: what counts starts after its last one.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state not in ("Z", "X"):
            children.setdefault(int(parent), []).append(int(folder.name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.extend(below)
        waiting.extend(below)
    return found


def end_descendants(patience_s: float) -> None:
    """Kills everything below this process and waits until it is gone, or until patience is over.

    Python's resource trackers come last: they remove what the others left in `/dev/shm`, and end by themselves.
    """
    deadline = time.monotonic() + patience_s
    cleaning_by = None
    while time.monotonic() < deadline:
        reap()
        living = descendants(os.getpid())
        if not living:
            return
        others = [pid for pid in living if not cleans_up(pid)]
        if not others:
            cleaning_by = cleaning_by or min(deadline, time.monotonic() + patience_s / 2)
            others = living if time.monotonic() >= cleaning_by else []
        for pid in others:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        time.sleep(0.005)


def cleans_up(pid: int) -> bool:
    """Whether a process is one of Python's resource trackers, by its command line."""
    try:
        return b"\0from multiprocessing.resource_tracker import main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def ended(code: int) -> str:
    """How a process has ended, in words; `code` as `subprocess` has it: of a signal it is the negative number."""
    return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"


def reap() -> None:
    """Takes leave of children that have ended, so that none stays a zombie."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
