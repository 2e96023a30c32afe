"""Suppliers who kept orders waiting."""

import dask.dataframe as dd

from answer import Answer

from .shared import column, first_rows, nations, ordered

ORDER = (["numwait", "s_name"], [False, True], 100)


def program(tables, sql: str) -> Answer:
    """An order qualifies if it has two suppliers and only one of them was late: the least and the largest number of its
    suppliers differ, and those of its late suppliers do not."""
    pairs = ["l_orderkey", "l_suppkey"]
    late = tables.read("lineitem", pairs, column("l_receiptdate") > column("l_commitdate"))
    failed = tables.read("orders", ["o_orderkey"], column("o_orderstatus") == "F")
    several = suppliers_of(tables.read("lineitem", pairs)).query("least != largest")[["l_orderkey"]]
    alone = suppliers_of(late).query("least == largest")[["l_orderkey"]]
    orders = several.merge(alone, on="l_orderkey")
    orders = orders.merge(failed, left_on="l_orderkey", right_on="o_orderkey")[["l_orderkey"]]
    saudi = nations(tables)
    saudi = saudi[saudi.n_name == "SAUDI ARABIA"]
    supplier = tables.read("supplier", ["s_suppkey", "s_name", "s_nationkey"])
    supplier = supplier.merge(saudi, left_on="s_nationkey", right_on="n_nationkey")[["s_suppkey", "s_name"]]
    waiting = late.merge(supplier, left_on="l_suppkey", right_on="s_suppkey").merge(orders, on="l_orderkey")
    counts = waiting.groupby("s_name", sort=False).size().rename("numwait").reset_index()
    return Answer(first_rows(counts, *ORDER), lambda rows: ordered(rows, *ORDER))


def suppliers_of(lines: dd.DataFrame) -> dd.DataFrame:
    """The least and the largest number of the suppliers of each order."""
    lines = lines.assign(least=lines.l_suppkey, largest=lines.l_suppkey)
    groups = lines.groupby("l_orderkey", sort=False)
    return groups.agg({"least": "min", "largest": "max"}, split_out=True).reset_index()
