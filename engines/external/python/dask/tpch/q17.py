"""Small quantity order revenue."""

import pandas as pd

from answer import Answer

from .shared import column, total


def program(tables, sql: str) -> Answer:
    part = tables.read("part", ["p_partkey"], (column("p_brand") == "Brand#23") & (column("p_container") == "MED BOX"))
    lines = tables.read("lineitem", ["l_partkey", "l_quantity", "l_extendedprice"])
    lines = lines.merge(part, left_on="l_partkey", right_on="p_partkey")[["l_partkey", "l_quantity", "l_extendedprice"]]
    by_part = lines.assign(one=1).groupby("l_partkey", sort=False)[["l_quantity", "one"]].sum()
    by_part = by_part.rename(columns={"l_quantity": "all_quantity"}).reset_index()
    joined = lines.merge(by_part, on="l_partkey")
    # quantity < 0.2 * sum / count, in integers
    small = joined[joined.l_quantity * joined.one * 5 < joined.all_quantity]
    return Answer(total(small.l_extendedprice), finish)


def finish(sums: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"avg_yearly": pd.array([int(sums.value) / 700 if sums.rows else None], dtype="Float64")})
