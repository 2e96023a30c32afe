"""Potential part promotion."""

import pyarrow.compute as pc

from answer import Answer

from .shared import column, day, nations, ordered, sums


def program(tables, sql: str) -> Answer:
    forest = tables.read("part", ["p_partkey"], pc.starts_with(column("p_name"), "forest"))
    offer = tables.read("partsupp", ["ps_partkey", "ps_suppkey", "ps_availqty"])
    offer = offer.merge(forest, left_on="ps_partkey", right_on="p_partkey")
    # availqty > 0.5 * sum, where quantities have two digits after the point
    offer = offer.assign(bound=offer.ps_availqty.astype("int64") * 200)[["ps_partkey", "ps_suppkey", "bound"]]
    year = (column("l_shipdate") >= day(1994, 1, 1)) & (column("l_shipdate") < day(1995, 1, 1))
    lines = tables.read("lineitem", ["l_partkey", "l_suppkey", "l_quantity"], year)
    sold = lines.merge(offer, left_on=["l_partkey", "l_suppkey"], right_on=["ps_partkey", "ps_suppkey"])
    sold = sums(sold, ["ps_partkey", "ps_suppkey", "bound"], "l_quantity", groups_are_few=False)
    surplus = sold.query("bound > l_quantity")[["ps_suppkey"]]
    canadian = nations(tables)
    canadian = canadian[canadian.n_name == "CANADA"]
    supplier = tables.read("supplier", ["s_suppkey", "s_name", "s_address", "s_nationkey"])
    supplier = supplier.merge(canadian, left_on="s_nationkey", right_on="n_nationkey")
    # `how="leftsemi"` repeats rows of the left side where Dask joins with a table of one partition.
    found = supplier.merge(surplus.drop_duplicates(), left_on="s_suppkey", right_on="ps_suppkey")
    return Answer(found[["s_name", "s_address"]], lambda rows: ordered(rows, ["s_name"], [True]))
