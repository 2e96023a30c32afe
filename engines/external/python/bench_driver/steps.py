"""The steps of a dataframe program. Expressions are SQL expressions over the current columns.

A product whose dataframe interface takes SQL expressions uses their text; for any other, `expressions` parses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .failures import ProtocolError


@dataclass(frozen=True)
class Scan:
    """Start from a table."""

    table: str


@dataclass(frozen=True)
class Filter:
    """Keep the rows for which the expression is true."""

    text: str


@dataclass(frozen=True)
class Select:
    """Keep and compute columns: expressions, optionally `AS name`."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """One row per distinct combination of `by`, with aggregates `AS name`; no `by` aggregates the whole."""

    by: tuple[str, ...]
    agg: tuple[str, ...]


@dataclass(frozen=True)
class Join:
    """Join with another table, prepared by `steps`; `how` is inner, left, semi or anti. Of a key that both sides call the
    same, the right copy is dropped."""

    table: str
    on: tuple[tuple[str, str], ...]
    how: str
    steps: tuple


@dataclass(frozen=True)
class Key:
    """One key of an order."""

    column: str
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Sort:
    """Order the rows."""

    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Limit:
    """Keep the first rows."""

    rows: int


@dataclass(frozen=True)
class Window:
    """Add window columns: expressions with an OVER clause, `AS name`."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class Distinct:
    """Keep one of equal rows."""


@dataclass(frozen=True)
class Pivot:
    """One column per listed value of `column` (SQL literals), aggregated by `value` where `column` equals it. The new columns
    are called like the values, without quotes."""

    by: tuple[str, ...]
    column: str
    values: tuple[str, ...]
    value: str


Step = Scan | Filter | Select | Group | Join | Sort | Limit | Window | Distinct | Pivot


def parse_steps(value: Any) -> list[Step]:
    """The steps of a program; the first one is a scan."""
    steps = [parse_step(step) for step in _items(value, "the steps of a program")]
    if not steps or not isinstance(steps[0], Scan):
        raise ProtocolError("the first step must be `scan`")
    if any(isinstance(step, Scan) for step in steps[1:]):
        raise ProtocolError("`scan` must be the first step")
    return steps


def parse_step(value: Any) -> Step:
    if value == "distinct":
        return Distinct()
    if not isinstance(value, dict) or len(value) != 1:
        raise ProtocolError(f"not a step: {value!r}")
    ((name, body),) = value.items()
    if name == "scan":
        return Scan(_text(body, name))
    if name == "filter":
        return Filter(_text(body, name))
    if name == "select":
        return Select(_texts(body, name))
    if name == "window":
        return Window(_texts(body, name))
    if name == "limit" and isinstance(body, int) and not isinstance(body, bool) and body >= 0:
        return Limit(body)
    if name == "sort":
        return Sort(tuple(_key(key) for key in _items(body, name)))
    if name == "group":
        body = _object(body, name, {"by", "agg"})
        return Group(_texts(body.get("by", []), "group.by"), _texts(body.get("agg"), "group.agg"))
    if name == "pivot":
        body = _object(body, name, {"by", "column", "values", "value"})
        return Pivot(
            _texts(body.get("by"), "pivot.by"),
            _text(body.get("column"), "pivot.column"),
            _texts(body.get("values"), "pivot.values"),
            _text(body.get("value"), "pivot.value"),
        )
    if name == "join":
        return _join(body)
    raise ProtocolError(f"unknown step `{name}`")


def _join(body: Any) -> Join:
    body = _object(body, "join", {"table", "on", "how", "steps"})
    pairs = [_texts(pair, "join.on") for pair in _items(body.get("on"), "join.on")]
    how = body.get("how", "inner")
    if any(len(pair) != 2 for pair in pairs) or how not in ("inner", "left", "semi", "anti"):
        raise ProtocolError(f"not a join: {body!r}")
    steps = tuple(parse_step(step) for step in _items(body.get("steps", []), "join.steps"))
    return Join(_text(body.get("table"), "join.table"), tuple((left, right) for left, right in pairs), how, steps)


def _key(value: Any) -> Key:
    value = _object(value, "a key of an order", {"column", "descending", "nulls_first"})
    return Key(_text(value.get("column"), "column"), value.get("descending", False), value.get("nulls_first", False))


def _object(value: Any, what: str, known: set[str]) -> dict:
    if not isinstance(value, dict) or not set(value) <= known:
        raise ProtocolError(f"{what} is not understood: {value!r}")
    return value


def _items(value: Any, what: str) -> list:
    if not isinstance(value, list):
        raise ProtocolError(f"{what} must be a list, not {value!r}")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ProtocolError(f"{what} must be text, not {value!r}")
    return value


def _texts(value: Any, what: str) -> tuple[str, ...]:
    return tuple(_text(item, what) for item in _items(value, what))
