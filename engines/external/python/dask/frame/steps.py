"""The steps of a program as operations on Dask DataFrames. Nothing runs here."""

from __future__ import annotations

from collections.abc import Sequence

import dask.dataframe as dd
import pandas as pd
from bench_driver import ProgramError, Unsupported
from bench_driver import expressions as e
from bench_driver import steps as s

from answer import Answer

from .expressions import holds, value
from .groups import group, pivot
from .windows import window


def translate(steps: Sequence[s.Step], tables) -> Answer:
    """The whole program."""
    return Answer(apply(tables.scan(steps[0].table), steps[1:], tables), lambda rows: rows.reset_index(drop=True))


def apply(frame: dd.DataFrame, steps: Sequence[s.Step], tables) -> dd.DataFrame:
    following = list(steps[1:]) + [None]
    skip = False
    for step, after in zip(steps, following):
        if skip:
            skip = False
        elif isinstance(step, s.Sort) and isinstance(after, s.Limit):
            frame, skip = first_rows(frame, step.keys, after.rows), True
        else:
            frame = apply_one(frame, step, tables)
    return frame


def apply_one(frame: dd.DataFrame, step: s.Step, tables) -> dd.DataFrame:
    match step:
        case s.Filter(text):
            return frame[holds(frame, e.parse_predicate(text))]
        case s.Select(columns):
            return select(frame, columns)
        case s.Group(by, agg):
            return group(frame, by, agg)
        case s.Pivot():
            return pivot(frame, step)
        case s.Join():
            return join(frame, step, apply(tables.scan(step.table), step.steps, tables))
        case s.Window(columns):
            return window(frame, columns)
        case s.Distinct():
            return frame.drop_duplicates(split_out=True)
        case s.Sort(keys):
            return sort(frame, keys)
        case s.Limit(rows):
            return frame.head(rows, npartitions=-1, compute=False)
    raise Unsupported(f"no Dask operation for the step {step!r}")


def select(frame: dd.DataFrame, texts: Sequence[str]) -> dd.DataFrame:
    """Columns are renamed where that is all, and computed otherwise."""
    named = [e.parse(text) for text in texts]
    if any(one.name is None for one in named):
        raise ProgramError(f"a computed column needs a name, `... AS name`: {', '.join(texts)}")
    sources = [one.expr.name if isinstance(one.expr, e.Column) else None for one in named]
    if None not in sources and len(set(sources)) == len(sources):
        for one in named:
            value(frame, one.expr)
        renamed = {source: one.name for source, one in zip(sources, named) if source != one.name}
        frame = frame[sources]
        return frame.rename(columns=renamed) if renamed else frame
    # Under names that no column has: a new name may be that of a column that another expression needs.
    columns = {f"__new{at}": value(frame, one.expr) for at, one in enumerate(named)}
    return frame.assign(**columns)[list(columns)].rename(columns=dict(zip(columns, (one.name for one in named))))


def sort(frame: dd.DataFrame, keys: Sequence[s.Key]) -> dd.DataFrame:
    by, ascending, position = order(frame, keys)
    return frame.sort_values(by, ascending=ascending, na_position=position)


def order(frame: dd.DataFrame, keys: Sequence[s.Key]) -> tuple[list[str], list[bool], str]:
    for key in keys:
        value(frame, e.Column(key.column))
    if len({key.nulls_first for key in keys}) > 1:
        raise Unsupported("Dask puts NULLs at one end for all keys of an order")
    position = "first" if keys[0].nulls_first else "last"
    return [key.column for key in keys], [not key.descending for key in keys], position


def first_rows(frame: dd.DataFrame, keys: Sequence[s.Key], rows: int) -> dd.DataFrame:
    """Of each partition the first rows, and of all those again."""
    how = order(frame, keys)
    meta = frame._meta
    candidates = frame.map_partitions(first_of, *how, rows, meta=meta)
    return candidates.repartition(npartitions=1).map_partitions(first_of, *how, rows, meta=meta)


def first_of(frame: pd.DataFrame, by: list[str], ascending: list[bool], position: str, rows: int) -> pd.DataFrame:
    return frame.sort_values(by, ascending=ascending, na_position=position, kind="stable").head(rows)


def join(left: dd.DataFrame, step: s.Join, right: dd.DataFrame) -> dd.DataFrame:
    """NULL keys match nothing in SQL; pandas would match them with each other."""
    left_keys, right_keys = [name for name, _ in step.on], [name for _, name in step.on]
    for side, keys in ((left, left_keys), (right, right_keys)):
        for key in keys:
            value(side, e.Column(key))
    right = right.dropna(subset=right_keys)
    # Of a key that both sides call the same, the right copy is dropped.
    same = {key: f"__right_{key}" for key, other in step.on if key == other}
    right, right_keys = right.rename(columns=same), [same.get(key, key) for key in right_keys]
    if step.how in ("semi", "anti"):
        return semi_join(left, right[right_keys], left_keys, right_keys, step.how)
    twice = set(left.columns) & set(right.columns)
    if twice:
        raise ProgramError(f"both sides of the join with `{step.table}` have a column `{min(twice)}`")
    if step.how == "left":
        right = nullable(right)
    joined = left.merge(right, left_on=left_keys, right_on=right_keys, how=step.how)
    return joined.drop(columns=list(same.values())) if same else joined


def semi_join(left: dd.DataFrame, keys: dd.DataFrame, left_keys: list[str], right_keys: list[str], how: str) -> dd.DataFrame:
    keys = keys.rename(columns={key: f"__key_{key}" for key in right_keys}).drop_duplicates(split_out=True)
    found = left.merge(keys, left_on=left_keys, right_on=list(keys.columns), how="left", indicator="__found")
    return found[found["__found"] == ("both" if how == "semi" else "left_only")][list(left.columns)]


def nullable(frame: dd.DataFrame) -> dd.DataFrame:
    """Integers of a type that has NULLs: where nothing matches, pandas would make floating point of them."""
    kinds = {"int8": "Int8", "int16": "Int16", "int32": "Int32", "int64": "Int64", "bool": "boolean"}
    return frame.astype({name: kinds[str(kind)] for name, kind in frame.dtypes.items() if str(kind) in kinds})
