"""Returned item reporting."""

from answer import Answer

from .shared import column, day, first_rows, nations, ordered, revenue, sums

ORDER = (["revenue"], [False], 20)
ANSWER = ["c_custkey", "c_name", "revenue", "c_acctbal", "n_name", "c_address", "c_phone", "c_comment"]


def program(tables, sql: str) -> Answer:
    """The other keys of the groups are columns of the customer: the sums are by customer, and they are joined later."""
    quarter = (column("o_orderdate") >= day(1993, 10, 1)) & (column("o_orderdate") < day(1994, 1, 1))
    order = tables.read("orders", ["o_orderkey", "o_custkey"], quarter)
    lines = tables.read("lineitem", ["l_orderkey", "l_extendedprice", "l_discount"], column("l_returnflag") == "R")
    lines = lines.assign(revenue=revenue(lines))[["l_orderkey", "revenue"]]
    joined = lines.merge(order, left_on="l_orderkey", right_on="o_orderkey")
    by_customer = sums(joined, ["o_custkey"], "revenue", groups_are_few=False)
    columns = ["c_custkey", "c_name", "c_address", "c_nationkey", "c_phone", "c_acctbal", "c_comment"]
    customer = tables.read("customer", columns).merge(nations(tables), left_on="c_nationkey", right_on="n_nationkey")
    rows = by_customer.merge(customer, left_on="o_custkey", right_on="c_custkey")[ANSWER]
    return Answer(first_rows(rows, *ORDER), lambda rows: ordered(rows, *ORDER), {"revenue": 4, "c_acctbal": 2})
