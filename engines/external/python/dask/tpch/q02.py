"""Minimum cost supplier."""

import pyarrow.compute as pc

from answer import Answer

from .shared import column, first_rows, nations, ordered

ORDER = (["s_acctbal", "n_name", "s_name", "p_partkey"], [False, True, True, True], 100)
ANSWER = ["s_acctbal", "s_name", "n_name", "p_partkey", "p_mfgr", "s_address", "s_phone", "s_comment"]


def program(tables, sql: str) -> Answer:
    brass = (column("p_size") == 15) & pc.ends_with(column("p_type"), pattern="BRASS")
    part = tables.read("part", ["p_partkey", "p_mfgr"], brass)
    there = ["s_suppkey", "s_name", "s_address", "s_nationkey", "s_phone", "s_acctbal", "s_comment"]
    supplier = tables.read("supplier", there).merge(nations(tables, "EUROPE"), left_on="s_nationkey", right_on="n_nationkey")
    offer = tables.read("partsupp", ["ps_partkey", "ps_suppkey", "ps_supplycost"])
    offer = offer.merge(part, left_on="ps_partkey", right_on="p_partkey")
    offer = offer.merge(supplier, left_on="ps_suppkey", right_on="s_suppkey")
    cheapest = offer.groupby("p_partkey", sort=False)[["ps_supplycost"]].min().reset_index()
    best = offer.merge(cheapest, on=["p_partkey", "ps_supplycost"])
    return Answer(first_rows(best[ANSWER], *ORDER), lambda rows: ordered(rows, *ORDER), decimals={"s_acctbal": 2})
