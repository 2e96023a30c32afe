"""Discounted revenue."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from answer import Answer

from .shared import column, one_total, revenue, total

KINDS = [
    ("Brand#12", ["SM CASE", "SM BOX", "SM PACK", "SM PKG"], 1, 11, 5),
    ("Brand#23", ["MED BAG", "MED BOX", "MED PKG", "MED PACK"], 10, 20, 10),
    ("Brand#34", ["LG CASE", "LG BOX", "LG PACK", "LG PKG"], 20, 30, 15),
]


def program(tables, sql: str) -> Answer:
    """What concerns one table alone is applied while reading it; brand and quantity meet after the join."""
    where = column("l_shipmode").isin(pa.array(["AIR", "AIR REG"])) & (column("l_shipinstruct") == "DELIVER IN PERSON")
    where &= (column("l_quantity") >= pc.scalar(Decimal("1.00"))) & (column("l_quantity") <= pc.scalar(Decimal("30.00")))
    lines = tables.read("lineitem", ["l_partkey", "l_quantity", "l_extendedprice", "l_discount"], where)
    part = tables.read("part", ["p_partkey", "p_brand"], any_of(part_of(*kind) for kind in KINDS))
    joined = lines.merge(part, left_on="l_partkey", right_on="p_partkey")
    kept = joined[any_of(quantity_of(joined, *kind) for kind in KINDS)]
    return Answer(total(revenue(kept)), lambda sums: one_total("revenue", sums), {"revenue": 4})


def part_of(brand, containers, low, high, size):
    fits = (column("p_size") >= 1) & (column("p_size") <= size)
    return (column("p_brand") == brand) & column("p_container").isin(pa.array(containers)) & fits


def quantity_of(joined, brand, containers, low, high, size):
    return (joined.p_brand == brand) & (joined.l_quantity >= low * 100) & (joined.l_quantity <= high * 100)


def any_of(conditions):
    first, *others = conditions
    for condition in others:
        first |= condition
    return first
