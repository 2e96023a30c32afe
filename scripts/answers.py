#!/usr/bin/env python3
"""Answers questions about datasets with DuckDB: the independent half of the stored answers.

    python3 -m venv venv && venv/bin/pip install -r scripts/answers-requirements.txt
    bench answers questions --help                                      # writes QUESTIONS
    venv/bin/python scripts/answers.py DATA QUESTIONS RESULTS
    bench answers store --help                                          # digests RESULTS

DATA is the folder with the datasets. QUESTIONS has one folder per dataset with one NAME.sql per question; RESULTS receives
DATASET/NAME.parquet, each the whole answer. Nothing is digested here: `bench` reads these files with the code that checks
every engine. The last line printed is the origin to store with the answers.
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
    data, questions, results = map(pathlib.Path, sys.argv[1:])
    failed = []
    for folder in sorted(path for path in questions.iterdir() if path.is_dir()):
        failed += answer_dataset(data / folder.name, folder, results / folder.name)
    if failed:
        print(f"no answer to {', '.join(failed)}", file=sys.stderr)
        return 1
    print(f"duckdb {duckdb.__version__}, scripts/answers.py")
    return 0


def answer_dataset(data: pathlib.Path, questions: pathlib.Path, results: pathlib.Path) -> list[str]:
    """Answers every question about one dataset and returns those it could not answer."""
    manifest = json.loads((data / "manifest.json").read_text())
    results.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    for table in manifest["tables"]:
        files = [str(data / file["path"]) for file in table["files"]]
        connection.read_parquet(files).create_view(table["name"])
    failed = []
    for question in sorted(questions.glob("*.sql")):
        target = results / f"{question.stem}.parquet"
        started = time.monotonic()
        try:
            rows = answer(connection, question.read_text(), target)
        except duckdb.Error as error:
            print(f"{data.name} {question.stem}: {error}", file=sys.stderr)
            failed.append(f"{data.name}/{question.stem}")
            continue
        print(f"{data.name} {question.stem}: {rows} rows, {time.monotonic() - started:.2f} s", file=sys.stderr)
    return failed


def answer(connection: duckdb.DuckDBPyConnection, sql: str, target: pathlib.Path) -> int:
    """Writes the answer to a question and returns its rows. An answer that is not whole has no name."""
    columns = connection.execute(f"DESCRIBE {sql}").fetchall()
    # Sums of integers are 128-bit integers, which Parquet lacks: they would become floating point. The cast fails
    # rather than lose a digit.
    replaced = [f"CAST({quoted(c[0])} AS BIGINT) AS {quoted(c[0])}" for c in columns if c[1] == "HUGEINT"]
    selected = f"* REPLACE ({', '.join(replaced)})" if replaced else "*"
    temporary = target.with_suffix(".tmp")
    path = str(temporary).replace("'", "''")
    connection.execute(f"COPY (SELECT {selected} FROM ({sql}\n)) TO '{path}' (FORMAT parquet)")
    rows = connection.execute(f"SELECT count(*) FROM read_parquet('{path}')").fetchone()[0]
    temporary.replace(target)
    return rows


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    sys.exit(main())
