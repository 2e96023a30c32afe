"""Cuts the steps of a dataframe program into tasks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import pyarrow as pa
from bench_driver import ProgramError
from bench_driver.data import Dataset, Table
from bench_driver.steps import Distinct, Filter, Group, Join, Key, Limit, Pivot, Scan, Select, Sort, Step, Window
from datafusion import SessionContext

from .graph import Cut, Files, Graph, HashCut, Pieces, RangeCut, Task
from .text import Call, call, named, partition_by, quoted, used

BROADCAST_BYTES = 1 << 20
BROADCAST_ROWS = 128 * 1024
"""Up to where DataFusion collects one side of a join: its `hash_join_single_partition_threshold` and `.._rows`."""
SAMPLES = 256
"""How many values of a sort key each task contributes to the choice of range bounds."""

FINAL = {"sum": "sum", "count": "sum", "min": "min", "max": "max"}
"""Aggregates of parts, and what makes the whole of them."""


@dataclass(frozen=True)
class Rows:
    """Rows on their way: what `sql` makes of the tables of each partition."""

    partitions: tuple[tuple[tuple[str, Files | Pieces], ...], ...]
    sql: str
    columns: pa.Schema


def plan(steps: list[Step], dataset: Dataset, partitions: int, memory_bytes: int | None = None) -> Graph:
    """The graph of a program. `partitions` is how many pieces an exchange has; `memory_bytes` what one task may hold.

    Raises `ProgramError` for a program that does not fit its tables."""
    planner = _Planner(dataset, partitions, memory_bytes)
    try:
        return planner.finish(planner.program(steps))
    except ProgramError:
        raise
    except Exception as error:
        # DataFusion has one type for all its errors, and everything it is asked here is whether the program is right.
        raise ProgramError(str(error)) from error


class _Planner:
    def __init__(self, dataset: Dataset, partitions: int, memory_bytes: int | None):
        self.tables = {table.name: table for table in dataset.tables}
        self.partitions = partitions
        self.memory_bytes = memory_bytes
        self.tasks: list[Task] = []
        self.names = itertools.count()

    # Tasks.

    def fresh(self) -> str:
        return f"t{next(self.names)}"

    def emit(self, rows: Rows, cut: Cut | None = None, more: tuple = ()) -> list[int]:
        """A task per partition; `more` are tables that all of them read."""
        first = len(self.tasks)
        for tables in rows.partitions:
            task = Task(len(self.tasks), rows.sql, tables + more, cut, self.memory_bytes)
            self.tasks.append(task)
        return list(range(first, len(self.tasks)))

    def all_of(self, tasks: list[int], piece: int = 0) -> Pieces:
        return Pieces(tuple((task, piece) for task in tasks))

    def from_pieces(self, partitions: list[Pieces], columns: pa.Schema) -> Rows:
        name = self.fresh()
        return Rows(tuple(((name, pieces),) for pieces in partitions), f"SELECT * FROM {name}", columns)

    def gather(self, rows: Rows) -> Rows:
        """All rows in one partition, in their order."""
        if len(rows.partitions) == 1:
            return rows
        return self.from_pieces([self.all_of(self.emit(rows))], rows.columns)

    def by_hash(self, rows: Rows, keys: tuple[str, ...]) -> Rows:
        if not keys or self.partitions == 1:
            return self.gather(rows)
        tasks = self.emit(rows, HashCut(keys, self.partitions))
        return self.from_pieces([self.all_of(tasks, piece) for piece in range(self.partitions)], rows.columns)

    def finish(self, rows: Rows) -> Graph:
        answer = self.emit(rows)
        return Graph(tuple(self.tasks), tuple(answer))

    # Columns, as DataFusion sees them.

    def query(self, rows: Rows, sql: str) -> Rows:
        """The rows that `sql` makes of a table `input`."""
        context = SessionContext()
        context.register_record_batches("input", [[pa.RecordBatch.from_pylist([], schema=rows.columns)]])
        columns = context.sql(sql.format(input="input")).schema()
        return replace(rows, sql=sql.format(input=f"({rows.sql})"), columns=columns)

    # Steps.

    def program(self, steps: list[Step]) -> Rows:
        rows: Rows | None = None
        at = 0
        while at < len(steps):
            step = steps[at]
            following = steps[at + 1] if at + 1 < len(steps) else None
            at += 1
            if isinstance(step, Scan):
                rows = self.scan(step)
            elif isinstance(step, Sort) and isinstance(following, Limit):
                rows = self.top(rows, step, following)
                at += 1
            else:
                rows = self.step(rows, step)
        return rows

    def step(self, rows: Rows, step: Step) -> Rows:
        match step:
            case Filter():
                return self.query(rows, f"SELECT * FROM {{input}} WHERE {escaped(step.text)}")
            case Select():
                return self.query(rows, f"SELECT {escaped(', '.join(map(with_name, step.columns)))} FROM {{input}}")
            case Group():
                return self.group(rows, step)
            case Pivot():
                return self.group(rows, pivot_as_group(step))
            case Join():
                return self.join(rows, step)
            case Distinct():
                keys = tuple(rows.columns.names)
                rows = self.by_hash(self.query(rows, "SELECT DISTINCT * FROM {input}"), keys)
                return self.query(rows, "SELECT DISTINCT * FROM {input}")
            case Window():
                return self.window(rows, step)
            case Sort():
                return self.sort(rows, step)
            case Limit():
                sql = f"SELECT * FROM {{input}} LIMIT {step.rows}"
                return self.query(self.gather(self.query(rows, sql)), sql)
        raise ProgramError(f"no such step: {step!r}")

    def table(self, name: str) -> Table:
        if name not in self.tables:
            raise ProgramError(f"there is no table `{name}`; tables: {', '.join(sorted(self.tables))}")
        return self.tables[name]

    def scan(self, step: Scan) -> Rows:
        table = self.table(step.table)
        schema, name = table.arrow_schema(), self.fresh()
        files = tuple(((name, Files((path,), table.format, schema)),) for path in table.files)
        return Rows(files, f"SELECT * FROM {name}", schema)

    def group(self, rows: Rows, step: Group) -> Rows:
        by = [named(text) for text in step.by]
        keys = tuple(name for _, name in by)
        aggregates = [named(text) for text in step.agg]
        calls = [call(expression) for expression, _ in aggregates]
        if all(one is not None and self.splits(rows, one) for one in calls):
            return self.group_twice(rows, by, calls, [name for _, name in aggregates])
        # Only the columns that the aggregates use travel.
        texts = tuple(expression for expression, _ in by) + tuple(expression for expression, _ in aggregates)
        narrow = ", ".join(map(quoted, used(texts, rows.columns.names)))
        if all(expression.strip('"') in rows.columns.names for expression, _ in by):
            columns = tuple(expression.strip('"') for expression, _ in by)
            rows = self.by_hash(self.query(rows, f"SELECT {narrow} FROM {{input}}") if narrow else rows, columns)
        else:
            rows = self.gather(rows)
        whole = [f"{expression} AS {quoted(name)}" for expression, name in by + aggregates]
        return self.query(rows, f"SELECT {escaped(', '.join(whole))} FROM {{input}}{grouped(len(keys))}")

    def splits(self, rows: Rows, one: Call) -> bool:
        """Whether the aggregate of the whole follows from those of parts."""
        if one.argument.upper().startswith("DISTINCT"):
            return False
        if one.function == "avg":
            average = self.query(rows, f"SELECT avg({escaped(one.argument)}) AS a FROM {{input}}")
            return pa.types.is_float64(average.columns.field(0).type)
        return one.function in FINAL

    def group_twice(self, rows: Rows, by: list[tuple[str, str]], calls: list[Call], names: list[str]) -> Rows:
        keys = tuple(name for _, name in by)
        parts = [f"{expression} AS {quoted(name)}" for expression, name in by]
        whole = [quoted(name) for name in keys]
        for number, (one, name) in enumerate(zip(calls, names)):
            part = quoted(f"__part{number}")
            if one.function == "avg":
                count = quoted(f"__count{number}")
                parts.append(f"sum(({one.argument}) * 1.0) AS {part}, count({one.argument}) AS {count}")
                whole.append(f"sum({part}) / sum({count}) AS {quoted(name)}")
            else:
                parts.append(f"{one.function}({one.argument}) AS {part}")
                whole.append(f"{FINAL[one.function]}({part}) AS {quoted(name)}")
        rows = self.query(rows, f"SELECT {escaped(', '.join(parts))} FROM {{input}}{grouped(len(keys))}")
        rows = self.by_hash(rows, keys)
        return self.query(rows, f"SELECT {escaped(', '.join(whole))} FROM {{input}}{grouped(len(keys))}")

    def window(self, rows: Rows, step: Window) -> Rows:
        for keys, texts in itertools.groupby(step.columns, key=partition_by):
            columns = tuple(key.strip('"') for key in keys)
            plain = columns and all(column in rows.columns.names for column in columns)
            rows = self.by_hash(rows, columns) if plain else self.gather(rows)
            rows = self.query(rows, f"SELECT *, {escaped(', '.join(map(with_name, texts)))} FROM {{input}}")
        return rows

    def sort(self, rows: Rows, step: Sort) -> Rows:
        if len(rows.partitions) > 1:
            rows = self.by_range(rows, step.keys[0]) if self.partitions > 1 else self.gather(rows)
        return self.query(rows, f"SELECT * FROM {{input}} ORDER BY {escaped(order(step.keys))}")

    def by_range(self, rows: Rows, key: Key) -> Rows:
        """Partitions in the order of a key: bounds from a sample, then a cut at the bounds."""
        kept = self.from_pieces([self.all_of([task]) for task in self.emit(rows)], rows.columns)
        column = escaped(quoted(key.column))
        sample = self.query(
            kept,
            f"SELECT {column} FROM (SELECT {column}, row_number() OVER () AS n, count(*) OVER () AS all_rows FROM {{input}}"
            f" WHERE {column} IS NOT NULL) WHERE n % greatest(all_rows / {SAMPLES}, 1) = 0",
        )
        samples = self.gather(sample)
        bounds = self.query(
            samples,
            f"SELECT min({column}) AS bound FROM (SELECT {column}, ntile({self.partitions}) OVER (ORDER BY {column}) AS tile"
            f" FROM {{input}}) WHERE tile > 1 GROUP BY tile ORDER BY bound",
        )
        (bounds_task,) = self.emit(bounds)
        name = self.fresh()
        cut = RangeCut(key.column, key.descending, key.nulls_first, name, self.partitions)
        tasks = self.emit(kept, cut, ((name, self.all_of([bounds_task])),))
        return self.from_pieces([self.all_of(tasks, piece) for piece in range(self.partitions)], rows.columns)

    def top(self, rows: Rows, sort: Sort, limit: Limit) -> Rows:
        sql = f"SELECT * FROM {{input}} ORDER BY {escaped(order(sort.keys))} LIMIT {limit.rows}"
        return self.query(self.gather(self.query(rows, sql)), sql)

    def join(self, left: Rows, step: Join) -> Rows:
        table = self.table(step.table)
        right = self.program([Scan(step.table), *step.steps])
        same = {name for name, other in step.on if name == other}
        if table.bytes <= BROADCAST_BYTES or table.rows <= BROADCAST_ROWS:
            everything = self.all_of(self.emit(right))
            name = self.fresh()
            right_sql = name
            partitions = tuple(tables + ((name, everything),) for tables in left.partitions)
        else:
            left = self.by_hash(left, tuple(name for name, _ in step.on))
            right = self.by_hash(right, tuple(name for _, name in step.on))
            right_sql = f"({right.sql})"
            partitions = tuple(a + b for a, b in zip(left.partitions, right.partitions, strict=True))
        columns = [f"l.{quoted(name)}" for name in left.columns.names]
        fields = list(left.columns)
        if step.how in ("inner", "left"):
            columns += [f"r.{quoted(field.name)}" for field in right.columns if field.name not in same]
            fields += [field for field in right.columns if field.name not in same]
        names = [field.name for field in fields]
        if len(set(names)) != len(names):
            raise ProgramError(f"both sides of the join with `{step.table}` have a column of the same name")
        kind = {"inner": "INNER", "left": "LEFT", "semi": "LEFT SEMI", "anti": "LEFT ANTI"}[step.how]
        on = " AND ".join(f"l.{quoted(a)} = r.{quoted(b)}" for a, b in step.on)
        sql = f"SELECT {', '.join(columns)} FROM ({left.sql}) AS l {kind} JOIN {right_sql} AS r ON {on}"
        return Rows(partitions, sql, pa.schema(fields))


def pivot_as_group(step: Pivot) -> Group:
    """Aggregates over the rows of each value: `sum(v)` becomes `sum(CASE WHEN column = value THEN v END)`."""
    one = call(step.value)
    if one is None or one.argument == "*" or one.argument.upper().startswith("DISTINCT"):
        raise ProgramError(f"a pivot needs one aggregate of one expression, not `{step.value}`")
    aggregates = [
        f"{one.function}(CASE WHEN {quoted(step.column)} = {value} THEN {one.argument} END) AS {quoted(value.strip(chr(39)))}"
        for value in step.values
    ]
    return Group(step.by, tuple(aggregates))


def with_name(text: str) -> str:
    expression, name = named(text)
    return f"{expression} AS {quoted(name)}"


def order(keys: tuple[Key, ...]) -> str:
    return ", ".join(
        f"{quoted(key.column)} {'DESC' if key.descending else 'ASC'} NULLS {'FIRST' if key.nulls_first else 'LAST'}"
        for key in keys
    )


def grouped(keys: int) -> str:
    """By the first columns of what is selected."""
    return f" GROUP BY {', '.join(str(i + 1) for i in range(keys))}" if keys else ""


def escaped(text: str) -> str:
    """Braces of a program's text are not places of ours."""
    return text.replace("{", "{{").replace("}", "}}")
