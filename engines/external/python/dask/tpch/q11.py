"""Important stock identification."""

import re
from decimal import Decimal

import pandas as pd

from answer import Answer

from .shared import nations, ordered, sums


def program(tables, sql: str) -> Answer:
    german = nations(tables)
    german = german[german.n_name == "GERMANY"]
    supplier = tables.read("supplier", ["s_suppkey", "s_nationkey"])
    supplier = supplier.merge(german, left_on="s_nationkey", right_on="n_nationkey")[["s_suppkey"]]
    offer = tables.read("partsupp", ["ps_partkey", "ps_suppkey", "ps_supplycost", "ps_availqty"])
    offer = offer.merge(supplier, left_on="ps_suppkey", right_on="s_suppkey")
    offer = offer.assign(value=offer.ps_supplycost * offer.ps_availqty)
    values = sums(offer, ["ps_partkey"], "value", groups_are_few=False)
    # Integers on both sides: the share is a decimal, and a binary fraction could put a part on the wrong side.
    above, below = fraction(sql).as_integer_ratio()
    rows = values.assign(total=values.value.sum())
    return Answer(rows, lambda rows: finish(rows, above, below), {"value": 2})


def finish(rows: pd.DataFrame, above: int, below: int) -> pd.DataFrame:
    bound = int(rows.total.iloc[0]) * above // below if len(rows) else 0
    # An integer is above a fraction exactly if it is above its integer part.
    return ordered(rows[rows.value > bound][["ps_partkey", "value"]], ["value"], [False])


def fraction(sql: str) -> Decimal:
    """The share, the one parameter that depends on the scale."""
    return Decimal(re.search(r"ps_availqty\)\s*\*\s*([0-9.]+)", sql)[1])
