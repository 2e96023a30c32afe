"""What a killed driver leaves is ended. Standard library only.

PYTHONPATH=engines/external/python python3 -m unittest discover -s engines/external/python/ray/tests -p test_watchdog.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path
from unittest import mock

PARENT = textwrap.dedent(
    """
    import subprocess, sys, time
    from ray_cluster.cluster import watched
    watched(None)
    # As Ray's agents: in a session of its own, and nobody asked the kernel to end it.
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    print(child.pid, flush=True)
    time.sleep(600)
    """
)


class Watchdog(unittest.TestCase):
    def test_a_daemon_ends_when_the_process_that_started_it_is_killed(self):
        parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
        self.addCleanup(parent.stdout.close)
        daemon = int(parent.stdout.readline())
        bystander = subprocess.Popen(["sleep", "600"], env={"BENCH_RAY_CLUSTER": "another"})
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        # A descriptor of the process itself: its number may be given to another one meanwhile.
        handle = os.pidfd_open(daemon)
        self.addCleanup(os.close, handle)
        self.addCleanup(lambda: self.still_there(handle) and signal.pidfd_send_signal(handle, signal.SIGKILL))
        parent.kill()
        parent.wait()
        self.assertTrue(self.ends(handle, 10_000), "the daemon is still there")
        self.assertIsNone(bystander.poll(), "a process of somebody else was ended")

    def ends(self, handle: int, within_ms: int) -> bool:
        import select

        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(within_ms))

    def still_there(self, handle: int) -> bool:
        return not self.ends(handle, 0)


class Imports(unittest.TestCase):
    def test_files_over_http_are_there_or_not_but_never_half_way(self):
        from ray_cluster.cluster import NO_HTTP

        for known in (None, object()):
            with mock.patch("importlib.util.find_spec", return_value=known), mock.patch.dict(sys.modules):
                sys.modules.pop("fsspec.implementations.http", None)
                exec(NO_HTTP, {})
                self.assertEqual("fsspec.implementations.http" in sys.modules, known is None)
                if known is None:
                    with self.assertRaises(ModuleNotFoundError):
                        import fsspec.implementations.http  # noqa: F401

    def test_workers_are_told_by_the_folder_that_they_import_from(self):
        from ray_cluster.cluster import only_modules

        with tempfile.TemporaryDirectory() as scratch, mock.patch.dict(os.environ), mock.patch.object(sys, "path", list(sys.path)):
            folder = Path(scratch) / "modules"
            with mock.patch.dict(sys.modules):
                only_modules(folder, [])
            self.assertEqual(os.environ["PYTHONPATH"], str(folder))
            script = "import sys; print(sys.modules.get('fsspec.implementations.http', 'there'))"
            said = subprocess.run([sys.executable, "-c", script], env=dict(os.environ), capture_output=True, text=True, check=True)
        import importlib.util

        expected = "None" if importlib.util.find_spec("aiohttp") is None else "there"
        self.assertEqual(said.stdout.strip(), expected)


if __name__ == "__main__":
    unittest.main()
