"""What runs on whole blocks, where Ray Data has no operator: windows, correlations and the first rows of an order.

`map_groups` would call Python once per group; it is itself a hash repartition and a `map_batches` over whole blocks, which is what
most of these functions are for: each is given all rows of its keys and computes all groups at once. `Moments` and `First` come before
a shuffle, and leave little to shuffle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Ranked:
    """`rank()` or `row_number()` over partitions."""

    function: str
    partition: tuple[str, ...]
    order: tuple[tuple[str, bool, bool], ...]
    """Column, descending, nulls first."""
    name: str

    def __call__(self, rows: pa.Table) -> pa.Table:
        keys = [(f"__p{i}", "ascending", "at_start") for i in range(len(self.partition))]
        sortable = {f"__p{i}": codes(rows[column]) for i, column in enumerate(self.partition)}
        for i, (column, descending, nulls_first) in enumerate(self.order):
            place = "at_start" if nulls_first else "at_end"
            sortable[f"__o{i}"] = rows[column]
            keys.append((f"__o{i}", "descending" if descending else "ascending", place))
        order = pc.sort_indices(pa.table(sortable), sort_keys=keys).to_numpy()
        new_group = changes([sortable[name] for name, _, _ in keys[: len(self.partition)]], order)
        position = np.arange(len(order))
        first = np.maximum.accumulate(np.where(new_group, position, 0))
        place = position - first
        if self.function == "rank":
            tie = changes([sortable[name] for name, _, _ in keys], order)
            place = np.maximum.accumulate(np.where(tie, position, 0)) - first
        ranked = np.empty(len(order), dtype=np.int64)
        ranked[order] = place + 1
        return rows.append_column(self.name, pa.array(ranked))


@dataclass(frozen=True)
class Totalled:
    """`sum`, `min`, `max`, `avg` or `count` of a column over whole partitions."""

    function: str
    partition: tuple[str, ...]
    argument: str
    name: str

    def __call__(self, rows: pa.Table) -> pa.Table:
        function = {"avg": "mean"}.get(self.function, self.function)
        keys = list(self.partition)
        totals = pa.table({**{key: codes(rows[key]) for key in keys}, "value": rows[self.argument]})
        numbered = totals.append_column("__row", pa.array(np.arange(len(rows))))
        grouped = totals.group_by(keys).aggregate([("value", function)])
        joined = numbered.select(keys + ["__row"]).join(grouped, keys, join_type="inner").sort_by("__row")
        return rows.append_column(self.name, joined[f"value_{function}"])


MOMENTS = ("__n", "__x", "__y", "__xx", "__yy", "__xy")
"""Pairs, their two means, and the sums of products of what lies beyond these means."""


@dataclass(frozen=True)
class Moments:
    """What a block's rows add to `corr(x, y)` by groups: a row for each group, so that few rows are shuffled. Each block's means are taken
    off first, so that large values lose no digits."""

    by: tuple[str, ...]
    x: str
    y: str

    def __call__(self, rows: pa.Table) -> pa.Table:
        group, first = numbered_groups([rows[key] for key in self.by])
        x, y = (pc.cast(rows[column], pa.float64()).to_numpy() for column in (self.x, self.y))
        paired = (pc.is_valid(rows[self.x]).to_numpy() & pc.is_valid(rows[self.y]).to_numpy()).astype(bool)
        of, x, y = group[paired], x[paired], y[paired]
        n = sums(of, np.ones(len(of)), len(first))
        with np.errstate(invalid="ignore", over="ignore"):
            means = [mean(of, values, n) for values in (x, y)]
            x, y = x - means[0][of], y - means[1][of]
            products = [sums(of, values, len(first)) for values in (x * x, y * y, x * y)]
        return keyed(rows, self.by, first, dict(zip(MOMENTS, (n, *means, *products))))


@dataclass(frozen=True)
class Correlated:
    """`corr` from the moments of all blocks that have rows of these groups (Chan, Golub and LeVeque, 1983)."""

    by: tuple[str, ...]
    name: str

    def __call__(self, rows: pa.Table) -> pa.Table:
        group, first = numbered_groups([rows[key] for key in self.by])
        # A block without pairs has no means.
        kept = rows["__n"].to_numpy() > 0
        of, (n, x, y, xx, yy, xy) = group[kept], (rows[moment].to_numpy()[kept] for moment in MOMENTS)

        def total(values: np.ndarray) -> np.ndarray:
            return sums(of, values, len(first))

        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x, y = (values - mean(of, values, total(n), n)[of] for values in (x, y))
            r = total(xy + n * x * y) / np.sqrt(total(xx + n * x * x) * total(yy + n * y * y))
        return keyed(rows, self.by, first, {self.name: pa.array(r, mask=~np.isfinite(r))})


@dataclass(frozen=True)
class First:
    """Of a block the rows that can be among the first of all. NULLs are last."""

    order: tuple[tuple[str, bool], ...]
    """Column, descending."""
    rows: int

    def __call__(self, rows: pa.Table) -> pa.Table:
        keys = [(column, "descending" if descending else "ascending") for column, descending in self.order]
        return rows.take(pc.select_k_unstable(rows, min(self.rows, len(rows)), keys))


def mean(group: np.ndarray, values: np.ndarray, counts: np.ndarray, weights: np.ndarray | float = 1.0) -> np.ndarray:
    """Of each group, taken from one of its own values on: the mean of equal values is that value, to the last bit."""
    start = np.zeros(len(counts))
    start[group] = values
    return start + sums(group, weights * (values - start[group]), len(counts)) / np.maximum(counts, 1)


def sums(group: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    return np.bincount(group, weights=values, minlength=groups)


def keyed(rows: pa.Table, by: tuple[str, ...], first: np.ndarray, columns: dict) -> pa.Table:
    """One row for each group: its keys, and these columns."""
    keys = rows.select(list(by)).take(pa.array(first))
    for name, values in columns.items():
        keys = keys.append_column(name, pa.array(values))
    return keys


def numbered_groups(keys: list[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
    """The number of each row's group, and the first row of each group."""
    combined = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        code = key.combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)
        _, combined = np.unique(combined * (code.max(initial=0) + 1) + code, return_inverse=True)
    _, first, group = np.unique(combined, return_index=True, return_inverse=True)
    return group, first


def codes(column: pa.ChunkedArray) -> pa.Array:
    """Equal numbers for equal values, NULL being one of them."""
    if pa.types.is_integer(column.type) and column.null_count == 0:
        return column.combine_chunks()
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return encoded.indices


def changes(columns: list, order: np.ndarray) -> np.ndarray:
    """Where, in this order, a row differs from the one before; the first one does."""
    changed = np.zeros(len(order), dtype=bool)
    if len(order):
        changed[0] = True
    for column in columns:
        values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        taken = values.take(pa.array(order))
        before, after = taken.slice(0, max(len(taken) - 1, 0)), taken.slice(1)
        differs = pc.not_equal(before, after)
        one_null = pc.xor(pc.is_null(before), pc.is_null(after))
        changed[1:] |= pc.fill_null(differs, False).to_numpy(zero_copy_only=False) | one_null.to_numpy(zero_copy_only=False)
    return changed


@dataclass(frozen=True)
class Each:
    """All of these, one after the other, on one partition."""

    functions: tuple

    def __call__(self, rows: pa.Table) -> pa.Table:
        for function in self.functions:
            rows = function(rows)
        return rows
