"""The two configurations of a product, `default.toml` and `tuned.toml`, beside its driver.

    # How the values were found: tuned.toml only.
    budget = 3                     # how many changes may be tried against default.toml; the same for every product

    [[trial]]                      # one that was, over the queries that docs/products.md names
    changed = "spark.sql.shuffle.partitions = {slots*2}"
    result = "9.1 s; as it comes 11.4 s"
    kept = true

    [[setting]]                    # what came of it
    key = "spark.sql.shuffle.partitions"
    value = "{slots}"
    reason = "the default of 200 makes 200 tasks of a few rows each on small data"
    source = "https://spark.apache.org/docs/latest/sql-performance-tuning.html"

`default.toml` holds what has to be said to hold a product to the limits of the comparison, and nothing else. In text values
`{slots}` (of all machines together), `{memory_bytes}`, `{memory_mib}`, `{scratch}` are filled in; `{memory_mib*0.6}` takes a share, rounded down. A value that
needs a memory limit is left out where there is none.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from .failures import DriverError

_PLACE = re.compile(r"\{(slots|memory_bytes|memory_mib|scratch)(?:\*([0-9.]+))?\}")


def read_settings(path: Path, places: dict[str, Any]) -> dict[str, Any]:
    """The settings of a file by their keys, places filled in."""
    try:
        text = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise DriverError(f"cannot read the settings {path}: {error}") from error
    unknown = set(text) - {"budget", "unspent", "trial", "setting"}
    if unknown:
        raise DriverError(f"{path}: unknown `{unknown.pop()}`")
    for trial in text.get("trial", []):
        if set(trial) != {"changed", "result", "kept"}:
            raise DriverError(f"{path}: a trial has changed, result and kept: {trial!r}")
    settings: dict[str, Any] = {}
    for setting in text.get("setting", []):
        if set(setting) != {"key", "value", "reason", "source"}:
            raise DriverError(f"{path}: a setting has key, value, reason and source: {setting!r}")
        if setting["key"] in settings:
            raise DriverError(f"{path}: `{setting['key']}` is set twice")
        value = fill(setting["value"], places)
        if value is not None:
            settings[setting["key"]] = value
    return settings


def fill(value: Any, places: dict[str, Any]) -> Any:
    """The value with its places filled in; None if one of them has nothing to fill in."""
    if not isinstance(value, str):
        return value
    if any(places.get(found[1]) is None for found in _PLACE.finditer(value)):
        return None

    def one(found: re.Match) -> str:
        known = places[found[1]]
        return str(int(known * float(found[2]))) if found[2] else str(known)

    return _PLACE.sub(one, value)
