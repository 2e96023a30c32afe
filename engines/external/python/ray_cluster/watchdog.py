"""Ends a cluster whose driver was killed: `python -I -S watchdog.py MARKER [FOLDER]`, with a pipe from the driver as standard input.

The kernel ends the daemons that the driver started, but not what those started: some of Ray's agents outlive their raylet. All of them
were started with MARKER in their environment. Nothing is imported that takes long or needs packages.
"""

import os
import shutil
import signal
import sys
import time

PATIENCE_S = 10.0
PAUSE_S = 0.1


def marked(marker: bytes) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as environment:
                if marker in environment.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            continue
    return found


def main() -> None:
    marker = os.fsencode(sys.argv[1])
    # Nothing is ever written: this returns when the driver is gone.
    sys.stdin.buffer.read()
    deadline = time.monotonic() + PATIENCE_S
    quiet = 0
    # Twice nothing: a process may be between being forked and having its environment.
    while quiet < 2 and time.monotonic() < deadline:
        pids = marked(marker)
        quiet = 0 if pids else quiet + 1
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        time.sleep(PAUSE_S)
    for folder in sys.argv[2:]:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
