"""The driver of Polars, with Polars. `PYTHONPATH=engines/external/python python -m unittest discover -s engines/external/python/polars/tests`."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
# The driver's folder is called like the package and must not be taken for it.
import polars as pl  # noqa: E402

sys.path.insert(0, str(HERE.parent))

from bench_driver import Setup, Workload  # noqa: E402
from driver import Polars  # noqa: E402


class Engines(unittest.TestCase):
    def started(self, config: str) -> Polars:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        engine = Polars()
        engine.setup = Setup(slots=2, memory_bytes=None, scratch=Path(folder.name), tuning={"config": config})
        engine._notes = []
        engine.start(engine.setup)
        engine.tables = {"t": pl.LazyFrame({"v": [1, 2, 3]})}
        return engine

    def test_the_query_runs_on_the_engine_that_its_configuration_names(self) -> None:
        workload = Workload("q", "sql", "", {"query": {"sql": "select count(*) as n from t"}}, None, {})
        for config, name in [("default", "auto"), ("tuned", "streaming")]:
            engine = self.started(config)
            with mock.patch.object(pl.LazyFrame, "collect", autospec=True, side_effect=pl.LazyFrame.collect) as collect:
                self.assertEqual(engine.run(workload), 1)
            # In the background Polars 2.1 takes its own engine, whatever is asked for.
            self.assertEqual(collect.call_args.kwargs, {"engine": name})
            self.assertEqual(engine.answer.item(), 3)


if __name__ == "__main__":
    unittest.main()
