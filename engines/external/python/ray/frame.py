"""Dataframe steps as operations of Ray Data. What Ray Data lacks is `Unsupported` by name, never something similar."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import ray
from bench_driver import Dataset, ProgramError, Unsupported, csv_options
from bench_driver.expressions import Call, Column, Expr, Literal, parse, parse_predicate
from bench_driver.steps import Distinct, Filter, Group, Join, Limit, Pivot, Scan, Select, Sort, Step, Window
from ray.data.aggregate import Count, Max, Mean, Min, Quantile, Std, Sum

from expressions import translated, where
from partitions import Correlated, Each, First, Moments, Ranked, Totalled

JOINS = {"inner": "inner", "left": "left_outer", "semi": "left_semi", "anti": "left_anti"}


@dataclass(frozen=True)
class Frame:
    """A Ray dataset and its columns, with their types where these are known without running anything."""

    data: ray.data.Dataset
    types: dict[str, pa.DataType | None]

    @property
    def columns(self) -> list[str]:
        return list(self.types)

    def named(self, name: str) -> str:
        if name not in self.types:
            raise ProgramError(f"there is no column `{name}`; columns: {', '.join(self.types)}")
        return name

    def type_of(self, expr: Expr) -> pa.DataType:
        kind = self.types.get(expr.name) if isinstance(expr, Column) else None
        if kind is None:
            raise Unsupported("Ray Data does not tell the type of a computed column without running it")
        return kind


class Translator:
    """`partitions` is how many a shuffle makes."""

    def __init__(self, dataset: Dataset, partitions: int):
        self.tables = {table.name: table for table in dataset.tables}
        self.partitions = partitions

    def frame(self, steps: list[Step]) -> Frame:
        frame = self.scan(steps[0])
        for step, after in zip(steps[1:], [*steps[2:], None]):
            if isinstance(step, Sort) and isinstance(after, Limit):
                frame = self.first_of_blocks(frame, step, after.rows)
            frame = self.step(frame, step)
        return frame

    def step(self, frame: Frame, step: Step) -> Frame:
        match step:
            case Filter(text):
                return Frame(frame.data.filter(expr=translated(parse_predicate(text))), frame.types)
            case Select(columns):
                return self.select(frame, columns)
            case Group():
                return self.group(frame, step)
            case Join():
                return self.join(frame, step)
            case Sort():
                return self.sort(frame, step)
            case Limit(rows):
                return Frame(frame.data.limit(rows), frame.types)
            case Window(columns):
                return self.window(frame, columns)
            case Distinct():
                # Ray Data has no distinct rows; groups that nothing is computed of are the same.
                groups = frame.data.groupby(frame.columns, num_partitions=self.partitions).aggregate(Count())
                return Frame(groups.select_columns(frame.columns), frame.types)
            case Pivot():
                return self.pivot(frame, step)
        raise Unsupported(f"Ray Data has no `{type(step).__name__}`")

    def scan(self, step: Scan) -> Frame:
        if step.table not in self.tables:
            raise ProgramError(f"there is no table `{step.table}`; tables: {', '.join(sorted(self.tables))}")
        table = self.tables[step.table]
        schema = without_views(table.arrow_schema())
        if table.format == "csv":
            data = ray.data.read_csv(list(table.files), convert_options=csv_options(schema))
        else:
            data = ray.data.read_parquet(list(table.files), schema=schema)
        return Frame(data, {field.name: field.type for field in schema})

    def select(self, frame: Frame, texts: tuple[str, ...]) -> Frame:
        """New columns under names of their own first: one may be called like another that a later expression uses."""
        data, types, renamed, kept = frame.data, {}, {}, []
        for number, text in enumerate(texts):
            named = parse(text)
            if named.name is None:
                raise ProgramError(f"`{text}` needs a name")
            if isinstance(named.expr, Column) and named.expr.name == named.name:
                kept.append(frame.named(named.name))
                types[named.name] = frame.types[named.name]
                continue
            column = named.name if named.name not in frame.types else f"__{number}"
            data = data.with_column(column, translated(named.expr))
            kept.append(column)
            if column != named.name:
                renamed[column] = named.name
            types[named.name] = frame.types.get(named.expr.name) if isinstance(named.expr, Column) else None
        data = data.select_columns(kept)
        return Frame(data.rename_columns(renamed) if renamed else data, types)

    def group(self, frame: Frame, step: Group) -> Frame:
        frame, keys = self.keys(frame, step.by)
        calls = [(parse(text).expr, parse(text).name) for text in step.agg]
        if any(isinstance(one, Call) and one.name == "corr" for one, _ in calls):
            return self.correlation(frame, keys, calls)
        aggregates = []
        for number, (one, name) in enumerate(calls):
            frame, argument = self.argument(frame, one, number)
            aggregates.append(aggregate(one, argument, name))
        needed = keys + [a for a in dict.fromkeys(each.get_target_column() for each in aggregates) if a]
        data = frame.data.select_columns(list(dict.fromkeys(needed)))
        groups = data.groupby(keys or None, num_partitions=self.partitions).aggregate(*aggregates)
        return Frame(groups, {**{key: frame.types[key] for key in keys}, **{name: None for _, name in calls}})

    def keys(self, frame: Frame, by: tuple[str, ...]) -> tuple[Frame, list[str]]:
        keys = []
        for text in by:
            named = parse(text)
            if not isinstance(named.expr, Column) or named.name != named.expr.name:
                raise Unsupported("Ray Data groups by columns, not by expressions")
            keys.append(frame.named(named.name))
        return frame, keys

    def argument(self, frame: Frame, one: Expr, number: int) -> tuple[Frame, str | None]:
        """The column that an aggregate reads; an expression becomes one first."""
        if not isinstance(one, Call):
            raise Unsupported("Ray Data aggregates columns: expressions of aggregates need a `select` after the group")
        if not one.args:
            return frame, None
        if isinstance(one.args[0], Column):
            return frame, frame.named(one.args[0].name)
        name = f"__argument{number}"
        data = frame.data.with_column(name, translated(one.args[0]))
        return Frame(data, {**frame.types, name: None}), name

    def correlation(self, frame: Frame, keys: list[str], calls: list) -> Frame:
        (one, name), *others = calls
        if others or not keys or not all(isinstance(arg, Column) for arg in one.args):
            raise Unsupported("Ray Data has no correlation; this driver computes one of two columns, by groups")
        x, y = (frame.named(arg.name) for arg in one.args)
        rows = frame.data.select_columns(list(dict.fromkeys([*keys, x, y])))
        moments = on_blocks(rows, Moments(tuple(keys), x, y))
        correlated = self.on_partitions(moments, keys, Correlated(tuple(keys), name))
        return Frame(correlated, {**{key: frame.types[key] for key in keys}, name: pa.float64()})

    def on_partitions(self, data: ray.data.Dataset, keys: list[str], function) -> ray.data.Dataset:
        """A function of all rows of a hash partition, as `map_groups` itself is made of."""
        return on_blocks(data.repartition(self.partitions, keys=keys), function)

    def window(self, frame: Frame, texts: tuple[str, ...]) -> Frame:
        functions, types, keys = [], dict(frame.types), None
        for text in texts:
            named = parse(text)
            function = window_function(frame, named.expr, named.name)
            if keys is not None and keys != function.partition:
                raise Unsupported("Ray Data has no windows; this driver computes those of one PARTITION BY at a time")
            keys = function.partition
            functions.append(function)
            types[named.name] = None
        return Frame(self.on_partitions(frame.data, list(keys), Each(tuple(functions))), types)

    def first_of_blocks(self, frame: Frame, step: Sort, rows: int) -> Frame:
        """A sort of everything is more than a limit needs, and Ray Data has no operator that knows."""
        order = tuple((frame.named(key.column), key.descending) for key in step.keys)
        return Frame(on_blocks(frame.data, First(order, rows)), frame.types)

    def sort(self, frame: Frame, step: Sort) -> Frame:
        keys = [frame.named(key.column) for key in step.keys]
        if any(key.nulls_first for key in step.keys):
            raise Unsupported("Ray Data sorts NULLs last and has no option for it")
        return Frame(frame.data.sort(keys, descending=[key.descending for key in step.keys]), frame.types)

    def join(self, frame: Frame, step: Join) -> Frame:
        right = self.frame([Scan(step.table), *step.steps])
        left_keys = tuple(frame.named(left) for left, _ in step.on)
        right_keys = tuple(right.named(other) for _, other in step.on)
        joined = frame.data.join(
            right.data, JOINS[step.how], self.partitions, on=left_keys, right_on=right_keys, right_suffix="__right"
        )
        types = dict(frame.types)
        if step.how in ("inner", "left"):
            # Ray keeps one column of each pair of keys, under the name of the left one.
            added = {name: kind for name, kind in right.types.items() if name not in right_keys}
            if set(added) & set(types):
                raise ProgramError(f"both sides of the join with `{step.table}` have a column of the same name")
            types |= added
        return Frame(joined, types)

    def pivot(self, frame: Frame, step: Pivot) -> Frame:
        frame, keys = self.keys(frame, step.by)
        one = parse(step.value).expr
        column = frame.named(step.column)
        if not isinstance(one, Call) or len(one.args) != 1:
            raise ProgramError(f"a pivot needs one aggregate of one expression, not `{step.value}`")
        data, aggregates, names = frame.data, [], []
        for number, text in enumerate(step.values):
            literal = parse(text).expr
            if not isinstance(literal, Literal):
                raise ProgramError(f"a pivot's values are literals, not `{text}`")
            chosen = where(column, literal.value, one.args[0], frame.type_of(one.args[0]))
            data = data.with_column(f"__{number}", chosen)
            names.append(str(literal.value))
            aggregates.append(aggregate(one, f"__{number}", names[-1]))
        data = data.select_columns(keys + [f"__{number}" for number in range(len(names))])
        groups = data.groupby(keys or None, num_partitions=self.partitions).aggregate(*aggregates)
        return Frame(groups, {**{key: frame.types[key] for key in keys}, **{name: None for name in names}})


def on_blocks(data: ray.data.Dataset, function) -> ray.data.Dataset:
    return data.map_batches(function, batch_size=None, batch_format="pyarrow", zero_copy_batch=True)


def aggregate(one: Call, argument: str | None, name: str):
    """Ray's aggregate of a column. All ignore NULLs, as SQL does."""
    if one.distinct:
        raise Unsupported(f"Ray Data's groups have no `{one.name}(DISTINCT ...)` that this driver maps")
    simple = {"sum": Sum, "min": Min, "max": Max, "avg": Mean}
    if one.name in simple and argument is not None:
        return simple[one.name](argument, ignore_nulls=True, alias_name=name)
    match one.name:
        case "count":
            return Count(argument, ignore_nulls=argument is not None, alias_name=name)
        case "median":
            return Quantile(argument, q=0.5, ignore_nulls=True, alias_name=name)
        case "stddev" | "stddev_samp":
            return Std(argument, ddof=1, ignore_nulls=True, alias_name=name)
    raise Unsupported(f"Ray Data has no aggregate `{one.name}`")


def window_function(frame: Frame, expr: Expr, name: str):
    if not isinstance(expr, Call) or expr.over is None or not expr.over.partition_by:
        raise Unsupported("Ray Data has no windows; this driver computes functions over PARTITION BY columns")
    columns = [*expr.over.partition_by, *(order.expr for order in expr.over.order_by), *expr.args]
    if not all(isinstance(column, Column) for column in columns):
        raise Unsupported("Ray Data has no windows; this driver computes those of columns, not of expressions")
    partition = tuple(frame.named(column.name) for column in expr.over.partition_by)
    order = tuple((frame.named(one.expr.name), one.descending, one.nulls_first) for one in expr.over.order_by)
    if expr.name in ("rank", "row_number") and order and not expr.args:
        return Ranked(expr.name, partition, order, name)
    if expr.name in ("sum", "min", "max", "avg", "count") and not order and len(expr.args) == 1:
        return Totalled(expr.name, partition, frame.named(expr.args[0].name), name)
    raise Unsupported(f"Ray Data has no windows, and this driver none for `{expr.name}` like this")


def without_views(schema: pa.Schema) -> pa.Schema:
    """Ray Data's shuffles and joins know text, and no views of it."""
    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return pa.schema([field.with_type(plain.get(field.type, field.type)) for field in schema])
