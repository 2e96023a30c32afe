"""Customer distribution."""

import pyarrow.compute as pc

from answer import Answer

from .shared import column, ordered


def program(tables, sql: str) -> Answer:
    ordinary = ~pc.match_substring_regex(column("o_comment"), "special.*requests")
    order = tables.read("orders", ["o_custkey"], ordinary)
    counts = order.groupby("o_custkey", sort=False).size(split_out=True).rename("c_count").reset_index()
    customer = tables.read("customer", ["c_custkey"])
    joined = customer.merge(counts, left_on="c_custkey", right_on="o_custkey", how="left")
    joined = joined.assign(c_count=joined.c_count.fillna(0).astype("int64"))
    distribution = joined.groupby("c_count", sort=False).size().rename("custdist").reset_index()
    return Answer(distribution, lambda rows: ordered(rows, ["custdist", "c_count"], [False, False]))
