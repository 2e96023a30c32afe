"""Top supplier."""

from answer import Answer

from .shared import column, day, ordered, revenue, sums

ANSWER = ["s_suppkey", "s_name", "s_address", "s_phone", "total_revenue"]


def program(tables, sql: str) -> Answer:
    quarter = (column("l_shipdate") >= day(1996, 1, 1)) & (column("l_shipdate") < day(1996, 4, 1))
    lines = tables.read("lineitem", ["l_suppkey", "l_extendedprice", "l_discount"], quarter)
    totals = sums(lines.assign(total_revenue=revenue(lines)), ["l_suppkey"], "total_revenue")
    best = totals[totals.total_revenue == totals.total_revenue.max()]
    supplier = tables.read("supplier", ["s_suppkey", "s_name", "s_address", "s_phone"])
    rows = supplier.merge(best, left_on="s_suppkey", right_on="l_suppkey")[ANSWER]
    return Answer(rows, lambda rows: ordered(rows, ["s_suppkey"], [True]), {"total_revenue": 4})
