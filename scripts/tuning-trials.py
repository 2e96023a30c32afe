#!/usr/bin/env python3
"""Tries changes to a product's `default.toml`, all of them and none in turns in one run, and prints the comparison.

    scripts/tuning-trials.py PRODUCT 'KEY=VALUE [KEY=VALUE...]'...

for instance `scripts/tuning-trials.py sail optimizer.enable_join_reorder=true execution.batch_size=32768`. Each argument is one trial: an engine
of one's own, PRODUCT-1, PRODUCT-2 and so on, with that driver and these settings changed or added. A VALUE is what TOML takes, or else text, and may have
spaces between double quotes. The
budget of every product is three trials (docs/products.md); their results belong into its tuned.toml, also those of trials that did not help. What this
machine can run only one of at a time is measured in a process of its own for each trial, and not warm.

PRODUCT is installed by `bench engines install`; `spark` and whatever else needs Java finds it where JAVA_HOME says. TRIALS (5), SLOTS (2), MEMORY (4GiB), BENCH (the
program), BENCH_ENGINES, BENCH_DATA and OUT (a folder for the record) are taken from the environment. The exit code is that of `bench run`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / "engines/external/python"
QUERIES = ("tpch-q01", "tpch-q03", "tpch-q09", "tpch-q18", "tpch-q21")
PROGRAMS = ("groupby-q01", "groupby-q02", "groupby-q03", "groupby-q04", "groupby-q05")
BUDGET = 3
PAIR = re.compile(r'(?:[^\s"]|"[^"]*")+')
"""A setting of a trial: spaces between double quotes belong to it."""
KEPT = ("families", "stands_still", "port", "environment")
"""What of a product's entry an engine of one's own has too."""

bench = os.environ.get("BENCH", "bench")
engines = Path(os.environ.get("BENCH_ENGINES", "bench-engines")).resolve()
data = Path(os.environ.get("BENCH_DATA", "bench-data")).resolve()


def main(product: str, trials: list[str]) -> int:
    entries = {entry["name"]: entry for entry in tomllib.loads((ROOT / "engines/external/engines.toml").read_text())["engine"]}
    if product not in entries or not 0 < len(trials) <= BUDGET:
        sys.exit(f"{__doc__}\nproducts: {', '.join(entries)}")
    venv = engines / product / "venv"
    if not venv.exists():
        sys.exit(f"{product} is not installed in {engines}: bench engines install {product}")
    entry = entries[product]
    workloads = QUERIES if "sql" in entry["families"] else PROGRAMS
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{product}-{number}" for number in range(len(trials) + 1)]
        for name, trial in zip(names, ["", *trials], strict=True):
            drivers = Path(folder, name)
            shutil.copytree(PYTHON, drivers, ignore=shutil.ignore_patterns("tests", "__pycache__"))
            (drivers / product / "default.toml").write_text(changed(PYTHON / product / "default.toml", dict(pair(p) for p in PAIR.findall(trial))))
            print(f"{name}: {trial or 'as it comes'}", file=sys.stderr)
        own = "\n".join(own_entry(name, entry, venv, Path(folder, name)) for name in names)
        Path(folder, "engines.toml").write_text(own)
        line = [bench, "run", "--suite", "1gb", "--engines", ",".join(names), "--engines-dir", folder, "--data", data]
        line += ["--slots", os.environ.get("SLOTS", "2"), "--memory", os.environ.get("MEMORY", "4GiB"), "--trials", os.environ.get("TRIALS", "5")]
        line += [option for workload in workloads for option in ("--workloads", workload)]
        line += ["--protocol", "cold-process"] if "one_at_a_time" in entry else []
        line += ["--out", os.environ["OUT"]] if "OUT" in os.environ else []
        return subprocess.run([str(word) for word in line]).returncode


def pair(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        sys.exit(f"`{text}` is no setting: write KEY=VALUE")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def changed(path: Path, new: dict[str, object]) -> str:
    """The settings of a file with some changed or added."""
    settings = {setting["key"]: setting["value"] for setting in tomllib.loads(path.read_text()).get("setting", [])} | new
    one = '[[setting]]\nkey = {}\nvalue = {}\nreason = "a trial"\nsource = "a trial"\n'
    return "\n".join(one.format(json.dumps(key), json.dumps(value)) for key, value in settings.items())


def own_entry(name: str, entry: dict, venv: Path, drivers: Path) -> str:
    """As `bench` starts the product itself (engines/external/src/environment.rs)."""
    python = venv / "bin/python"
    environment = {"PYTHONPATH": str(drivers), "VIRTUAL_ENV": str(venv), "PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python)}
    environment["PATH"] = f"{venv / 'bin'}:{os.environ.get('PATH', '')}"
    kept = {key: entry[key] for key in KEPT if key in entry} | {"environment": environment | entry.get("environment", {})}
    driver = drivers / entry["name"] / "driver.py"
    head = {"name": name, "about": "a trial", "command": [str(python), str(driver)]}
    return "[[engine]]\n" + "\n".join(f"{key} = {toml(value)}" for key, value in (head | kept).items()) + "\n"


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]) if len(sys.argv) > 2 else __doc__)
