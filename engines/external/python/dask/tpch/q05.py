"""Local supplier volume."""

from answer import Answer

from .shared import column, day, nations, ordered, revenue, sums


def program(tables, sql: str) -> Answer:
    year = (column("o_orderdate") >= day(1994, 1, 1)) & (column("o_orderdate") < day(1995, 1, 1))
    order = tables.read("orders", ["o_orderkey", "o_custkey"], year)
    supplier = tables.read("supplier", ["s_suppkey", "s_nationkey"])
    supplier = supplier.merge(nations(tables, "ASIA"), left_on="s_nationkey", right_on="n_nationkey")
    customer = tables.read("customer", ["c_custkey", "c_nationkey"])
    lines = tables.read("lineitem", ["l_orderkey", "l_suppkey", "l_extendedprice", "l_discount"])
    lines = lines.merge(supplier, left_on="l_suppkey", right_on="s_suppkey")
    order = order.merge(customer, left_on="o_custkey", right_on="c_custkey")
    joined = lines.merge(order, left_on=["l_orderkey", "s_nationkey"], right_on=["o_orderkey", "c_nationkey"])
    rows = sums(joined.assign(revenue=revenue(joined)), ["n_name"], "revenue")
    return Answer(rows, lambda rows: ordered(rows, ["revenue"], [False]), {"revenue": 4})
