"""Cutting a program changes none of its rows. Needs the packages of `ray-datafusion` or `dask-datafusion`:

PYTHONPATH=engines/external/python python3 -m unittest discover -s engines/external/python/datafusion_kernel/tests
"""

from __future__ import annotations

import math
import random
import tempfile
import unittest
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from bench_driver import ProgramError
from bench_driver.data import Dataset
from bench_driver.steps import parse_steps
from datafusion import SessionConfig, SessionContext
from datafusion_kernel import Task, plan, run_task
from datafusion_kernel.graph import Files, HashCut
from datafusion_kernel.text import call, named, partition_by, used

SEED = 7


def rows(random_numbers: random.Random, count: int) -> pa.Table:
    def maybe(value):
        return None if random_numbers.random() < 0.1 else value

    values = [
        {
            "g": maybe(random_numbers.randrange(5)),
            "t": maybe(random_numbers.choice(["a", "b", "a text of more than twelve letters"])),
            "k": random_numbers.randrange(40),
            "f": maybe(random_numbers.choice([math.nan, random_numbers.random(), -0.0, 0.0])),
        }
        for _ in range(count)
    ]
    schema = pa.schema([("g", pa.int64()), ("t", pa.string_view()), ("k", pa.int32()), ("f", pa.float64())])
    return pa.Table.from_pylist(values, schema)


class Cutting(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        numbers = random.Random(SEED)
        self.whole = SessionContext(SessionConfig().with_target_partitions(1))
        tables = []
        for name, sizes in (("left", [50, 0, 31, 1]), ("right", [40, 9])):
            paths = []
            for i, size in enumerate(sizes):
                paths.append(str(Path(self.folder.name) / f"{name}-{i}.parquet"))
                pq.write_table(rows(numbers, size), paths[-1])
            self.whole.register_record_batches(name, [[b for p in paths for b in pq.read_table(p).to_batches()]])
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, pq.read_schema(paths[0])):
                pass
            # As large as a table that is not broadcast.
            tables.append(
                {"name": name, "format": "parquet", "files": paths, "schema_ipc_hex": sink.getvalue().to_pybytes().hex(), "rows": 1 << 20, "bytes": 1 << 30}
            )
        self.dataset = Dataset.parse({"name": "d", "tables": tables})

    def run_cut(self, steps: list, partitions: int) -> pa.Table:
        graph = plan(parse_steps(steps), self.dataset, partitions)
        made: dict[int, list[pa.Table]] = {}
        for task in graph.tasks:
            made[task.id] = run_task(task, *[made[number][piece] for number, piece in task.reads])
            self.assertEqual(len(made[task.id]), task.pieces)
        return pa.concat_tables([made[number][0] for number in graph.answer])

    def check(self, steps: list, sql: str, ordered: bool = False):
        expected = self.whole.sql(sql).to_arrow_table()
        for partitions in (1, 2, 5):
            with self.subTest(partitions=partitions, seed=SEED):
                got = self.run_cut(steps, partitions)
                self.assertEqual(got.column_names, expected.column_names)
                listed = [canonical(got), canonical(expected)]
                self.assertEqual(*(listed if ordered else map(sorted, listed)))

    def test_groups_of_parts_are_the_groups_of_all(self):
        aggregates = ["sum(k) AS s", "count(*) AS n", "count(t) AS c", "min(f) AS lo", "max(t) AS hi", "avg(k) AS a"]
        self.check(
            [{"scan": "left"}, {"group": {"by": ["g", "t"], "agg": aggregates}}],
            f"SELECT g, t, {', '.join(aggregates)} FROM left GROUP BY g, t",
        )

    def test_a_group_of_everything_has_one_row_even_of_nothing(self):
        self.check(
            [{"scan": "left"}, {"filter": "k < 0"}, {"group": {"by": [], "agg": ["sum(k) AS s", "count(k) AS n", "avg(k) AS a"]}}],
            "SELECT sum(k) AS s, count(k) AS n, avg(k) AS a FROM left WHERE k < 0",
        )

    def test_medians_and_distinct_counts_see_all_rows_of_their_group(self):
        aggregates = ["median(k) AS m", "count(DISTINCT k) AS d", "sum(k) + 1 AS s"]
        self.check(
            [{"scan": "left"}, {"group": {"by": ["t"], "agg": aggregates}}],
            f"SELECT t, {', '.join(aggregates)} FROM left GROUP BY t",
        )

    def test_floating_point_keys_meet_whatever_their_sign_of_zero(self):
        self.check([{"scan": "left"}, {"select": ["f"]}, "distinct"], "SELECT DISTINCT f FROM left")

    def test_each_kind_of_join_keeps_its_rows(self):
        right = {"steps": [{"select": ["g AS rg", "t AS rt", "k AS rk"]}], "table": "right", "on": [["k", "rk"], ["t", "rt"]]}
        for how, sql in (("inner", "INNER"), ("left", "LEFT"), ("semi", "LEFT SEMI"), ("anti", "LEFT ANTI")):
            with self.subTest(how=how):
                columns = "l.*" if how in ("semi", "anti") else "l.*, r.*"
                self.check(
                    [{"scan": "left"}, {"join": {**right, "how": how}}],
                    f"SELECT {columns} FROM left l {sql} JOIN (SELECT g AS rg, t AS rt, k AS rk FROM right) r ON k = rk AND t = rt",
                )

    def test_sorted_rows_are_in_order_with_nulls_where_they_belong(self):
        for descending in (False, True):
            for nulls_first in (False, True):
                with self.subTest(descending=descending, nulls_first=nulls_first):
                    keys = [{"column": "f", "descending": descending, "nulls_first": nulls_first}, {"column": "k"}]
                    order = f"f {'DESC' if descending else 'ASC'} NULLS {'FIRST' if nulls_first else 'LAST'}, k"
                    steps = [{"scan": "left"}, {"select": ["f", "k"]}, {"sort": keys}]
                    self.check(steps, f"SELECT f, k FROM left ORDER BY {order}", ordered=True)
                    self.check([*steps, {"limit": 9}], f"SELECT f, k FROM left ORDER BY {order} LIMIT 9", ordered=True)

    def test_windows_see_whole_partitions(self):
        window = "rank() OVER (PARTITION BY g, t ORDER BY k DESC) AS place"
        total = "sum(k) OVER () AS total"
        self.check([{"scan": "left"}, {"window": [window, total]}], f"SELECT *, {window}, {total} FROM left")

    def test_a_pivot_is_an_aggregate_per_value(self):
        self.check(
            [{"scan": "left"}, {"pivot": {"by": ["g"], "column": "t", "values": ["'a'", "'b'"], "value": "sum(k)"}}],
            "SELECT g, sum(CASE WHEN t = 'a' THEN k END) AS a, sum(CASE WHEN t = 'b' THEN k END) AS b FROM left GROUP BY g",
        )

    def test_a_piece_has_no_more_in_its_buffers_than_its_rows(self):
        """Several batches of 8,192 groups, which DataFusion cuts from one array."""
        path = str(Path(self.folder.name) / "many.parquet")
        pq.write_table(pa.table({"k": pa.array(range(100_000)), "t": pa.array(map(str, range(100_000)))}), path)
        files = Files((path,), "parquet", pq.read_schema(path))
        for cut in (None, HashCut(("k",), 3)):
            with self.subTest(cut=cut):
                for piece in run_task(Task(0, "SELECT k, max(t) AS t FROM m GROUP BY k", (("m", files),), cut)):
                    chunks = [chunk for column in piece.columns for chunk in column.iterchunks()]
                    held = sum(buffer.size for chunk in chunks for buffer in chunk.buffers() if buffer)
                    self.assertLess(held, 2 * piece.nbytes)

    def test_a_program_that_does_not_fit_its_tables_is_wrong_and_says_so(self):
        with self.assertRaisesRegex(ProgramError, "there is no table `nowhere`; tables: left, right"):
            self.run_cut([{"scan": "nowhere"}], 2)
        with self.assertRaisesRegex(ProgramError, "nothing"):
            self.run_cut([{"scan": "left"}, {"filter": "nothing > 1"}], 2)


class Text(unittest.TestCase):
    def test_names_aggregates_columns_and_partitions_are_read_from_text(self):
        self.assertEqual(named('sum(a) AS "A b"'), ("sum(a)", "A b"))
        self.assertIsNone(call("sum(a) + sum(b)"))
        self.assertEqual(call("SUM(a + (b))").argument, "a + (b)")
        self.assertEqual(used(("a + length('b')",), ["a", "b"]), ["a"])
        self.assertEqual(partition_by("sum(x) OVER (PARTITION BY a, f(b, c) ORDER BY d)"), ("a", "f(b, c)"))
        self.assertEqual(partition_by("sum(x) OVER ()"), ())


def canonical(table: pa.Table) -> list[str]:
    """Rows as text; -0.0 and 0.0 are one value."""
    return [repr(tuple(0.0 if value == 0 and isinstance(value, float) else value for value in row.values())) for row in table.to_pylist()]


if __name__ == "__main__":
    unittest.main()
