"""Running one task: a query on one core, its rows cut into pieces. Needs `datafusion`, `pyarrow` and nothing of a runtime."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext

from .graph import Cut, Files, HashCut, RangeCut, Task
from .text import quoted

PIECE = "__piece"


def run_task(task: Task, *given: pa.Table) -> list[pa.Table]:
    """The pieces of a task's rows. `given` are the pieces of `task.reads`, in that order."""
    context = session(task.memory_bytes)
    at = 0
    bounds = None
    for name, source in task.tables:
        if isinstance(source, Files):
            register_files(context, name, source)
            continue
        rows = pa.concat_tables(given[at : at + len(source.of)])
        at += len(source.of)
        if isinstance(task.cut, RangeCut) and name == task.cut.bounds:
            bounds = rows
        else:
            register(context, name, rows)
    answer = plain(context.sql(task.sql).to_arrow_table())
    if task.cut is None:
        # One chunk instead of one per batch of 8,192 rows: runtimes count and copy buffers, whether or not chunks share them.
        return [answer.combine_chunks()]
    number = piece_numbers(task.cut, answer, bounds)
    return [answer.filter(pc.equal(number, i)) for i in range(task.cut.pieces)]


def session(memory_bytes: int | None) -> SessionContext:
    """One core: a runtime's parallelism is that of its tasks."""
    runtime = RuntimeEnvBuilder().with_disk_manager_os()
    if memory_bytes is not None:
        runtime = runtime.with_fair_spill_pool(memory_bytes)
    return SessionContext(SessionConfig().with_target_partitions(1), runtime)


def register_files(context: SessionContext, name: str, files: Files) -> None:
    if len(files.paths) != 1:
        raise ValueError(f"a task reads one file per table, not {len(files.paths)}")
    if files.format == "csv":
        context.register_csv(name, files.paths[0], schema=files.schema, has_header=True)
    else:
        context.register_parquet(name, files.paths[0])


def register(context: SessionContext, name: str, rows: pa.Table) -> None:
    batches = rows.to_batches() or [pa.RecordBatch.from_pylist([], schema=rows.schema)]
    context.register_record_batches(name, [batches])


def plain(rows: pa.Table) -> pa.Table:
    """The rows without views: a view keeps all text of its file alive, and each piece would carry it along."""
    fields = [field.with_type(pa.string()) if pa.types.is_string_view(field.type) else field for field in rows.schema]
    fields = [field.with_type(pa.binary()) if pa.types.is_binary_view(field.type) else field for field in fields]
    return rows.cast(pa.schema(fields))


def piece_numbers(cut: Cut, rows: pa.Table, bounds: pa.Table | None) -> pa.ChunkedArray:
    """The piece of each row, from 0."""
    if isinstance(cut, HashCut):
        return hash_numbers(cut, rows)
    return range_numbers(cut, rows[cut.column], bounds)


def hash_numbers(cut: HashCut, rows: pa.Table) -> pa.ChunkedArray:
    """In a session of its own: the hash comes with Spark's functions, which take the place of others of the same name."""
    context = SessionContext(SessionConfig().with_target_partitions(1))
    context.enable_spark_functions()
    register(context, "rows", rows)
    keys = ", ".join(hashed(rows.schema.field(key)) for key in cut.keys)
    # The sign is cut off first: a remainder of a negative number is negative.
    sql = f"SELECT CAST((xxhash64({keys}) & 9223372036854775807) % {cut.pieces} AS INT) AS {PIECE} FROM rows"
    return context.sql(sql).to_arrow_table()[PIECE]


def hashed(field: pa.Field) -> str:
    """Equal numbers hash alike whatever their width, and -0.0 is 0.0."""
    if pa.types.is_integer(field.type):
        return f"CAST({quoted(field.name)} AS BIGINT)"
    if pa.types.is_floating(field.type):
        return f"CAST({quoted(field.name)} AS DOUBLE) + 0.0"
    return quoted(field.name)


def range_numbers(cut: RangeCut, column: pa.ChunkedArray, bounds: pa.Table) -> pa.ChunkedArray:
    """NaN is larger than every number, as DataFusion sorts it."""
    number = pa.chunked_array([pa.nulls(len(column), pa.int32()).fill_null(0)])
    for bound in bounds.column(0):
        number = pc.add(number, pc.cast(pc.fill_null(pc.greater_equal(column, bound), False), pa.int32()))
    last = cut.pieces - 1
    if pa.types.is_floating(column.type):
        number = pc.if_else(pc.fill_null(pc.is_nan(column), False), last, number)
    if cut.descending:
        number = pc.subtract(last, number)
    return pc.if_else(pc.is_null(column), 0 if cut.nulls_first else last, number)
