"""Promotion effect."""

import pandas as pd

from answer import Answer

from .shared import column, day, revenue


def program(tables, sql: str) -> Answer:
    month = (column("l_shipdate") >= day(1995, 9, 1)) & (column("l_shipdate") < day(1995, 10, 1))
    lines = tables.read("lineitem", ["l_partkey", "l_extendedprice", "l_discount"], month)
    part = tables.read("part", ["p_partkey", "p_type"])
    joined = lines.merge(part, left_on="l_partkey", right_on="p_partkey")
    joined = joined.assign(all_parts=revenue(joined))
    joined = joined.assign(promoted=joined.all_parts.where(joined.p_type.str.startswith("PROMO"), 0))
    return Answer(joined[["promoted", "all_parts"]].sum(), finish)


def finish(sums: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"promo_revenue": pd.array([100 * int(sums.promoted) / int(sums.all_parts) if sums.all_parts else None], dtype="Float64")})
