"""Pricing summary."""

import pandas as pd

from answer import Answer

from .shared import column, day, ordered, revenue

KEYS = ["l_returnflag", "l_linestatus"]
MEASURES = ["l_quantity", "l_extendedprice", "l_discount", "l_tax"]


def program(tables, sql: str) -> Answer:
    lines = tables.read("lineitem", KEYS + MEASURES, column("l_shipdate") <= day(1998, 9, 2))
    lines = lines.assign(disc_price=revenue(lines))
    lines = lines.assign(taxes=lines.disc_price * lines.l_tax, one=1)
    summed = ["l_quantity", "l_extendedprice", "l_discount", "disc_price", "taxes", "one"]
    return Answer(
        lines.groupby(KEYS, sort=False)[summed].sum().reset_index(),
        finish,
        decimals={"sum_qty": 2, "sum_base_price": 2, "sum_disc_price": 4, "sum_charge": 6},
    )


def finish(sums: pd.DataFrame) -> pd.DataFrame:
    """`price * (1 - discount) * (1 + tax)` is the discounted price and its taxes: their sums fit 64 bits, the sum of the
    products would not from scale factor 100 on."""
    sums = ordered(sums, KEYS, [True, True])
    wide = sums.disc_price.astype(object) * 100 + sums.taxes.astype(object)
    return sums[KEYS].assign(
        sum_qty=sums.l_quantity,
        sum_base_price=sums.l_extendedprice,
        sum_disc_price=sums.disc_price,
        sum_charge=wide,
        avg_qty=sums.l_quantity / sums.one / 100,
        avg_price=sums.l_extendedprice / sums.one / 100,
        avg_disc=sums.l_discount / sums.one / 100,
        count_order=sums.one,
    )
