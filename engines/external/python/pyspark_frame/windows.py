"""Window columns, such as `rank() OVER (PARTITION BY a ORDER BY b DESC) AS place`, as columns over a `WindowSpec`.

`expr` would take the text as well, but not its order: where the text says nothing about NULLs they count as the largest values,
while Spark takes them for the smallest. So the text is parsed and the order is spelled out.
"""

from __future__ import annotations

import functools
import operator

from bench_driver import ProgramError, Unsupported
from bench_driver import expressions as e
from pyspark.sql import Column, Window, WindowSpec
from pyspark.sql import functions as F

_OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "and": operator.and_,
    "or": operator.or_,
}

RANKINGS = {"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead"}


def window_column(text: str) -> Column:
    """The column that the text describes; it may compute with several windows."""
    named = e.parse(text)
    if named.name is None:
        raise ProgramError(f"a window column needs a name, `... AS name`: {text}")
    return column(named.expr).alias(named.name)


def column(expr: e.Expr) -> Column:
    match expr:
        case e.Column(name):
            return F.col(quoted(name))
        case e.Literal(value):
            return F.lit(value)
        case e.Unary("-", operand):
            return -column(operand)
        case e.Unary(_, operand):
            return ~column(operand)
        case e.Binary("like", left, e.Literal(str(pattern))):
            return column(left).like(pattern)
        case e.Binary(op, left, right) if op in _OPERATORS:
            return _OPERATORS[op](column(left), column(right))
        case e.IsNull(operand, negated):
            return column(operand).isNotNull() if negated else column(operand).isNull()
        case e.InList(operand, items, negated):
            found = column(operand).isin(*map(column, items))
            return ~found if negated else found
        case e.Case(whens, otherwise):
            chain = functools.reduce(lambda c, when: c.when(column(when[0]), column(when[1])), whens, F)
            return chain if otherwise is None else chain.otherwise(column(otherwise))
        case e.Call():
            result = call(expr)
            return result if expr.over is None else result.over(window_spec(expr.over))
    raise Unsupported(f"no PySpark column for {expr!r}")


def call(expr: e.Call) -> Column:
    if expr.distinct and expr.name == "count":
        return F.count_distinct(*map(column, expr.args))
    if expr.distinct:
        raise Unsupported(f"PySpark has no {expr.name}(DISTINCT ...) over a window")
    if expr.name == "count" and not expr.args:
        return F.count(F.lit(1))
    if expr.name in e.AGGREGATES:
        name = "var_samp" if expr.name == "var" else expr.name
        return getattr(F, name)(*map(column, expr.args))
    if expr.name in RANKINGS:
        # Their numbers, such as how far `lag` looks back, PySpark takes as they are.
        return getattr(F, expr.name)(*(a.value if isinstance(a, e.Literal) else column(a) for a in expr.args))
    raise Unsupported(f"this driver knows no {expr.name}(...) over a window")


def window_spec(over: e.Over) -> WindowSpec:
    spec = Window.partitionBy(*map(column, over.partition_by))
    return spec.orderBy(*map(order_key, over.order_by)) if over.order_by else spec


def order_key(order: e.Order) -> Column:
    return ordered(column(order.expr), order.descending, order.nulls_first)


def ordered(key: Column, descending: bool, nulls_first: bool) -> Column:
    """A key of an order with the place of its NULLs."""
    if descending:
        return key.desc_nulls_first() if nulls_first else key.desc_nulls_last()
    return key.asc_nulls_first() if nulls_first else key.asc_nulls_last()


def quoted(name: str) -> str:
    """A column's name as it is, whatever stands in it."""
    return "`" + name.replace("`", "``") + "`"
