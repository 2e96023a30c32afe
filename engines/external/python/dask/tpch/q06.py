"""Forecasting revenue change."""

from decimal import Decimal

import pyarrow.compute as pc

from answer import Answer

from .shared import column, day, one_total, total


def program(tables, sql: str) -> Answer:
    where = (column("l_shipdate") >= day(1994, 1, 1)) & (column("l_shipdate") < day(1995, 1, 1))
    where &= (column("l_discount") >= pc.scalar(Decimal("0.05"))) & (column("l_discount") <= pc.scalar(Decimal("0.07")))
    where &= column("l_quantity") < pc.scalar(Decimal("24.00"))
    lines = tables.read("lineitem", ["l_extendedprice", "l_discount"], where)
    changed = total(lines.l_extendedprice * lines.l_discount)
    return Answer(changed, lambda sums: one_total("revenue", sums), {"revenue": 4})
