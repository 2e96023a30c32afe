"""What several programs need."""

from __future__ import annotations

import datetime

import dask.dataframe as dd
import pandas as pd
import pyarrow.compute as pc


def day(year: int, month: int, day: int) -> pc.Expression:
    return pc.scalar(datetime.date(year, month, day))


def column(name: str) -> pc.Expression:
    return pc.field(name)


def revenue(frame: dd.DataFrame) -> dd.Series:
    """Prices less discounts, with four digits after the point."""
    return frame.l_extendedprice * (100 - frame.l_discount)


def total(values: dd.Series) -> dd.Series:
    """The sum of a column and its number of rows: a sum of no rows is NULL."""
    return values.to_frame("value").assign(rows=1).sum()


def one_total(name: str, sums: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([int(sums.value) if sums.rows else None], dtype=object)})


def sums(frame: dd.DataFrame, by: list[str], what: str, groups_are_few: bool = True) -> dd.DataFrame:
    """The sums of a column by groups, as a frame. Many groups are spread over partitions."""
    grouped = frame.groupby(by, sort=False)[[what]]
    return grouped.sum(split_out=1 if groups_are_few else True).reset_index()


def first_rows(frame: dd.DataFrame, by: list[str], ascending: list[bool], rows: int) -> dd.DataFrame:
    """Of each partition the rows that may be among the first of all."""
    return frame.map_partitions(ordered, by, ascending, rows, meta=frame._meta)


def ordered(frame: pd.DataFrame, by: list[str], ascending: list[bool], rows: int | None = None) -> pd.DataFrame:
    """The rows in order, or the first of them. Text goes by its bytes."""
    return frame.sort_values(by, ascending=ascending, kind="stable", ignore_index=True).head(len(frame) if rows is None else rows)


def nations(tables, region: str | None = None) -> dd.DataFrame:
    """Keys and names of nations, of one region or all."""
    nation = tables.read("nation", ["n_nationkey", "n_name", "n_regionkey"])
    if region is not None:
        there = tables.read("region", ["r_regionkey"], column("r_name") == region)
        nation = nation.merge(there, left_on="n_regionkey", right_on="r_regionkey")
    return nation[["n_nationkey", "n_name"]]
