"""What its runtime costs is what Ray's costs: it is measured there."""

from __future__ import annotations

from bench_driver.probes import FIELDS

MISSING = dict.fromkeys(FIELDS, "its runtime is Ray's: the engine `ray` is asked for it")
