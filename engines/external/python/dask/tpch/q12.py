"""Shipping modes and order priority."""

import pyarrow as pa

from answer import Answer

from .shared import column, day, ordered


def program(tables, sql: str) -> Answer:
    where = column("l_shipmode").isin(pa.array(["MAIL", "SHIP"]))
    where &= (column("l_commitdate") < column("l_receiptdate")) & (column("l_shipdate") < column("l_commitdate"))
    where &= (column("l_receiptdate") >= day(1994, 1, 1)) & (column("l_receiptdate") < day(1995, 1, 1))
    lines = tables.read("lineitem", ["l_orderkey", "l_shipmode"], where)
    order = tables.read("orders", ["o_orderkey", "o_orderpriority"])
    joined = lines.merge(order, left_on="l_orderkey", right_on="o_orderkey")
    high = joined.o_orderpriority.isin(["1-URGENT", "2-HIGH"]).astype("int64")
    joined = joined.assign(high_line_count=high, low_line_count=1 - high)
    counts = joined.groupby("l_shipmode", sort=False)[["high_line_count", "low_line_count"]].sum().reset_index()
    return Answer(counts, lambda rows: ordered(rows, ["l_shipmode"], [True]))
