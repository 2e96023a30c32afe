"""Dataframe programs as lazy frames. Polars reads SQL expressions itself (`polars.sql_expr`) and makes its own of them."""

from __future__ import annotations

import polars as pl

from bench_driver import ProgramError
from bench_driver.expressions import aggregates_of, parse
from bench_driver.steps import Distinct, Filter, Group, Join, Limit, Pivot, Scan, Select, Sort, Window


def apply(tables: dict[str, pl.LazyFrame], steps) -> pl.LazyFrame:
    frame = None
    for step in steps:
        if isinstance(step, Scan):
            if step.table not in tables:
                raise ProgramError(f"there is no table `{step.table}`; known: {', '.join(tables)}")
            frame = tables[step.table]
        else:
            frame = one(tables, frame, step)
    return frame


def one(tables: dict[str, pl.LazyFrame], frame: pl.LazyFrame, step) -> pl.LazyFrame:
    match step:
        case Filter(text):
            return frame.filter(pl.sql_expr(text))
        case Select(columns):
            return frame.select(pl.sql_expr(list(columns)))
        case Group(by, agg):
            return group(frame, by, pl.sql_expr([aggregate(text) for text in agg]))
        case Window(columns):
            return frame.with_columns(pl.sql_expr(list(columns)))
        case Sort(keys):
            return frame.sort(
                [key.column for key in keys],
                descending=[key.descending for key in keys],
                nulls_last=[not key.nulls_first for key in keys],
            )
        case Limit(rows):
            return frame.head(rows)
        case Distinct():
            return frame.unique()
        case Pivot(by, column, values, value):
            cells = [f"{value} FILTER (WHERE {column} = {literal}) AS \"{title(literal)}\"" for literal in values]
            return group(frame, by, pl.sql_expr(cells))
        case Join(table, on, how, prepared):
            right = apply(tables, [Scan(table), *prepared])
            return frame.join(
                right,
                left_on=[left for left, _ in on],
                right_on=[right for _, right in on],
                how=how,
                # A right key of another name stays, as in SQL; one of the same name is dropped.
                coalesce=all(left == right for left, right in on),
            )


def group(frame: pl.LazyFrame, by, aggregates) -> pl.LazyFrame:
    return frame.group_by(pl.sql_expr(list(by))).agg(aggregates) if by else frame.select(aggregates)


def aggregate(text: str) -> str:
    if not aggregates_of(parse(text).expr):
        raise ProgramError(f"`{text}` in a group step is not an aggregate; put it into `by`")
    return text


def title(literal: str) -> str:
    return literal.strip("'").replace('"', "")
