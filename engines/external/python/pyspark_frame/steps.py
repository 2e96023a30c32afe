"""The steps of a dataframe program as DataFrame operations. Nothing runs here: a DataFrame is a plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bench_driver import ProgramError, Unsupported
from bench_driver import steps as s
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from .windows import ordered, quoted, window_column

Source = Callable[[str], DataFrame]
"""A table by its name."""

_KINDS = {"inner": "inner", "left": "left", "semi": "left_semi", "anti": "left_anti"}


def data_frame(steps: Sequence[s.Step], source: Source) -> DataFrame:
    """The program as one DataFrame over the tables of `source`."""
    first, *rest = steps
    return apply(source(first.table), rest, source)


def apply(frame: DataFrame, steps: Sequence[s.Step], source: Source) -> DataFrame:
    for step in steps:
        frame = apply_one(frame, step, source)
    return frame


def apply_one(frame: DataFrame, step: s.Step, source: Source) -> DataFrame:
    match step:
        case s.Filter(text):
            return frame.where(text)
        case s.Select(columns):
            return frame.selectExpr(*columns)
        case s.Group(by, agg):
            return frame.groupBy(*map(F.expr, by)).agg(*map(F.expr, agg))
        case s.Join():
            return join(frame, step, source)
        case s.Sort(keys):
            return frame.orderBy(*map(order, keys))
        case s.Limit(rows):
            return frame.limit(rows)
        case s.Window(columns):
            return frame.select("*", *map(window_column, columns))
        case s.Distinct():
            return frame.distinct()
        case s.Pivot():
            return pivot(frame, step)
    raise Unsupported(f"no DataFrame operation for the step {step!r}")


def join(left: DataFrame, step: s.Join, source: Source) -> DataFrame:
    """Joins on equal columns. `on=[names]` would move the keys to the front; here every column stays where it is, and of
    a key that both sides call the same the right copy is dropped."""
    left = left.alias("left_side")
    right = apply(source(step.table), step.steps, source).alias("right_side")
    equal = [side("left_side", l) == side("right_side", r) for l, r in step.on]
    joined = left.join(right, equal, _KINDS[step.how])
    same = {r for l, r in step.on if l == r}
    if not same or step.how in ("semi", "anti"):
        return joined
    # Not `drop`: of two columns with one name Sail drops neither.
    return joined.select("left_side.*", *(side("right_side", c) for c in right.columns if c not in same))


def side(alias: str, column: str) -> Column:
    return F.col(f"{alias}.{quoted(column)}")


def order(key: s.Key) -> Column:
    return ordered(F.col(quoted(key.column)), key.descending, key.nulls_first)


def pivot(frame: DataFrame, step: s.Pivot) -> DataFrame:
    """One column per value. A group without rows of a value has NULL there, as for any aggregate of no rows but a count."""
    grouped = frame.groupBy(*map(F.expr, step.by)).pivot(step.column, [literal(value) for value in step.values])
    wide = grouped.agg(F.expr(step.value))
    if not re.match(r"\s*count\s*\(", step.value, re.IGNORECASE):
        return wide
    kept, counts = wide.columns[: len(step.by)], wide.columns[len(step.by) :]
    return wide.select(*map(quoted, kept), *(F.coalesce(quoted(c), F.lit(0)).alias(c) for c in counts))


def literal(text: str) -> int | float | str | bool:
    """A SQL literal as the value it stands for."""
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    raise ProgramError(f"a pivot's value must be a number, a text in single quotes, true or false, not {text}")
