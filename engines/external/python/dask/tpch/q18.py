"""Large volume customer."""

from answer import Answer

from .shared import first_rows, ordered, sums

ORDER = (["o_totalprice", "o_orderdate"], [False, True], 100)
ANSWER = ["c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice", "sum_qty"]


def program(tables, sql: str) -> Answer:
    """The quantity of an order is what the condition sums already."""
    lines = tables.read("lineitem", ["l_orderkey", "l_quantity"]).rename(columns={"l_quantity": "sum_qty"})
    large = sums(lines, ["l_orderkey"], "sum_qty", groups_are_few=False)
    large = large[large.sum_qty > 300_00]
    order = tables.read("orders", ["o_orderkey", "o_custkey", "o_orderdate", "o_totalprice"])
    order = order.merge(large, left_on="o_orderkey", right_on="l_orderkey")
    customer = tables.read("customer", ["c_custkey", "c_name"])
    rows = order.merge(customer, left_on="o_custkey", right_on="c_custkey")[ANSWER]
    decimals = {"o_totalprice": 2, "sum_qty": 2}
    return Answer(first_rows(rows, *ORDER), lambda rows: ordered(rows, *ORDER), decimals, ("o_orderdate",))
