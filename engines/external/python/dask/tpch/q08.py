"""National market share."""

import pandas as pd

from answer import Answer

from .shared import column, day, nations, ordered, revenue


def program(tables, sql: str) -> Answer:
    part = tables.read("part", ["p_partkey"], column("p_type") == "ECONOMY ANODIZED STEEL")
    american = nations(tables, "AMERICA")[["n_nationkey"]]
    customer = tables.read("customer", ["c_custkey", "c_nationkey"])
    customer = customer.merge(american, left_on="c_nationkey", right_on="n_nationkey")[["c_custkey"]]
    years = (column("o_orderdate") >= day(1995, 1, 1)) & (column("o_orderdate") <= day(1996, 12, 31))
    order = tables.read("orders", ["o_orderkey", "o_custkey", "o_orderdate"], years)
    order = order.merge(customer, left_on="o_custkey", right_on="c_custkey")[["o_orderkey", "o_orderdate"]]
    supplier = tables.read("supplier", ["s_suppkey", "s_nationkey"])
    supplier = supplier.merge(nations(tables), left_on="s_nationkey", right_on="n_nationkey")[["s_suppkey", "n_name"]]
    lines = tables.read("lineitem", ["l_orderkey", "l_partkey", "l_suppkey", "l_extendedprice", "l_discount"])
    lines = lines.merge(part, left_on="l_partkey", right_on="p_partkey")
    lines = lines.merge(supplier, left_on="l_suppkey", right_on="s_suppkey")
    joined = lines.merge(order, left_on="l_orderkey", right_on="o_orderkey")
    joined = joined.assign(o_year=joined.o_orderdate.dt.year, volume=revenue(joined))
    joined = joined.assign(brazil=joined.volume.where(joined.n_name == "BRAZIL", 0))
    return Answer(joined.groupby("o_year", sort=False)[["brazil", "volume"]].sum().reset_index(), finish)


def finish(sums: pd.DataFrame) -> pd.DataFrame:
    sums = ordered(sums, ["o_year"], [True])
    return sums[["o_year"]].assign(mkt_share=sums.brazil / sums.volume)
