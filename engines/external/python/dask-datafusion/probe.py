"""What its runtime costs is what Dask's costs: it is measured there."""

from __future__ import annotations

from bench_driver.probes import FIELDS

MISSING = dict.fromkeys(FIELDS, "its runtime is Dask's: the engine `dask` is asked for it")
