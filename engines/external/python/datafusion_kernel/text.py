"""What has to be known about an expression's text to cut a program: its name, its aggregate, the columns it uses."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMED = re.compile(r"^(.*\S)\s+AS\s+(\"[^\"]+\"|\w+)\s*$", re.IGNORECASE | re.DOTALL)
_CALL = re.compile(r"^\s*(\w+)\s*\((.*)\)\s*$", re.DOTALL)
_WORD = re.compile(r"'(?:[^']|'')*'|\"([^\"]+)\"|([A-Za-z_]\w*)")
_PARTITION = re.compile(r"\bPARTITION\s+BY\b", re.IGNORECASE)
_AFTER_PARTITION = re.compile(r"\b(ORDER\s+BY|ROWS|RANGE|GROUPS)\b", re.IGNORECASE)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def named(text: str) -> tuple[str, str]:
    """An expression and the name of its column, without quotes; a column that is not renamed has its own."""
    found = _NAMED.match(text)
    if found:
        return found[1], found[2].strip('"')
    return text.strip(), text.strip().strip('"')


@dataclass(frozen=True)
class Call:
    """A call of an aggregate: `argument` is `*` or an expression, DISTINCT included."""

    function: str
    argument: str


def call(expression: str) -> Call | None:
    """The expression as one call, if it is one and nothing else."""
    found = _CALL.match(expression)
    if not found or _closes_early(found[2]):
        return None
    return Call(found[1].lower(), found[2].strip())


def _closes_early(inside: str) -> bool:
    """Whether the first parenthesis ends before the text does, as in `sum(a) + sum(b)`."""
    depth = 0
    for letter in inside:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return True
    return False


def used(texts: tuple[str, ...], columns: list[str]) -> list[str]:
    """Those of the columns that occur in one of the texts."""
    words = {quote or word.lower() for text in texts for quote, word in _WORD.findall(text)}
    return [column for column in columns if column in words]


def partition_by(window: str) -> tuple[str, ...]:
    """The expressions of a window's PARTITION BY; none if it has none."""
    found = _PARTITION.search(window)
    if not found:
        return ()
    depth, end = 0, found.end()
    for end in range(found.end(), len(window)):
        letter = window[end]
        depth += (letter == "(") - (letter == ")")
        if depth < 0 or (depth == 0 and _AFTER_PARTITION.match(window, end)):
            break
    return split(window[found.end() : end])


def split(text: str) -> tuple[str, ...]:
    """The items between commas that are in no parentheses."""
    items, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            items.append(text[start:at])
            start = at + 1
    items.append(text[start:])
    return tuple(item.strip() for item in items)
