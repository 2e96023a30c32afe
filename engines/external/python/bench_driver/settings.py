"""The configurations of a product, in files beside its driver.

    # tuned.toml: how the values were found, then the values.
    budget = 3                     # how many changes may be tried against default.toml; the same for every product

    [[trial]]                      # one that was, over the queries that docs/products.md names: configuration `trial-1`
    set = { "spark.sql.shuffle.partitions" = "{slots*2}" }
    result = "9.1 s; as it comes 11.4 s"
    kept = true

    [[setting]]                    # what came of it
    key = "spark.sql.shuffle.partitions"
    value = "{slots}"
    reason = "the default of 200 makes 200 tasks of a few rows each on small data"
    source = "https://spark.apache.org/docs/latest/sql-performance-tuning.html"

    # advice.toml, if there is any: configuration `kryo` is default.toml with this change
    [[advice]]
    name = "kryo"
    set = { "spark.serializer" = "org.apache.spark.serializer.KryoSerializer" }
    reason = "smaller and faster than what Java serializes by itself"
    source = "https://spark.apache.org/docs/latest/tuning.html"

`default.toml` holds what has to be said to hold a product to the limits of the comparison, and nothing else. In text values
`{slots}` (of all machines together), `{memory_bytes}`, `{memory_mib}`, `{scratch}` are filled in; `{memory_mib*0.6}` takes a share, rounded down. A value that
needs a memory limit is left out where there is none.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from .failures import DriverError, ProgramError

_PLACE = re.compile(r"\{(slots|memory_bytes|memory_mib|scratch)(?:\*([0-9.]+))?\}")


def read_settings(folder: Path, name: str, places: dict[str, Any]) -> dict[str, Any]:
    """The settings of a configuration by their keys, places filled in."""
    changes = changed(folder, name)
    settings = settings_of(folder / ("default.toml" if name in changes else f"{name}.toml"))
    filled = {key: fill(value, places) for key, value in (settings | changes.get(name, {})).items()}
    return {key: value for key, value in filled.items() if value is not None}


def changed(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """What configurations that have no file of their own change in `default.toml`, by their names.

    `name` has to be one of them, or that of a file."""
    trials = [entry["set"] for entry in entries(folder / "tuned.toml", "trial", {"set", "result", "kept"})]
    changes = {f"trial-{number}": change for number, change in enumerate(trials, start=1)}
    for entry in entries(folder / "advice.toml", "advice", {"name", "set", "reason", "source"}):
        if entry["name"] in ("default", "tuned", *changes):
            raise DriverError(f"{folder}: there are two configurations `{entry['name']}`")
        changes[entry["name"]] = entry["set"]
    if name not in ("default", "tuned", *changes):
        raise ProgramError(f"the configurations are default, tuned, {', '.join(changes)}, and not `{name}`")
    return changes


def settings_of(path: Path) -> dict[str, Any]:
    """What a file sets, by key."""
    settings: dict[str, Any] = {}
    for setting in entries(path, "setting", {"key", "value", "reason", "source"}):
        if setting["key"] in settings:
            raise DriverError(f"{path}: `{setting['key']}` is set twice")
        settings[setting["key"]] = setting["value"]
    return settings


def entries(path: Path, table: str, fields: set[str]) -> list[dict[str, Any]]:
    """The entries of a table of a file, all with these fields; none if there is no such file."""
    try:
        text = tomllib.loads(path.read_text()) if path.exists() or table == "setting" else {}
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise DriverError(f"cannot read the settings {path}: {error}") from error
    unknown = set(text) - {"budget", "unspent", "trial", "setting", "advice"}
    if unknown:
        raise DriverError(f"{path}: unknown `{unknown.pop()}`")
    found = text.get(table, [])
    for entry in found:
        if set(entry) != fields:
            raise DriverError(f"{path}: every {table} has {', '.join(sorted(fields))}: {entry!r}")
    return found


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
