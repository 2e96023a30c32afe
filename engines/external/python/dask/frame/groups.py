"""Aggregates by groups, and pivots."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import dask.dataframe as dd
import numpy as np
import pandas as pd
from bench_driver import ProgramError, Unsupported
from bench_driver import expressions as e
from bench_driver import steps as s

from .expressions import compare, value

FUNCTIONS = {
    "sum": "sum", "avg": "mean", "min": "min", "max": "max", "count": "count", "median": "median",
    "stddev": "std", "stddev_samp": "std", "var": "var", "var_samp": "var",
}  # fmt: skip
"""Aggregates of one column and what Dask calls them."""


def group(frame: dd.DataFrame, by: Sequence[str], agg: Sequence[str]) -> dd.DataFrame:
    keys = [e.parse(text) for text in by]
    named = [e.parse(text) for text in agg]
    if any(one.name is None for one in keys + named):
        raise ProgramError("keys that are no columns, and aggregates, need a name: `... AS name`")
    plan = _Plan(frame)
    # A constant key makes one group of everything.
    key_columns = [plan.input(one.expr) for one in keys] or [plan.input(e.Literal(1))]
    columns = {one.name: plan.aggregated(one.expr) for one in named}
    sums = plan.compute(key_columns)
    sums = sums.rename(columns=dict(zip(key_columns, (one.name for one in keys))))
    if not keys:
        sums = sums.repartition(npartitions=1).map_partitions(one_row, plan.counts, meta=sums._meta)
    after = {f"__out{at}": value(sums, expr) for at, expr in enumerate(columns.values())}
    kept = [one.name for one in keys]
    return sums.assign(**after)[kept + list(after)].rename(columns=dict(zip(after, columns)))


class _Plan:
    """The columns that go into a grouped aggregation, and the aggregates that come out, each once."""

    def __init__(self, frame: dd.DataFrame):
        self.frame = frame
        self.inputs: dict[e.Expr, str] = {}
        self.outputs: dict[tuple[str, str], str] = {}
        self.counts: list[str] = []

    def input(self, expr: e.Expr) -> str:
        """The column of an expression."""
        if isinstance(expr, e.Column):
            value(self.frame, expr)
            return expr.name
        if expr not in self.inputs:
            self.inputs[expr] = f"__in{len(self.inputs)}"
            self.frame = self.frame.assign(**{self.inputs[expr]: value(self.frame, expr)})
        return self.inputs[expr]

    def output(self, column: str, function: str) -> e.Column:
        name = self.outputs.setdefault((column, function), f"__agg{len(self.outputs)}")
        if function in ("count", "nunique") and name not in self.counts:
            self.counts.append(name)
        return e.Column(name)

    def aggregated(self, expr: e.Expr) -> e.Expr:
        """The expression over what comes out."""
        match expr:
            case e.Call("count", (), _, None):
                return self.output(self.input(e.Literal(1)), "count")
            case e.Call("count", (argument,), True, None):
                return self.output(self.input(argument), "nunique")
            case e.Call("corr", (x, y), False, None):
                return self.correlation(x, y)
            case e.Call(name, (argument,), False, None) if name in FUNCTIONS:
                return self.output(self.input(argument), FUNCTIONS[name])
            case e.Call(name):
                raise Unsupported(f"Dask has no aggregate `{name}` of groups that this translation knows")
            case e.Binary(op, left, right):
                return dataclasses.replace(expr, left=self.aggregated(left), right=self.aggregated(right))
            case e.Unary(_, operand):
                return dataclasses.replace(expr, operand=self.aggregated(operand))
        return expr

    def correlation(self, x: e.Expr, y: e.Expr) -> e.Expr:
        """Pearson's from sums of products, over the rows where both are there, as `DataFrame.corr` has it. Dask's own
        `groupby.corr` loops over groups in Python."""
        a, b = self.input(x), self.input(y)
        both = self.frame[a].notnull() & self.frame[b].notnull()
        left, right = (self.frame[c].astype("float64").where(both) for c in (a, b))
        parts = {"x": left, "y": right, "xx": left * left, "yy": right * right, "xy": left * right}
        names = {part: f"__corr{len(self.outputs)}_{part}" for part in parts}
        self.frame = self.frame.assign(**{names[part]: column for part, column in parts.items()})
        total = {part: self.output(name, "sum") for part, name in names.items()}
        rows = self.output(names["x"], "count")
        return e.Call("__corr", (rows, *total.values()))

    def compute(self, keys: list[str]) -> dd.DataFrame:
        functions: dict[str, list[str]] = {}
        for column, function in self.outputs:
            functions.setdefault(column, []).append(function)
        frame = self.frame[list(dict.fromkeys(keys + list(functions)))]
        # A column may be key and argument: `agg` would not see it.
        twins = {column: f"__arg_{column}" for column in functions if column in keys}
        frame = frame.assign(**{twin: frame[column] for column, twin in twins.items()})
        functions = {twins.get(column, column): which for column, which in functions.items()}
        nullable = [c for c, which in functions.items() if "sum" in which and may_be_null(frame._meta[c])]
        for column in nullable:
            functions[column] = list(dict.fromkeys([*functions[column], "count"]))
        if "median" in {function for which in functions.values() for function in which}:
            result = whole_groups(frame, keys, functions)
        else:
            result = frame.groupby(keys, sort=False, dropna=False).agg(functions)
            result = result.reset_index()
            result.columns = flat(result._meta.columns)
        # A sum of nothing but NULLs is NULL.
        absent = {
            f"{column}/sum": result[f"{column}/sum"].where(result[f"{column}/count"] > 0) for column in nullable
        }
        result = result.assign(**absent) if absent else result
        names = {f"{twins.get(column, column)}/{function}": name for (column, function), name in self.outputs.items()}
        return result.rename(columns=names)


def may_be_null(column: pd.Series) -> bool:
    return not (isinstance(column.dtype, np.dtype) and column.dtype.kind in "iub")


def flat(columns) -> list[str]:
    """`(column, function)` as one name; keys have no function."""
    return [f"{column}/{function}" if function else column for column, function in columns]


def whole_groups(frame: dd.DataFrame, keys: list[str], functions: dict[str, list[str]]) -> dd.DataFrame:
    """A median needs all rows of its group in one place: a shuffle, then pandas."""
    meta = pandas_groups(frame._meta_nonempty, keys, functions).iloc[:0]
    return frame.shuffle(on=keys).map_partitions(pandas_groups, keys, functions, meta=meta)


def pandas_groups(frame: pd.DataFrame, keys: list[str], functions: dict[str, list[str]]) -> pd.DataFrame:
    result = frame.groupby(keys, sort=False, dropna=False).agg(functions).reset_index()
    result.columns = flat(result.columns)
    return result


def one_row(frame: pd.DataFrame, counts: list[str]) -> pd.DataFrame:
    """Aggregates of no rows at all: a count is 0, everything else NULL."""
    if len(frame):
        return frame
    row = {name: [0 if name in counts else None] for name in frame.columns}
    return pd.DataFrame({name: pd.array(cell, dtype="Int64" if name in counts else None) for name, cell in row.items()})


def pivot(frame: dd.DataFrame, step: s.Pivot) -> dd.DataFrame:
    """One aggregate per value, over the rows that have it: what `pivot_table` does, for a value that is an expression too."""
    call = e.parse_predicate(step.value)
    if call == e.Call("count"):
        call = e.Call("count", (e.Literal(1),))
    if not isinstance(call, e.Call) or len(call.args) != 1 or call.over or call.distinct or call.name not in FUNCTIONS:
        raise ProgramError(f"a pivot needs one aggregate of one expression, not `{step.value}`")
    literals = [e.parse_predicate(text) for text in step.values]
    if not all(isinstance(literal, e.Literal) for literal in literals):
        raise ProgramError(f"a pivot's values must be literals: {', '.join(step.values)}")
    frame = frame.assign(__pivoted=value(frame, call.args[0]))
    argument, column = frame["__pivoted"], value(frame, e.Column(step.column))
    if pd.api.types.is_integer_dtype(argument.dtype):
        argument = argument.astype("Int64")
    cells = {f"__cell{at}": argument.where(compare("=", column, one.value)) for at, one in enumerate(literals)}
    aggregates = [
        f'{call.name}({cell}) AS "{text.strip(chr(39))}"' for cell, text in zip(cells, step.values)
    ]
    return group(frame.assign(**cells), step.by, aggregates)
