"""Product type profit."""

import pyarrow.compute as pc

from answer import Answer

from .shared import column, nations, ordered, revenue, sums

KEYS = ["nation", "o_year"]


def program(tables, sql: str) -> Answer:
    part = tables.read("part", ["p_partkey"], pc.match_substring(column("p_name"), "green"))
    supplier = tables.read("supplier", ["s_suppkey", "s_nationkey"])
    supplier = supplier.merge(nations(tables), left_on="s_nationkey", right_on="n_nationkey")[["s_suppkey", "n_name"]]
    offer = tables.read("partsupp", ["ps_partkey", "ps_suppkey", "ps_supplycost"])
    offer = offer.merge(part, left_on="ps_partkey", right_on="p_partkey")
    offer = offer.merge(supplier, left_on="ps_suppkey", right_on="s_suppkey")
    offer = offer[["ps_partkey", "ps_suppkey", "ps_supplycost", "n_name"]]
    columns = ["l_orderkey", "l_partkey", "l_suppkey", "l_quantity", "l_extendedprice", "l_discount"]
    lines = tables.read("lineitem", columns)
    lines = lines.merge(offer, left_on=["l_partkey", "l_suppkey"], right_on=["ps_partkey", "ps_suppkey"])
    lines = lines.assign(sum_profit=revenue(lines) - lines.ps_supplycost * lines.l_quantity)[["l_orderkey", "n_name", "sum_profit"]]
    order = tables.read("orders", ["o_orderkey", "o_orderdate"])
    joined = lines.merge(order, left_on="l_orderkey", right_on="o_orderkey")
    joined = joined.assign(o_year=joined.o_orderdate.dt.year).rename(columns={"n_name": "nation"})
    rows = sums(joined, KEYS, "sum_profit")
    return Answer(rows, lambda rows: ordered(rows, KEYS, [True, False]), {"sum_profit": 4})
