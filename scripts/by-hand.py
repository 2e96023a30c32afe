#!/usr/bin/env python3
"""Does `bench` time products right? Runs the same programs with it and by hand, in turns, and compares the medians.

    scripts/by-hand.py PRODUCT WORKLOAD...          for instance: scripts/by-hand.py duckdb tpch-q01 tpch-q09 tpch-q18

Products: duckdb, polars, spark, sail, datafusion-py (`tpch-qNN`, or `groupby-q01` and `-q03`), ballista, dask (`tpch-qNN`) and ray
(`groupby-qNN`), installed by `bench engines install`. By hand means
`scripts/by_hand_program.py`: the product's own Python, the same text, tables, settings, CPUs and environment, its own clock; no driver,
no protocol, no keeper, no counters. Both run a workload WARM times first, and once right before each later timed run. Each round
starts everything anew; rounds go A B B A.

SUITE (1gb), ROUNDS (4), TRIALS (5, each a time of both arms of the run), WARM (1), SLOTS (all CPUs), BENCH (the program), BENCH_ENGINES
and BENCH_DATA are taken from the environment. A JVM needs a larger WARM: it gets faster for its first ten runs or so, and which run of
its process is timed then matters more than who times it.

The ratio is harness over hand, of medians over all rounds, and of all workloads together of the sums of their medians; its 95 % interval resamples rounds and the times in them, because what differs
between two starts of a product is more than what differs within one. Trials, and repetitions by hand, during which other processes used
more than a tenth of the machine are left out, unless there are no others. Exit codes: 0 every ratio is within 5 %, 1 one is beyond
for certain, 2 something could not be run, 3 one is beyond, but its interval is not.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DRIVERS = ROOT / "engines/external/python"
TOLERANCE = 0.05
RESAMPLES = 4000
LIMIT_S, END_S = 900, 3
"""How long a round by hand may take, and how long what it began may take to end."""
SQL = "tpch-"
TABLES = {("1gb", True): "tpch-sf1", ("1gb", False): "groupby-n10000000", ("smoke", True): "tpch-sf0.01", ("smoke", False): "groupby-n100000"}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "TOKIO_WORKER_THREADS")

suite, rounds, trials = os.environ.get("SUITE", "1gb"), int(os.environ.get("ROUNDS", "4")), int(os.environ.get("TRIALS", "5"))
warm = os.environ.get("WARM", "1")
cpus = sorted(os.sched_getaffinity(0))
slots = int(os.environ.get("SLOTS", len(cpus)))
bench = os.environ.get("BENCH", "bench")
engines = Path(os.environ.get("BENCH_ENGINES", "bench-engines")).resolve()
data = Path(os.environ.get("BENCH_DATA", "bench-data")).resolve()

KEEPING_FREED_MEMORY = {"MIMALLOC_PURGE_DELAY": "10000"}
"""As `bench` sets it for every engine."""
NO_HTTP = 'import sys\nsys.modules["fsspec.implementations.http"] = None\n'
"""Ray Data's workers now and then fail to import fsspec's HTTP files where aiohttp is missing (see `ray_cluster`)."""

Times = dict[str, list[int]]
Rounds = list[list[int]]
"""The times of one workload, a list for each round."""


def fail(why: str):
    print(why, file=sys.stderr)
    raise SystemExit(2)


def by_harness(product: str, workloads: list[str], out: Path) -> tuple[Times, dict[str, int]]:
    line = [bench, "run", "--suite", suite, "--engines", product, "--engines-dir", str(engines), "--data", str(data), "--slots", str(slots)]
    line += ["--trials", str(trials), "--protocol", f"warm-{warm}", "--out", str(out), "--quiet", *[word for name in workloads for word in ("--workloads", name)]]
    ran = subprocess.run(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if ran.returncode != 0:
        fail(f"{' '.join(line)}\nended with {ran.returncode}: {ran.stderr}")
    seen = [json.loads(text) for text in (out / "observations.ndjson").read_text().splitlines()]
    times = {}
    for name in workloads:
        of_name = [o for o in seen if o["case"]["workload"] == name]
        clean = [o["wall_ns"] for o in of_name if not o["contaminated"]]
        if not clean:
            print(f"{product} {name}: every trial of a round was disturbed; all of them count", file=sys.stderr)
        times[name] = clean or [o["wall_ns"] for o in of_name]
    return times, {o["case"]["workload"]: o["rows_out"] for o in seen}


def by_hand(product: str, workloads: list[str]) -> tuple[Times, dict[str, int]]:
    venv = engines / product / "venv"
    if not (venv / "bin/python").exists():
        fail(f"{product} is not installed in {engines}: {bench} engines install {product}")
    # Ray's sockets need a short path.
    scratch = Path(tempfile.mkdtemp(prefix="by-hand-", dir="/tmp"))
    (scratch / "modules").mkdir()
    # Not the folder that it lies in: the folders beside it are called like packages, and would be taken for them.
    (scratch / "modules/bench_driver").symlink_to(DRIVERS / "bench_driver")
    if product == "ray":
        (scratch / "modules/sitecustomize.py").write_text(NO_HTTP)
    environment = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ", "JAVA_HOME", "LD_LIBRARY_PATH") if name in os.environ}
    environment |= {name: str(slots) for name in THREADS}
    environment |= KEEPING_FREED_MEMORY | environment_of(product)
    environment |= {"DO_NOT_TRACK": "1", "SCARF_NO_ANALYTICS": "true", "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1", "NO_PROXY": "*"}
    environment |= {"PYSPARK_DRIVER_PYTHON": str(venv / "bin/python")}
    environment |= {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}", "HOME": str(scratch), "TMPDIR": str(scratch), "SPARK_LOCAL_IP": "127.0.0.1"}
    environment |= {"PYSPARK_PYTHON": str(venv / "bin/python"), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"PYTHONPATH": f"{scratch / 'modules'}:{DRIVERS / product}", "VIRTUAL_ENV": str(venv), "WARM": warm}
    tables = data / TABLES[suite, workloads[0].startswith(SQL)]
    line = [str(venv / "bin/python"), str(ROOT / "scripts/by_hand_program.py"), product, str(tables), str(slots), str(trials), *workloads]
    try:
        with open(scratch / "stderr", "w+") as said:
            started = subprocess.Popen(
                line, env=environment, stdout=subprocess.PIPE, stderr=said, text=True, start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, cpus[-slots:]),
            )
            # A product that hangs ends the round and not the patience of whoever waits.
            limit = threading.Timer(LIMIT_S, end_all, [str(scratch)])
            limit.start()
            answers = [json.loads(started.stdout.readline() or "null") for _ in workloads]
            started.wait()
            limit.cancel()
            said.seek(0)
            if None in answers:
                fail(f"{' '.join(line)}\nended with {started.returncode}: {said.read()[-2000:]}")
    finally:
        end_all(str(scratch))
        shutil.rmtree(scratch, ignore_errors=True)
    return {a["workload"]: a["wall_ns"] for a in answers}, {a["workload"]: a["rows"] for a in answers}


def environment_of(product: str) -> dict[str, str]:
    """What is set for this product and no other."""
    engines_toml = tomllib.loads((DRIVERS.parent / "engines.toml").read_text())
    return next(engine.get("environment", {}) for engine in engines_toml["engine"] if engine["name"] == product)


def end_all(scratch: str) -> None:
    """Daemons and workers outlive who started them; all of them have the folder in their environment. Python's resource trackers come
    last: they remove what the others left in /dev/shm, and end by themselves."""
    by = time.monotonic() + END_S
    while found := begun_in(scratch):
        others = [pid for pid, is_tracker in found if not is_tracker]
        for pid in others or ([pid for pid, _ in found] if time.monotonic() > by else []):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > by + END_S:
            fail(f"processes do not end: {', '.join(str(pid) for pid, _ in found)}")
        time.sleep(0.02)


def begun_in(scratch: str) -> list[tuple[int, bool]]:
    """Processes with that folder in their environment, and whether each is a resource tracker."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and f"TMPDIR={scratch}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((int(folder.name), b"multiprocessing.resource_tracker" in (folder / "cmdline").read_bytes()))
    return found


def interval(harness: list[Rounds], hand: list[Rounds]) -> tuple[float, float]:
    """95 % of the ratios of sums of medians, one of each workload, when rounds, and the times in each, are drawn again."""
    draw = random.Random(1)

    def drawn(arm: list[Rounds]) -> float:
        drawn_rounds = draw.choices(range(rounds), k=rounds)
        return sum(statistics.median(time for at in drawn_rounds for time in draw.choices(of[at], k=len(of[at]))) for of in arm)

    ratios = sorted(drawn(harness) / drawn(hand) for _ in range(RESAMPLES))
    return ratios[RESAMPLES // 40], ratios[-RESAMPLES // 40]


def main() -> None:
    if len(sys.argv) < 3 or len({name.startswith(SQL) for name in sys.argv[2:]}) > 1 or (suite, True) not in TABLES:
        print(__doc__, file=sys.stderr)
        raise SystemExit(2)
    # Whoever ends this ends what it has started: both ways clean up behind themselves when an exception passes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    product, workloads = sys.argv[1], sys.argv[2:]
    harness: dict[str, Rounds] = {name: [] for name in workloads}
    hand: dict[str, Rounds] = {name: [] for name in workloads}
    with tempfile.TemporaryDirectory(prefix="by-hand-runs-") as runs:
        for at in range(rounds):
            for way in ("harness", "hand") if at % 2 == 0 else ("hand", "harness"):
                times, rows = by_harness(product, workloads, Path(runs, str(at))) if way == "harness" else by_hand(product, workloads)
                for name in workloads:
                    (harness if way == "harness" else hand)[name].append(times[name])
                if way == "harness":
                    expected = rows
                else:
                    found = rows
            if found != expected:
                fail(f"they do not give the same answers: {expected} rows and {found}")
    code = 0
    print(f"{'program':24} {'harness s':>10} {'by hand s':>10} {'ratio':>7}  95 % interval   by rounds")
    for names in [[name] for name in workloads] + [workloads] * (len(workloads) > 1):
        arms = [[of[name] for name in names] for of in (harness, hand)]
        flat = [sum(statistics.median(t for times in of for t in times) for of in arm) for arm in arms]
        by_round = [[sum(statistics.median(of[at]) for of in arm) for at in range(rounds)] for arm in arms]
        ratio, (low, high) = flat[0] / flat[1], interval(*arms)
        each = " ".join(f"{a / b:.3f}" for a, b in zip(*by_round))
        name = names[0] if len(names) == 1 else f"{len(names)} together"
        beyond = abs(ratio - 1) > TOLERANCE
        sure = low > 1 + TOLERANCE or high < 1 - TOLERANCE
        code = code if not beyond else 1 if sure else code or 3
        verdict = "within 5 %" if not beyond else "beyond 5 %" if sure else "beyond 5 %, uncertain"
        print(f"{product + ' ' + name:24} {flat[0] / 1e9:10.3f} {flat[1] / 1e9:10.3f} {ratio:7.3f}  {low:.3f} to {high:.3f}  {each}  {verdict}")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
