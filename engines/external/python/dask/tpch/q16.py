"""Parts and supplier relationship."""

import pyarrow as pa
import pyarrow.compute as pc

from answer import Answer

from .shared import column, ordered

KEYS = ["p_brand", "p_type", "p_size"]


def program(tables, sql: str) -> Answer:
    where = (column("p_brand") != "Brand#45") & ~pc.starts_with(column("p_type"), "MEDIUM POLISHED")
    where &= column("p_size").isin(pa.array([49, 14, 23, 45, 19, 3, 36, 9], pa.int32()))
    part = tables.read("part", ["p_partkey", *KEYS], where)
    complained = pc.match_substring_regex(column("s_comment"), "Customer.*Complaints")
    complaints = tables.read("supplier", ["s_suppkey"], complained)
    offer = tables.read("partsupp", ["ps_partkey", "ps_suppkey"])
    offer = offer.merge(part, left_on="ps_partkey", right_on="p_partkey")
    offer = offer.merge(complaints, left_on="ps_suppkey", right_on="s_suppkey", how="left", indicator=True)
    kept = offer[offer._merge == "left_only"][[*KEYS, "ps_suppkey"]].drop_duplicates(split_out=True)
    counts = kept.groupby(KEYS, sort=False).size().rename("supplier_cnt").reset_index()
    return Answer(counts, lambda rows: ordered(rows, ["supplier_cnt", *KEYS], [False, True, True, True]))
