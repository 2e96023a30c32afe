"""The two configurations of a product, `default.toml` and `tuned.toml`, beside its driver.

    # How the values were found.
    trials = 5                     # tuned.toml only: how many settings were tried; the same budget for every product

    [[setting]]
    key = "spark.sql.shuffle.partitions"
    value = "{slots}"
    reason = "the default of 200 makes 200 tasks of a few rows each on small data"
    source = "https://spark.apache.org/docs/latest/sql-performance-tuning.html"

`default.toml` holds what has to be said to hold a product to the limits of the comparison, and nothing else. In text values
`{slots}`, `{memory_bytes}`, `{memory_mib}`, `{scratch}` are filled in; `{memory_mib*0.6}` takes a share, rounded down. A value that
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
    unknown = set(text) - {"trials", "setting"}
    if unknown:
        raise DriverError(f"{path}: unknown `{unknown.pop()}`")
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
