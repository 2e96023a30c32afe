"""The driver of DataFusion's package, with it.

`PYTHONPATH=engines/external/python python -m unittest discover -s engines/external/python/datafusion-py/tests`.
"""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from bench_driver import Dataset, Setup, Table, Workload  # noqa: E402
from driver import Datafusion  # noqa: E402

FILES = 7
SCHEMA = pa.schema([("v", pa.int64())])


class Tables(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for number in range(FILES):
            pq.write_table(pa.table({"v": [number]}, schema=SCHEMA), self.folder / f"part-{number}.data")
        # Somebody else's file beside them is no part of the table.
        pq.write_table(pa.table({"v": [1000]}, schema=SCHEMA), self.folder / "other.data")
        self.engine = Datafusion()
        scratch = self.folder / "scratch"
        scratch.mkdir()
        self.engine.setup = Setup(slots=2, memory_bytes=None, scratch=scratch, tuning={"config": "default"})
        self.engine._notes = []
        self.engine.start(self.engine.setup)
        self.engine.load([self.dataset()])

    def query(self, sql: str) -> Workload:
        return Workload("q", "sql", "", {"query": {"sql": sql}}, "d", {})

    def test_the_files_of_a_table_are_one_scan_with_as_many_partitions_as_slots(self) -> None:
        plan = self.engine.explain(self.query("select sum(v) as n from t"), analyze=False)
        self.assertNotIn("Union", plan)
        self.assertEqual(plan.count("DataSourceExec"), 1, plan)
        self.assertIn("2 groups", plan)

    def test_a_table_is_exactly_its_files_also_when_it_is_loaded_again(self) -> None:
        for _ in range(2):
            self.assertEqual(self.engine.run(self.query("select sum(v) as n, count(*) as c from t")), 1)
            self.assertEqual(self.engine.answer.to_pylist(), [{"n": sum(range(FILES)), "c": FILES}])
            self.engine.load([self.dataset()])

    def dataset(self) -> Dataset:
        stream = pa.BufferOutputStream()
        pa.ipc.new_stream(stream, SCHEMA).close()
        files = tuple(str(self.folder / f"part-{number}.data") for number in range(FILES))
        return Dataset("d", (Table("t", "parquet", files, stream.getvalue().to_pybytes().hex(), FILES, 1),))


if __name__ == "__main__":
    unittest.main()
