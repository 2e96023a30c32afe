"""SQL expressions of dataframe steps as trees, for products whose dataframe interface takes none.

    parse("max(v1) - min(v2) AS range")
    # Named(Binary("-", Call("max", (Column("v1"),)), Call("min", (Column("v2"),))), "range")

Unquoted names are folded to lower case, as SQL does. What is not understood is a `ProgramError` that says where.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .failures import ProgramError


@dataclass(frozen=True)
class Column:
    name: str


@dataclass(frozen=True)
class Literal:
    value: Any
    """int, float, str, bool or None."""


@dataclass(frozen=True)
class Unary:
    """`-` or `not`."""

    op: str
    operand: Expr


@dataclass(frozen=True)
class Binary:
    """`+ - * / %`, `= <> < <= > >=`, `and or`, `like`."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class IsNull:
    operand: Expr
    negated: bool = False


@dataclass(frozen=True)
class InList:
    operand: Expr
    items: tuple[Expr, ...]
    negated: bool = False


@dataclass(frozen=True)
class Case:
    """`CASE WHEN a THEN b ... ELSE c END`; conditions only."""

    whens: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr | None


@dataclass(frozen=True)
class Order:
    expr: Expr
    descending: bool
    nulls_first: bool
    """As said, or as SQL has it otherwise: last when ascending, first when descending."""


@dataclass(frozen=True)
class Over:
    partition_by: tuple[Expr, ...]
    order_by: tuple[Order, ...]


@dataclass(frozen=True)
class Call:
    """A function by its lower-case name; `count(*)` has no arguments."""

    name: str
    args: tuple[Expr, ...] = ()
    distinct: bool = False
    over: Over | None = None


@dataclass(frozen=True)
class Named:
    """An expression and the name of the column it makes; a bare column keeps its own."""

    expr: Expr
    name: str | None


Expr = Column | Literal | Unary | Binary | IsNull | InList | Case | Call

AGGREGATES = {"sum", "avg", "min", "max", "count", "median", "stddev", "stddev_samp", "var", "var_samp", "corr"}

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |"(?P<quoted>(?:[^"]|"")*)"
    |'(?P<text>(?:[^']|'')*)'
    |(?P<op><>|!=|<=|>=|[-+*/%=<>(),]))""",
    re.VERBOSE,
)

_COMPARISONS = {"=", "<>", "!=", "<", "<=", ">", ">="}
_RESERVED = {"and", "or", "not", "as", "is", "in", "between", "like", "case", "when", "then", "else", "end", "over", "by", "order", "partition"}


def parse(text: str) -> Named:
    """One expression, optionally `AS name`."""
    parser = _Parser(text)
    expr = parser.either()
    name = None
    if parser.takes("as"):
        name = parser.identifier()
    if parser.kind is not None:
        parser.fail("nothing may follow here")
    if name is None and isinstance(expr, Column):
        name = expr.name
    return Named(expr, name)


def parse_predicate(text: str) -> Expr:
    """An expression without a name."""
    named = parse(text)
    if named.name is not None and not isinstance(named.expr, Column):
        raise ProgramError(f"`{text}`: a condition has no name")
    return named.expr


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.kind: str | None = None
        self.value = ""
        self.advance()

    def advance(self) -> None:
        if not self.text[self.at :].strip():
            self.kind, self.value = None, ""
            return
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            self.fail("not understood")
        self.at = found.end()
        self.kind = found.lastgroup
        self.value = found[self.kind]
        if self.kind == "name":
            self.value = self.value.lower()
        if self.kind in ("quoted", "text"):
            quote = '"' if self.kind == "quoted" else "'"
            self.value = self.value.replace(quote * 2, quote)

    def fail(self, why: str) -> None:
        raise ProgramError(f"`{self.text}`: {why}, at character {self.at + 1}")

    def is_next(self, *words: str) -> bool:
        return self.kind in ("name", "op") and self.value in words

    def takes(self, word: str) -> bool:
        if self.is_next(word):
            self.advance()
            return True
        return False

    def must(self, word: str) -> None:
        if not self.takes(word):
            self.fail(f"`{word}` is missing")

    def identifier(self) -> str:
        if self.kind not in ("name", "quoted"):
            self.fail("a name is missing")
        name = self.value
        self.advance()
        return name

    def either(self) -> Expr:
        left = self.both()
        while self.takes("or"):
            left = Binary("or", left, self.both())
        return left

    def both(self) -> Expr:
        left = self.negation()
        while self.takes("and"):
            left = Binary("and", left, self.negation())
        return left

    def negation(self) -> Expr:
        return Unary("not", self.negation()) if self.takes("not") else self.comparison()

    def comparison(self) -> Expr:
        left = self.sum()
        if self.is_next(*_COMPARISONS):
            op = "<>" if self.value == "!=" else self.value
            self.advance()
            return Binary(op, left, self.sum())
        if self.takes("is"):
            negated = self.takes("not")
            self.must("null")
            return IsNull(left, negated)
        negated = self.takes("not")
        if self.takes("in"):
            self.must("(")
            return InList(left, self.listed(), negated)
        if self.takes("between"):
            low = self.sum()
            self.must("and")
            inside = Binary("and", Binary(">=", left, low), Binary("<=", left, self.sum()))
            return Unary("not", inside) if negated else inside
        if self.takes("like"):
            like = Binary("like", left, self.sum())
            return Unary("not", like) if negated else like
        if negated:
            self.fail("`in`, `between` or `like` is missing")
        return left

    def sum(self) -> Expr:
        left = self.product()
        while self.is_next("+", "-"):
            op = self.value
            self.advance()
            left = Binary(op, left, self.product())
        return left

    def product(self) -> Expr:
        left = self.sign()
        while self.is_next("*", "/", "%"):
            op = self.value
            self.advance()
            left = Binary(op, left, self.sign())
        return left

    def sign(self) -> Expr:
        if self.takes("-"):
            operand = self.sign()
            number = isinstance(operand, Literal) and isinstance(operand.value, (int, float))
            return Literal(-operand.value) if number else Unary("-", operand)
        return self.sign() if self.takes("+") else self.primary()

    def primary(self) -> Expr:
        kind, value = self.kind, self.value
        if self.takes("("):
            inner = self.either()
            self.must(")")
            return inner
        if kind == "number":
            self.advance()
            return Literal(int(value) if value.isdigit() else float(value))
        if kind == "text":
            self.advance()
            return Literal(value)
        if kind == "name" and value in ("true", "false", "null"):
            self.advance()
            return Literal({"true": True, "false": False, "null": None}[value])
        if self.takes("case"):
            return self.case()
        if kind == "quoted" or (kind == "name" and value not in _RESERVED):
            self.advance()
            return self.call(value) if kind == "name" and self.takes("(") else Column(value)
        self.fail("an expression is missing")

    def case(self) -> Expr:
        whens = []
        while self.takes("when"):
            condition = self.either()
            self.must("then")
            whens.append((condition, self.either()))
        otherwise = self.either() if self.takes("else") else None
        self.must("end")
        if not whens:
            self.fail("`when` is missing")
        return Case(tuple(whens), otherwise)

    def call(self, name: str) -> Expr:
        if name == "count" and self.takes("*"):
            self.must(")")
            return Call(name, (), False, self.over())
        distinct = self.takes("distinct")
        args = () if self.takes(")") else self.listed()
        return Call(name, args, distinct, self.over())

    def listed(self) -> tuple[Expr, ...]:
        items = [self.either()]
        while self.takes(","):
            items.append(self.either())
        self.must(")")
        return tuple(items)

    def over(self) -> Over | None:
        if not self.takes("over"):
            return None
        self.must("(")
        partition: list[Expr] = []
        order: list[Order] = []
        if self.takes("partition"):
            self.must("by")
            partition.append(self.either())
            while self.takes(","):
                partition.append(self.either())
        if self.takes("order"):
            self.must("by")
            order.append(self.order())
            while self.takes(","):
                order.append(self.order())
        self.must(")")
        return Over(tuple(partition), tuple(order))

    def order(self) -> Order:
        expr = self.either()
        descending = self.takes("desc")
        if not descending:
            self.takes("asc")
        nulls_first = descending
        if self.takes("nulls"):
            nulls_first = self.is_next("first")
            if not self.takes("first"):
                self.must("last")
        return Order(expr, descending, nulls_first)


def aggregates_of(expr: Expr) -> list[Call]:
    """The aggregate calls inside an expression, outermost only, in order."""
    if isinstance(expr, Call):
        if expr.over is None and expr.name in AGGREGATES:
            return [expr]
        return [found for arg in expr.args for found in aggregates_of(arg)]
    return [found for part in parts_of(expr) for found in aggregates_of(part)]


def parts_of(expr: Expr) -> tuple[Expr, ...]:
    """The direct parts of an expression."""
    match expr:
        case Unary(_, operand) | IsNull(operand, _):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case InList(operand, items, _):
            return (operand, *items)
        case Case(whens, otherwise):
            flat = tuple(part for when in whens for part in when)
            return flat if otherwise is None else (*flat, otherwise)
        case Call(_, args, _, _):
            return args
    return ()
