"""Shipping priority."""

from answer import Answer

from .shared import column, day, first_rows, ordered, revenue, sums

ORDER = (["revenue", "o_orderdate"], [False, True], 10)
KEYS = ["l_orderkey", "o_orderdate", "o_shippriority"]


def program(tables, sql: str) -> Answer:
    customer = tables.read("customer", ["c_custkey"], column("c_mktsegment") == "BUILDING")
    columns = ["o_orderkey", "o_custkey", "o_orderdate", "o_shippriority"]
    order = tables.read("orders", columns, column("o_orderdate") < day(1995, 3, 15))
    columns = ["l_orderkey", "l_extendedprice", "l_discount"]
    lines = tables.read("lineitem", columns, column("l_shipdate") > day(1995, 3, 15))
    order = order.merge(customer, left_on="o_custkey", right_on="c_custkey")
    lines = lines.assign(revenue=revenue(lines))[["l_orderkey", "revenue"]]
    joined = lines.merge(order[["o_orderkey", "o_orderdate", "o_shippriority"]], left_on="l_orderkey", right_on="o_orderkey")
    rows = sums(joined, KEYS, "revenue", groups_are_few=False)[["l_orderkey", "revenue", "o_orderdate", "o_shippriority"]]
    return Answer(first_rows(rows, *ORDER), lambda rows: ordered(rows, *ORDER), {"revenue": 4}, ("o_orderdate",))
