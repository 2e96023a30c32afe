"""Global sales opportunity."""

import pyarrow as pa
import pyarrow.compute as pc

from answer import Answer

from .shared import column, ordered

CODES = ["13", "31", "23", "29", "30", "18", "17"]


def program(tables, sql: str) -> Answer:
    there = pc.utf8_slice_codeunits(column("c_phone"), 0, 2).isin(pa.array(CODES))
    customer = tables.read("customer", ["c_custkey", "c_phone", "c_acctbal"], there)
    positive = customer[customer.c_acctbal > 0].c_acctbal
    # balance > sum / count, in integers
    rich = customer[customer.c_acctbal * positive.count() > positive.sum()]
    order = tables.read("orders", ["o_custkey"]).drop_duplicates(split_out=True)
    idle = rich.merge(order, left_on="c_custkey", right_on="o_custkey", how="left", indicator=True)
    idle = idle[idle._merge == "left_only"]
    idle = idle.assign(cntrycode=idle.c_phone.str.slice(0, 2), numcust=1, totacctbal=idle.c_acctbal)
    sums = idle.groupby("cntrycode", sort=False)[["numcust", "totacctbal"]].sum().reset_index()
    return Answer(sums, lambda rows: ordered(rows, ["cntrycode"], [True]), {"totacctbal": 2})
