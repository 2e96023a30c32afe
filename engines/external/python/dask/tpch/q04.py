"""Order priority checking."""

from answer import Answer

from .shared import column, day, ordered


def program(tables, sql: str) -> Answer:
    quarter = (column("o_orderdate") >= day(1993, 7, 1)) & (column("o_orderdate") < day(1993, 10, 1))
    order = tables.read("orders", ["o_orderkey", "o_orderpriority"], quarter)
    late = tables.read("lineitem", ["l_orderkey"], column("l_commitdate") < column("l_receiptdate"))
    late = late.drop_duplicates(split_out=True)
    found = order.merge(late, left_on="o_orderkey", right_on="l_orderkey")
    counts = found.groupby("o_orderpriority", sort=False).size().rename("order_count").reset_index()
    return Answer(counts, lambda rows: ordered(rows, ["o_orderpriority"], [True]))
