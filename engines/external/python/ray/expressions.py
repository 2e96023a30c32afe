"""SQL expression trees as expressions of Ray Data."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from bench_driver import Unsupported
from bench_driver.expressions import Binary, Case, Column, Expr, InList, IsNull, Literal, Unary
from ray.data.datatype import DataType
from ray.data.expressions import col, lit, pyarrow_udf

OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "%": lambda a, b: a % b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
}


def translated(expr: Expr):
    """The expression for Ray Data. Raises `Unsupported` naming what it has no operator for."""
    match expr:
        case Column(name):
            return col(name)
        case Literal(value):
            return lit(value)
        case Binary(op, left, right) if op in OPERATORS:
            return OPERATORS[op](translated(left), translated(right))
        case Unary("not", operand):
            return ~translated(operand)
        case Unary("-", operand):
            return translated(operand).negate()
        case IsNull(operand, negated):
            return translated(operand).is_not_null() if negated else translated(operand).is_null()
        case InList(operand, items, negated) if all(isinstance(item, Literal) for item in items):
            values = [item.value for item in items]
            return translated(operand).not_in(values) if negated else translated(operand).is_in(values)
    raise Unsupported(f"Ray Data has no expression for {missing(expr)}")


def missing(expr: Expr) -> str:
    if isinstance(expr, Case):
        return "CASE"
    if isinstance(expr, Binary):
        return f"`{expr.op}`"
    return f"`{getattr(expr, 'name', type(expr).__name__)}`"


def where(column: str, value, argument: Expr, kind: pa.DataType):
    """`CASE WHEN column = value THEN argument END`: Ray Data has no conditional expression, and takes one of Arrow's instead."""

    @pyarrow_udf(return_dtype=DataType.from_arrow(kind))
    def chosen(keys, values):
        return pc.if_else(pc.fill_null(pc.equal(keys, value), False), values, pa.scalar(None, values.type))

    return chosen(col(column), translated(argument))
