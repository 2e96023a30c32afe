#!/usr/bin/env python3
"""Answers questions about a dataset with DuckDB: the independent half of the stored answers.

    python3 -m venv venv && venv/bin/pip install -r scripts/answers-requirements.txt
    venv/bin/python scripts/answers.py DATA OUT QUESTIONS.json

DATA is a dataset's folder (with manifest.json), QUESTIONS.json maps workload names to SQL. OUT receives one Parquet file
per workload, with the whole answer, and origin.json: who answered, from which bytes. Nothing is digested here: `bench`
reads the files with the code that checks every engine.
"""

import json
import pathlib
import sys
import time

import duckdb


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    data, out, questions_file = map(pathlib.Path, sys.argv[1:])
    manifest = json.loads((data / "manifest.json").read_text())
    questions = json.loads(questions_file.read_text())
    out.mkdir(parents=True, exist_ok=True)

    connection = duckdb.connect()
    # Sums of floating-point numbers differ in their last digits from run to run when threads race; the digest of such
    # columns tolerates that, and one thread would take too long at larger scales.
    for table in manifest["tables"]:
        files = [str(data / file["path"]) for file in table["files"]]
        connection.read_parquet(files).create_view(table["name"])

    failed = []
    for name, sql in sorted(questions.items()):
        target = out / f"{name}.parquet"
        temporary = target.with_suffix(".tmp")
        started = time.monotonic()
        try:
            connection.execute(f"COPY ({sql}\n) TO '{escape(temporary)}' (FORMAT parquet)")
        except duckdb.Error as error:
            failed.append(name)
            print(f"{name}: {error}", file=sys.stderr)
            continue
        temporary.replace(target)
        rows = connection.execute(f"SELECT count(*) FROM read_parquet('{escape(target)}')").fetchone()[0]
        print(f"{name}: {rows} rows, {time.monotonic() - started:.2f} s")

    origin = {"dataset": manifest["name"], "origin": f"duckdb {duckdb.__version__}, scripts/answers.py"}
    (out / "origin.json").write_text(json.dumps(origin, indent=2) + "\n")
    if failed:
        print(f"{len(failed)} of {len(questions)} questions have no answer: {', '.join(failed)}", file=sys.stderr)
        return 1
    return 0


def escape(path: pathlib.Path) -> str:
    return str(path).replace("'", "''")


if __name__ == "__main__":
    sys.exit(main())
