"""Functions of whole partitions against the same in plain Python. Needs pyarrow and numpy:

python3 -m unittest discover -s engines/external/python/ray/tests -p test_partitions.py
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import unittest
from pathlib import Path

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from partitions import Correlated, Each, First, Moments, Ranked, Totalled  # noqa: E402

SEED = 11


def correlations(blocks: list[pa.Table], by: tuple[str, ...], x: str, y: str) -> pa.Table:
    moments = Moments(by, x, y)
    return Correlated(by, "r")(pa.concat_tables([moments(block) for block in blocks]))


def table(count: int) -> pa.Table:
    numbers = random.Random(SEED)

    def maybe(value):
        return None if numbers.random() < 0.15 else value

    rows = [
        {"g": maybe(numbers.randrange(4)), "t": maybe(numbers.choice("ab")), "v": maybe(numbers.randrange(6)), "w": maybe(numbers.random())}
        for _ in range(count)
    ]
    types = pa.schema([("g", pa.int64()), ("t", pa.string()), ("v", pa.int32()), ("w", pa.float64())])
    return pa.Table.from_pylist(rows, types)


def groups(rows: list[dict], keys: tuple[str, ...]) -> dict[tuple, list[dict]]:
    found: dict[tuple, list[dict]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


class Partitions(unittest.TestCase):
    def test_a_rank_counts_the_rows_before_it_with_nulls_where_they_belong(self):
        given = table(200)
        rows = given.to_pylist()
        for descending in (False, True):
            for nulls_first in (False, True):
                with self.subTest(descending=descending, nulls_first=nulls_first, seed=SEED):
                    got = Ranked("rank", ("g", "t"), (("v", descending, nulls_first),), "place")(given).to_pylist()

                    def place(value):
                        if value is None:
                            return (0 if nulls_first else 2, 0)
                        return (1, -value if descending else value)

                    for row in got:
                        peers = [r for r in rows if (r["g"], r["t"]) == (row["g"], row["t"])]
                        self.assertEqual(row["place"], 1 + sum(place(r["v"]) < place(row["v"]) for r in peers))

    def test_row_numbers_of_a_partition_are_all_different_and_in_order(self):
        got = Ranked("row_number", ("g",), (("v", True, False),), "n")(table(100)).to_pylist()
        for _, members in groups(got, ("g",)).items():
            self.assertEqual(sorted(row["n"] for row in members), list(range(1, len(members) + 1)))
            values = [row["v"] for row in sorted(members, key=lambda row: row["n"]) if row["v"] is not None]
            self.assertEqual(values, sorted(values, reverse=True))

    def test_totals_are_of_the_whole_partition_and_rows_keep_their_order(self):
        given = table(150)
        got = Each((Totalled("sum", ("g", "t"), "v", "s"), Totalled("count", ("g", "t"), "v", "c")))(given)
        self.assertEqual(got.select(given.column_names).to_pylist(), given.to_pylist())
        sums = {
            key: ([row["v"] for row in members if row["v"] is not None]) for key, members in groups(given.to_pylist(), ("g", "t")).items()
        }
        for row in got.to_pylist():
            values = sums[(row["g"], row["t"])]
            self.assertEqual((row["s"], row["c"]), (sum(values) if values else None, len(values)))

    def test_correlations_are_those_of_pairs_without_nulls(self):
        given = table(300)
        blocks = [given.slice(0, 100), given.slice(100, 1), given.slice(101)]
        got = {(row["g"], row["t"]): row["r"] for row in correlations(blocks, ("g", "t"), "v", "w").to_pylist()}
        expected = groups(given.to_pylist(), ("g", "t"))
        self.assertEqual(set(got), set(expected))
        for key, members in expected.items():
            pairs = [(row["v"], row["w"]) for row in members if row["v"] is not None and row["w"] is not None]
            self.assertAlmostEqual(got[key], statistics.correlation(*zip(*pairs)), places=12)

    def test_a_correlation_with_a_constant_is_null_and_large_values_lose_no_digits(self):
        # A tenth has no binary digits that end: the mean of three of them differs from that of two, unless it is taken with care.
        given = pa.table({"g": [1, 1, 1, 2, 2, 2], "x": [1e9 + 1, 1e9 + 2, 1e9 + 4, 0.1, 0.1, 0.1], "y": [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]})
        for blocks in ([given], [given.slice(0, 2), given.slice(2, 2), given.slice(4)]):
            first, second = correlations(blocks, ("g",), "x", "y").sort_by("g")["r"].to_pylist()
            self.assertTrue(math.isclose(first, statistics.correlation([1, 2, 4], [1, 2, 3]), rel_tol=1e-9), first)
            self.assertIsNone(second)
        tenths = pa.table({"g": [1] * 10, "x": [0.1] * 10, "y": [float(y) for y in range(10)]})
        for cuts in ([10], [3, 7], [1, 2, 7]):
            blocks = [tenths.slice(sum(cuts[:at]), size) for at, size in enumerate(cuts)]
            self.assertEqual(correlations(blocks, ("g",), "x", "y")["r"].to_pylist(), [None], cuts)

    def test_the_first_rows_of_all_are_among_those_of_the_blocks(self):
        given = table(200)
        for order in ((("v", True), ("w", False)), (("w", True),), (("v", False), ("t", True))):
            keys = [(column, "descending" if descending else "ascending") for column, descending in order]
            blocks = [given.slice(0, 3), given.slice(3, 90), given.slice(93)]
            candidates = pa.concat_tables([First(order, 7)(block) for block in blocks])
            self.assertEqual(len(candidates), 3 + 7 + 7)
            columns = [column for column, _ in order]
            first = [rows.sort_by(keys).slice(0, 7).select(columns).to_pylist() for rows in (given, candidates)]
            self.assertEqual(first[0], first[1])

    def test_nothing_gives_nothing(self):
        none = table(0)
        self.assertEqual(Ranked("rank", ("g",), (("v", False, False),), "p")(none).num_rows, 0)
        self.assertEqual(Totalled("sum", ("g",), "v", "s")(none).num_rows, 0)
        self.assertEqual(correlations([none], ("g",), "v", "w").num_rows, 0)
        self.assertEqual(First((("v", True),), 5)(none).num_rows, 0)


if __name__ == "__main__":
    unittest.main()
