"""What dataframe programs and SQL text mean, NULLs included, for every engine behind the PySpark API."""

from __future__ import annotations

import pyarrow as pa
from driver_process import DriverTest, run

TABLES = {
    "t": pa.table({"k": [1, 1, 1, 2, 2], "v": pa.array([5, None, 7, 3, None], pa.int64()), "s": list("abcde")}),
    "u": pa.table({"k": [1, 3], "w": [10, 30]}),
    "dates": pa.table({"d": pa.array([0, 10957, None], pa.date32())}),
}


def frame(*steps) -> dict:
    return {"frame": [{"scan": "t"}, *steps]}


class FrameCases(DriverTest):
    """Subclasses name the product."""

    tables = TABLES

    def test_sorting_puts_nulls_last_unless_told_otherwise(self) -> None:
        cases = {
            (False, False): [3, 5, 7, None, None],
            (True, False): [7, 5, 3, None, None],
            (False, True): [None, None, 3, 5, 7],
            (True, True): [None, None, 7, 5, 3],
        }
        for (descending, nulls_first), expected in cases.items():
            key = {"column": "v", "descending": descending, "nulls_first": nulls_first}
            with self.subTest(**key):
                self.assertEqual([v for (v,) in self.rows(frame({"select": ["v"]}, {"sort": [key]}))], expected)

    def test_a_window_takes_nulls_for_the_largest_values(self) -> None:
        window = "rank() OVER (PARTITION BY k ORDER BY v DESC) AS place"
        rows = self.rows(frame({"window": [window]}, {"select": ["s", "place"]}, {"sort": [{"column": "s"}]}))
        self.assertEqual(rows, [("a", 3), ("b", 1), ("c", 2), ("d", 2), ("e", 1)])

    def test_a_window_can_say_where_nulls_go(self) -> None:
        window = "row_number() OVER (ORDER BY v DESC NULLS LAST, s) AS place"
        rows = self.rows(frame({"window": [window]}, {"select": ["s", "place"]}, {"sort": [{"column": "s"}]}))
        self.assertEqual(rows, [("a", 2), ("b", 4), ("c", 1), ("d", 3), ("e", 5)])

    def test_a_window_column_may_compute(self) -> None:
        window = "sum(v) OVER (PARTITION BY k) - v AS others"
        rows = self.rows(frame({"window": [window]}, {"select": ["s", "others"]}, {"sort": [{"column": "s"}]}))
        self.assertEqual(rows, [("a", 7), ("b", None), ("c", 5), ("d", 0), ("e", None)])

    def test_a_join_keeps_the_order_of_columns_and_one_copy_of_an_equal_key(self) -> None:
        joined = {"join": {"table": "u", "on": [["k", "k"]], "how": "left", "steps": []}}
        found = self.driver.answer(frame({"select": ["s", "k"]}, joined, {"sort": [{"column": "s"}]}))
        self.assertEqual(found.column_names, ["s", "k", "w"])
        self.assertEqual(found["w"].to_pylist(), [10, 10, 10, None, None])

    def test_semi_and_anti_joins_keep_rows_of_the_left_side(self) -> None:
        for how, expected in {"semi": ["a", "b", "c"], "anti": ["d", "e"]}.items():
            joined = {"join": {"table": "u", "on": [["k", "k"]], "how": how, "steps": []}}
            with self.subTest(how):
                found = self.driver.answer(frame(joined, {"sort": [{"column": "s"}]}))
                self.assertEqual((found.column_names, found["s"].to_pylist()), (["k", "v", "s"], expected))

    def test_a_table_joins_itself(self) -> None:
        steps = [{"select": ["k", "v AS other"]}, {"filter": "other = 7"}]
        joined = {"join": {"table": "t", "on": [["k", "k"]], "how": "inner", "steps": steps}}
        rows = self.rows(frame({"select": ["k", "s"]}, joined, {"sort": [{"column": "s"}]}))
        self.assertEqual(rows, [(1, "a", 7), (1, "b", 7), (1, "c", 7)])

    def test_a_pivot_has_null_where_nothing_matches_and_counts_zero(self) -> None:
        for value, expected in {"sum(v)": [(1, 5, None), (2, None, None)], "count(*)": [(1, 1, 0), (2, 0, 1)]}.items():
            wide = {"pivot": {"by": ["k"], "column": "s", "values": ["'a'", "'e'"], "value": value}}
            with self.subTest(value):
                found = self.driver.answer(frame(wide, {"sort": [{"column": "k"}]}))
                self.assertEqual(found.column_names, ["k", "a", "e"])
                self.assertEqual([tuple(row.values()) for row in found.to_pylist()], expected)

    def test_aggregates_of_the_whole_need_no_key(self) -> None:
        rows = self.rows(frame({"group": {"by": [], "agg": ["sum(v) AS total", "max(v) - min(v) AS range"]}}))
        self.assertEqual(rows, [(15, 4)])

    def test_distinct_and_limit(self) -> None:
        steps = [{"select": ["k"]}, "distinct", {"sort": [{"column": "k", "descending": True}]}, {"limit": 1}]
        self.assertEqual(self.rows(frame(*steps)), [(2,)])

    def test_dates_stay_dates(self) -> None:
        found = self.driver.answer({"sql": "SELECT d FROM dates ORDER BY d NULLS LAST"})
        self.assertEqual(str(found.schema.field("d").type), "date32[day]")
        self.assertEqual([str(d) for d in found["d"].to_pylist()], ["1970-01-01", "2000-01-01", "None"])

    def test_an_answer_without_rows_has_its_columns(self) -> None:
        found = self.driver.answer({"sql": "SELECT k, s FROM t WHERE k > 99"})
        self.assertEqual((found.num_rows, found.column_names), (0, ["k", "s"]))

    def test_a_wrong_program_is_told_from_a_failure(self) -> None:
        for text in ("SELECT nothing FROM t", "SELECT * FROM nowhere", "SELEKT 1"):
            with self.subTest(text):
                self.assertEqual(self.driver.ask(run({"sql": text}))["failed"]["kind"], "program")
        scan = {"frame": [{"scan": "nowhere"}]}
        self.assertEqual(self.driver.ask(run(scan))["failed"]["kind"], "program")
