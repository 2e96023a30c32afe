"""Window columns: rows of a group are brought together by a shuffle, then pandas ranks and totals them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import dask.dataframe as dd
import numpy as np
import pandas as pd
from bench_driver import ProgramError, Unsupported
from bench_driver import expressions as e

from .expressions import value

RANKS = {"row_number", "rank", "dense_rank"}
TOTALS = {"sum": "sum", "avg": "mean", "min": "min", "max": "max", "count": "count"}


def window(frame: dd.DataFrame, texts: Sequence[str]) -> dd.DataFrame:
    """Each window is computed once, then the expressions around them."""
    named = [e.parse(text) for text in texts]
    if any(one.name is None for one in named):
        raise ProgramError(f"a window column needs a name, `... AS name`: {', '.join(texts)}")
    calls: dict[e.Call, str] = {}
    outer = {one.name: around(one.expr, calls) for one in named}
    for call in calls:
        check(call, frame)
    before = list(frame.columns)
    for keys, some in itertools.groupby(calls, key=lambda call: call.over.partition_by):
        names = [key.name for key in keys]
        some = {calls[call]: call for call in some}
        together = frame.shuffle(on=names) if names else frame.repartition(npartitions=1)
        meta = add_columns(frame._meta_nonempty, names, some).iloc[:0]
        frame = together.map_partitions(add_columns, names, some, meta=meta)
    frame = frame.assign(**{name: value(frame, expr) for name, expr in outer.items()})
    return frame[before + list(outer)]


def around(expr: e.Expr, calls: dict[e.Call, str]) -> e.Expr:
    """The expression with a column in place of each window."""
    match expr:
        case e.Call() if expr.over is not None:
            return e.Column(calls.setdefault(expr, f"__window{len(calls)}"))
        case e.Binary(_, left, right):
            return dataclasses.replace(expr, left=around(left, calls), right=around(right, calls))
        case e.Unary(_, operand):
            return dataclasses.replace(expr, operand=around(operand, calls))
    return expr


def check(call: e.Call, frame: dd.DataFrame) -> None:
    columns = [*call.over.partition_by, *(order.expr for order in call.over.order_by), *call.args]
    if not all(isinstance(column, e.Column) for column in columns):
        raise Unsupported("windows over computed columns; select them first")
    for column in columns:
        value(frame, column)
    if call.name in RANKS:
        if not call.over.order_by and call.name != "row_number":
            raise ProgramError(f"{call.name}() needs an order")
    elif call.name not in TOTALS or call.distinct:
        raise Unsupported(f"this translation to Dask has no window function `{call.name}`")
    elif call.over.order_by:
        raise Unsupported(f"running totals: {call.name}(...) OVER (... ORDER BY ...)")


def add_columns(frame: pd.DataFrame, keys: list[str], calls: dict[str, e.Call]) -> pd.DataFrame:
    """One partition, which has whole groups."""
    added = {}
    for name, call in calls.items():
        if call.name in RANKS:
            added[name] = rank(frame, keys, call.over.order_by, call.name)
        else:
            added[name] = total(frame, keys, call)
    return frame.assign(**added)


def total(frame: pd.DataFrame, keys: list[str], call: e.Call) -> pd.Series:
    column = frame[call.args[0].name] if call.args else pd.Series(1, frame.index)
    groups = column.groupby([frame[key] for key in keys], sort=False, dropna=False) if keys else column.groupby(np.zeros(len(frame)))
    if call.name == "sum" and not (isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu"):
        # A sum of nothing but NULLs is NULL.
        return groups.transform("sum", min_count=1)
    found = groups.transform(TOTALS[call.name])
    return found.astype("int64") if call.name == "sum" else found


def rank(frame: pd.DataFrame, keys: list[str], order: tuple[e.Order, ...], function: str) -> np.ndarray:
    """Positions 0, 1, ... of rows in the order of groups and keys, then numbers within each group."""
    columns, ascending, compared = [], [], []
    for number, key in enumerate(keys):
        columns.append(frame[key].factorize(use_na_sentinel=False)[0])
        ascending.append(True)
    grouped = len(columns)
    for one in order:
        column = frame[one.expr.name]
        if column.hasnans:
            columns.append(column.isna().to_numpy())
            ascending.append(not one.nulls_first)
        columns.append(column.array)
        ascending.append(not one.descending)
    plain = pd.DataFrame(dict(enumerate(columns)), copy=False)
    if plain.empty:
        return np.arange(1, len(frame) + 1) if len(frame) else np.empty(0, np.int64)
    plain = plain.sort_values(list(plain.columns), ascending=ascending, kind="stable")
    starts = changes(plain, range(grouped))
    number = within(starts)
    if function != "row_number":
        new = changes(plain, range(len(columns)))
        if function == "rank":
            number = number[np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))]
        else:
            counted = np.cumsum(new)
            number = counted - counted[np.maximum.accumulate(np.where(starts, np.arange(len(new)), 0))] + 1
    result = np.empty(len(frame), np.int64)
    result[plain.index.to_numpy()] = number
    return result


def changes(frame: pd.DataFrame, columns) -> np.ndarray:
    """Where a row differs from the one before in some of the columns; the first does."""
    new = np.zeros(len(frame), bool)
    new[:1] = True
    for name in columns:
        column = frame[name]
        before = column.shift()
        same = (column == before).fillna(False) | (column.isna() & before.isna())
        new[1:] |= ~same.to_numpy(bool)[1:]
    return new


def within(starts: np.ndarray) -> np.ndarray:
    """1, 2, ... from each start."""
    at = np.arange(len(starts))
    return at - np.maximum.accumulate(np.where(starts, at, 0)) + 1
