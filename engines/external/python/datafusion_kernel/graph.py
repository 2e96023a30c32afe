"""Tasks, what they read, and how their rows are cut into pieces. Plain data: any runtime can ship it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Files:
    """Rows of a table, from disk."""

    paths: tuple[str, ...]
    format: str
    """`parquet` or `csv`."""
    schema: Any
    """A `pyarrow.Schema`."""


@dataclass(frozen=True)
class Pieces:
    """Rows of earlier tasks: `(task, piece)`, in order."""

    of: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class HashCut:
    """Rows whose expressions are equal go to the same piece."""

    keys: tuple[str, ...]
    pieces: int


@dataclass(frozen=True)
class RangeCut:
    """Rows go to pieces in the order of a column. `bounds` is the table with the sorted bounds, in its only column."""

    column: str
    descending: bool
    nulls_first: bool
    bounds: str
    pieces: int


Cut = HashCut | RangeCut


@dataclass(frozen=True)
class Task:
    """One query over its tables, on one core."""

    id: int
    sql: str
    tables: tuple[tuple[str, Files | Pieces], ...]
    """By the name that `sql` uses."""
    cut: Cut | None = None
    """How its rows are cut; None: they stay one piece."""
    memory_bytes: int | None = None
    """What its operators may hold before they spill."""

    @property
    def pieces(self) -> int:
        return 1 if self.cut is None else self.cut.pieces

    @property
    def reads(self) -> tuple[tuple[int, int], ...]:
        """The pieces it is given, in order."""
        return tuple(piece for _, source in self.tables if isinstance(source, Pieces) for piece in source.of)


@dataclass(frozen=True)
class Graph:
    """All tasks of a program."""

    tasks: tuple[Task, ...]
    """Those that a task reads come before it."""
    answer: tuple[int, ...]
    """The tasks whose only piece is part of the answer, in the order of its rows."""

    def describe(self) -> str:
        """One line per kind of task."""
        lines: list[str] = []
        seen: dict[tuple, int] = {}
        for task in self.tasks:
            cut = "" if task.cut is None else f" -> {task.cut.pieces} pieces by {_by(task.cut)}"
            seen[(task.sql, cut)] = seen.get((task.sql, cut), 0) + 1
        for (sql, cut), count in seen.items():
            lines.append(f"{count} x {sql}{cut}")
        return "\n".join(lines)


def _by(cut: Cut) -> str:
    return f"hash of {', '.join(cut.keys)}" if isinstance(cut, HashCut) else f"range of {cut.column}"
