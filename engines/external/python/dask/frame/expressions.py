"""SQL expressions as operations on columns.

A condition is true, false or unknown. `holds` is where it is true and `fails` where it is false; both are plain truth values, so
NULL never slips through a negation. NaN stands for NULL in floating point, as pandas has it.
"""

from __future__ import annotations

import operator
import re
from typing import Any

import pandas as pd
from bench_driver import ProgramError, Unsupported
from bench_driver import expressions as e

ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
COMPARE = {"=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def value(frame: Any, expr: e.Expr) -> Any:
    """A column, or a number or text for a literal. Works on Dask and pandas frames alike."""
    match expr:
        case e.Column(name):
            if name not in frame.columns:
                raise ProgramError(f"there is no column `{name}`; columns: {', '.join(frame.columns)}")
            return frame[name]
        case e.Literal(found):
            return found
        case e.Unary("-", operand):
            return -value(frame, operand)
        case e.Binary("/", left, right):
            return divide(value(frame, left), value(frame, right))
        case e.Binary(op, left, right) if op in ARITHMETIC:
            return ARITHMETIC[op](value(frame, left), value(frame, right))
        case e.Call("abs", (operand,), False, None):
            return abs(value(frame, operand))
        case e.Call("__corr", parts):
            return correlation(*(value(frame, part) for part in parts))
        case e.Call(name):
            raise Unsupported(f"this translation to Dask has no function `{name}`")
    raise Unsupported(f"this translation to Dask computes no column from {expr}")


def correlation(rows: Any, x: Any, y: Any, xx: Any, yy: Any, xy: Any) -> Any:
    """Pearson's coefficient from sums; unknown where one side does not vary."""
    return (rows * xy - x * y) / ((rows * xx - x * x) * (rows * yy - y * y)) ** 0.5


def divide(left: Any, right: Any) -> Any:
    """Engines differ in what a quotient of integers is."""
    if is_whole(left) and is_whole(right):
        raise Unsupported("division of integers: pandas gives floating point")
    return left / right


def is_whole(operand: Any) -> bool:
    return isinstance(operand, int) or pd.api.types.is_integer_dtype(getattr(operand, "dtype", None))


def holds(frame: Any, expr: e.Expr) -> Any:
    """Where the condition is true."""
    match expr:
        case e.Binary("and", left, right):
            return holds(frame, left) & holds(frame, right)
        case e.Binary("or", left, right):
            return holds(frame, left) | holds(frame, right)
        case e.Unary("not", operand):
            return fails(frame, operand)
        case e.IsNull(operand, negated):
            column = value(frame, operand)
            return column.notnull() if negated else column.isnull()
        case e.Binary("like", left, e.Literal(str(pattern))):
            return known(value(frame, left).str.fullmatch(like(pattern)))
        case e.Binary(op, left, right) if op in COMPARE:
            return compare(op, value(frame, left), value(frame, right))
        case e.InList(operand, items, False):
            return either([e.Binary("=", operand, item) for item in items], frame, holds)
        case e.InList(operand, items, True):
            return fails(frame, e.InList(operand, items, False))
    return known(value(frame, expr))


def fails(frame: Any, expr: e.Expr) -> Any:
    """Where the condition is false, which is not where it is unknown."""
    match expr:
        case e.Binary("and", left, right):
            return fails(frame, left) | fails(frame, right)
        case e.Binary("or", left, right):
            return fails(frame, left) & fails(frame, right)
        case e.Unary("not", operand):
            return holds(frame, operand)
        case e.IsNull(operand, negated):
            return holds(frame, e.IsNull(operand, not negated))
        case e.Binary("like", left, e.Literal(str(pattern))):
            column = value(frame, left)
            return column.notnull() & ~known(column.str.fullmatch(like(pattern)))
        case e.Binary(op, left, right) if op in COMPARE:
            return compare(OPPOSITE[op], value(frame, left), value(frame, right))
        case e.InList(operand, items, False):
            found = fails(frame, e.Binary("=", operand, items[0]))
            for item in items[1:]:
                found = found & fails(frame, e.Binary("=", operand, item))
            return found
        case e.InList(operand, items, True):
            return holds(frame, e.InList(operand, items, False))
    column = value(frame, expr)
    return column.notnull() & ~known(column)


def either(conditions: list[e.Expr], frame: Any, how: Any) -> Any:
    found = how(frame, conditions[0])
    for condition in conditions[1:]:
        found = found | how(frame, condition)
    return found


def compare(op: str, left: Any, right: Any) -> Any:
    """pandas takes NaN for different from everything."""
    found = known(COMPARE[op](left, right))
    if op == "<>":
        for side in (left, right):
            if hasattr(side, "notnull"):
                found = found & side.notnull()
    return found


def known(condition: Any) -> Any:
    """Unknown counts as not true. In one piece: with `fillna` and `astype` as expressions, Dask's optimiser makes a
    Series of a filtered frame of one column."""
    if getattr(condition, "dtype", None) == bool or not hasattr(condition, "dtype"):
        return condition
    if isinstance(condition, pd.Series):
        return true_only(condition)
    return condition.map_partitions(true_only, meta=pd.Series([], dtype=bool, name=condition.name))


def true_only(condition: pd.Series) -> pd.Series:
    return condition.fillna(False).astype(bool)


def like(pattern: str) -> str:
    parts = {"%": "(?s:.*)", "_": "(?s:.)"}
    return "".join(parts.get(letter, re.escape(letter)) for letter in pattern)
