"""A driver that breaks one rule of the protocol, named on its command line; otherwise it is `tiny`.

`leaky` leaves a process behind when it stops; `lazy` says that a run is done and computes when the answer is asked for;
`boastful` explains more slot time than there was.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tiny"))

from driver import Tiny  # noqa: E402

import bench_driver.protocol  # noqa: E402
from bench_driver import Setup, Workload, serve  # noqa: E402
from bench_driver.spans import Spans, Window  # noqa: E402


class Leaky(Tiny):
    def start(self, setup: Setup) -> None:
        super().start(setup)
        script = "import os, time\nif os.fork() == 0:\n os.setsid()\n time.sleep(600)\nos._exit(0)"
        subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
        bench_driver.protocol.end_descendants = lambda patience_s: None


class Lazy(Tiny):
    def run(self, workload: Workload) -> int:
        try:
            return super().run(workload)
        except Exception:
            if "numbers a, numbers b WHERE" not in self.sql(workload):
                raise
        self.answer = {"n": [1]}
        return 1

    def write_result(self, path: Path) -> None:
        begun = time.process_time()
        while time.process_time() - begun < 0.4:
            pass
        super().write_result(path)


class Boastful(Tiny):
    def spans(self, window: Window) -> Spans:
        # An hour.
        return Spans({"compute": 3_600_000_000_000})


if __name__ == "__main__":
    serve({"leaky": Leaky, "lazy": Lazy, "boastful": Boastful}[sys.argv[1]]())
