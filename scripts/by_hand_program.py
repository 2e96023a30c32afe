"""Programs of products as their user would run them, without `bench`: `scripts/by-hand.py` starts this with the product's own Python.

    by_hand_program.py PRODUCT FOLDER_OF_TABLES SLOTS REPETITIONS WORKLOAD...

For each workload one line of JSON: its name, the rows of its answer, and how long each repetition took on this process's clock, from the text
or the steps to the whole answer in its hands. As under `warm-K`, K untimed runs come first (WARM in the
environment, 1 if nothing is said) and one more right before each later timed one. A repetition during which other processes used more than a tenth of the machine is disturbed, as a trial of `bench` would be, and is made again, three
times as often as asked for at most.

What runs DuckDB, Polars, Spark, Sail, Ballista and DataFusion's package shares no code with their drivers: the texts of the queries are read, and of two
dataframe programs there is a version of its own for each. For Dask and Ray the programs themselves are of this repository, and
are imported from it; what starts, asks and times them here is not. Settings are those of `default.toml` without a limit of memory.
"""

import importlib
import json
import os
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = ROOT / "workloads/suite/families"
SHARE_OF_MACHINE = 0.6
"""Of the machine's memory, for Spark's heap: what its driver takes without a limit."""
RAY_STORE_SHARE = 0.3
"""And for Ray's object store; the rest is what its tasks may ask for."""

ATTEMPTS = 3
OTHERS_AT_MOST = 0.1

Run = Callable[[], int]
"""Runs a workload; the rows of its answer, which is whole then."""


def files(data: Path) -> dict[str, list[str]]:
    """The Parquet files of each table, in order."""
    folders = sorted(folder for folder in data.iterdir() if folder.is_dir())
    return {folder.name: [str(file) for file in sorted(folder.glob("*.parquet"))] for folder in folders}


def text_of(workload: str) -> str:
    # Query 11's one parameter: what share of all stock counts is a matter of the scale.
    scale = float(Path(sys.argv[2]).name.removeprefix("tpch-sf"))
    return (FAMILIES / "tpch" / f"{workload}.sql").read_text().replace("${fraction}", f"{0.0001 / scale:.10f}")


def duckdb(data: Path, slots: int) -> Callable[[str], Run]:
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute(f"SET threads = {slots}; SET temp_directory = '{os.environ['TMPDIR']}'")
    for table, paths in files(data).items():
        connection.read_parquet(paths).create_view(table)
    frames = {
        "groupby-q01": lambda table: table.aggregate("id1, sum(v1) AS v1", "id1"),
        "groupby-q03": lambda table: table.aggregate("id3, sum(v1) AS v1, avg(v3) AS v3", "id3"),
    }

    def prepared(workload: str) -> Run:
        if workload in frames:
            return lambda: frames[workload](connection.view("groupby")).to_arrow_table().num_rows
        return lambda: connection.sql(text_of(workload).strip().rstrip(";")).to_arrow_table().num_rows

    return prepared


def polars(data: Path, slots: int) -> Callable[[str], Run]:
    import polars as pl

    tables = {table: pl.scan_parquet(paths) for table, paths in files(data).items()}
    frames = {
        "groupby-q01": lambda table: table.group_by("id1").agg(pl.col("v1").sum()),
        "groupby-q03": lambda table: table.group_by("id3").agg(pl.col("v1").sum(), pl.col("v3").mean()),
    }

    def prepared(workload: str) -> Run:
        if workload in frames:
            return lambda: frames[workload](tables["groupby"]).collect().height
        return lambda: pl.SQLContext(tables).execute(text_of(workload), eager=False).collect().height

    return prepared


def spark(data: Path, slots: int) -> Callable[[str], Run]:
    from pyspark.sql import SparkSession

    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.local.dir": os.environ["TMPDIR"],
        "spark.driver.memory": f"{int(memory_mib * SHARE_OF_MACHINE)}m",
        "spark.driver.maxResultSize": "0",
        "spark.driver.defaultJavaOptions": f"-XX:-UsePerfData -XX:ActiveProcessorCount={slots}",
    }
    builder = SparkSession.builder.appName("by hand").master(f"local[{slots}]")
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return of_pyspark(session, data)


def of_pyspark(session, data: Path) -> Callable[[str], Run]:
    """What Spark's own session and a client of Sail have in common."""
    from pyspark.sql import functions as f

    for table, paths in files(data).items():
        session.read.parquet(*paths).createOrReplaceTempView(table)
    frames = {
        "groupby-q01": lambda table: table.groupBy("id1").agg(f.sum("v1").alias("v1")),
        "groupby-q03": lambda table: table.groupBy("id3").agg(f.sum("v1").alias("v1"), f.avg("v3").alias("v3")),
    }

    def prepared(workload: str) -> Run:
        if workload in frames:
            return lambda: frames[workload](session.table("groupby")).toArrow().num_rows
        return lambda: session.sql(text_of(workload)).toArrow().num_rows

    return prepared


def sail(data: Path, slots: int) -> Callable[[str], Run]:
    os.environ |= {"TOKIO_WORKER_THREADS": str(slots), "SAIL_EXECUTION__DEFAULT_PARALLELISM": str(slots)}
    os.environ |= {"SAIL_RUNTIME__TEMPORARY_FILES__PATHS": f'["{os.environ["TMPDIR"]}"]'}
    from pysail.spark import SparkConnectServer
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.session import SparkSession

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    host, port = server.listening_address
    # Answers of any size, and none compressed that never leaves this machine.
    options = [("grpc.max_receive_message_length", -1), ("grpc.compression_enabled_algorithms_bitset", 1)]
    session = SparkSession.builder.channelBuilder(DefaultChannelBuilder(f"sc://{host}:{port}", channelOptions=options)).create()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    run_of = of_pyspark(session, data)
    # The server ends with the last that refers to it.
    return lambda workload, server=server: run_of(workload)


def datafusion(data: Path, slots: int) -> Callable[[str], Run]:
    from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext, col
    from datafusion import functions as f

    config = SessionConfig({"datafusion.execution.target_partitions": str(slots)})
    context = SessionContext(config, RuntimeEnvBuilder().with_disk_manager_specified(os.environ["TMPDIR"]))
    for table in files(data):
        context.register_parquet(table, str(data / table))
    frames = {
        "groupby-q01": lambda table: table.aggregate([col("id1")], [f.sum(col("v1")).alias("v1")]),
        "groupby-q03": lambda table: table.aggregate([col("id3")], [f.sum(col("v1")).alias("v1"), f.avg(col("v3")).alias("v3")]),
    }

    def prepared(workload: str) -> Run:
        def run() -> int:
            frame = frames[workload](context.table("groupby")) if workload in frames else context.sql(text_of(workload))
            return sum(batch.num_rows for batch in frame.collect())

        return run

    return prepared


def ballista(data: Path, slots: int) -> Callable[[str], Run]:
    import socket

    from ballista import BallistaExecutor, BallistaScheduler, BallistaSessionContext

    def free_port() -> int:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            return found.getsockname()[1]

    def await_port(port: int) -> None:
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.02)

    port, of_executor = free_port(), free_port()
    scheduler = BallistaScheduler("127.0.0.1", port)
    scheduler.start()
    await_port(port)
    executor = BallistaExecutor(of_executor, "127.0.0.1", "127.0.0.1", port, slots)
    executor.start()
    await_port(of_executor)
    settings = {
        "datafusion.execution.target_partitions": str(slots),
        "datafusion.execution.parquet.schema_force_view_types": "false",
    }
    context = BallistaSessionContext(f"df://127.0.0.1:{port}", cluster_config=settings)
    for table in files(data):
        context.register_parquet(table, str(data / table))
    # Scheduler and executor end with the last that refers to them.
    return lambda workload, held=(scheduler, executor): lambda: sum(batch.num_rows for batch in context.sql(text_of(workload)).collect())


def dataset(data: Path):
    """The tables as the programs of Dask and Ray expect them."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from bench_driver import Dataset, Table

    def table(name: str, paths: list[str]) -> Table:
        schema = pq.read_schema(paths[0]).remove_metadata()
        sink = pa.BufferOutputStream()
        pa.ipc.new_stream(sink, schema).close()
        rows = sum(pq.read_metadata(path).num_rows for path in paths)
        size = sum(os.path.getsize(path) for path in paths)
        return Table(name, "parquet", tuple(paths), sink.getvalue().to_pybytes().hex(), rows, size)

    return Dataset(data.name, tuple(table(name, paths) for name, paths in files(data).items()))


def dask(data: Path, slots: int) -> Callable[[str], Run]:
    from answer import to_arrow
    from distributed import Client, LocalCluster
    from tables import Tables

    cluster = LocalCluster(
        n_workers=slots, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, local_directory=os.environ["TMPDIR"],
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
    )
    client = Client(cluster)
    tables = Tables(dataset(data), 256 << 20)

    def prepared(workload: str) -> Run:
        module = importlib.import_module(f"tpch.{workload.removeprefix('tpch-')}")

        def run() -> int:
            tables.begin_run()
            program = module.program(tables, text_of(workload))
            return to_arrow(program.finish(client.compute(program.value).result()), program).num_rows

        return run

    return prepared


def ray(data: Path, slots: int) -> Callable[[str], Run]:
    # Ray reads some of them when it is imported.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    import ray

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    ray.init(
        address="local", num_cpus=slots, num_gpus=0, include_dashboard=False, log_to_driver=False, logging_level="warning",
        _node_ip_address="127.0.0.1", _temp_dir=os.environ["TMPDIR"],
        object_store_memory=int(memory * RAY_STORE_SHARE), _memory=int(memory * (1 - RAY_STORE_SHARE)),
    )
    import expressions
    import partitions
    from bench_driver.steps import parse_steps
    from frame import Translator

    for module in (expressions, partitions):
        ray.cloudpickle.register_pickle_by_value(module)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False
    tables = dataset(data)
    family = tomllib.loads((FAMILIES / "groupby" / "family.toml").read_text())
    steps = {workload["name"]: workload["steps"] for workload in family["workload"]}

    def prepared(workload: str) -> Run:
        def run() -> int:
            frame = Translator(tables, context.default_hash_shuffle_parallelism).frame(parse_steps(steps[workload]))
            done = frame.data.select_columns(frame.columns).materialize()
            return sum(block.num_rows for block in ray.get(done.to_arrow_refs()))

        return run

    return prepared


PRODUCTS = {
    "duckdb": duckdb, "polars": polars, "spark": spark, "sail": sail, "ballista": ballista, "datafusion-py": datafusion, "dask": dask,
    "ray": ray,
}


def cpu_seconds() -> tuple[float, float]:
    """What the machine has used since it started, and what the processes of this program have."""
    tick = os.sysconf("SC_CLK_TCK")
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    marker = f"TMPDIR={os.environ['TMPDIR']}".encode()
    own = 0
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and marker in (folder / "environ").read_bytes().split(b"\0"):
                own += sum(map(int, (folder / "stat").read_text().rpartition(")")[2].split()[11:15]))
        except OSError:
            continue
    return (user + nice + system + irq + softirq + steal) / tick, own / tick


def repetition(run: Run) -> tuple[int, int, bool]:
    """Nanoseconds, rows, and whether nobody else was at work meanwhile."""
    machine, own = cpu_seconds()
    begun = time.monotonic_ns()
    rows = run()
    taken = time.monotonic_ns() - begun
    machine_after, own_after = cpu_seconds()
    others = (machine_after - machine) - (own_after - own)
    return taken, rows, others <= OTHERS_AT_MOST * (os.cpu_count() or 1) * taken / 1e9


def main() -> None:
    product, data, slots, repetitions, *workloads = sys.argv[1:]
    prepare = PRODUCTS[product](Path(data), int(slots))
    for workload in workloads:
        run = prepare(workload)
        for _ in range(int(os.environ.get("WARM", "1"))):
            run()
        clean, disturbed = [], []
        while len(clean) < int(repetitions) and len(clean) + len(disturbed) < ATTEMPTS * int(repetitions):
            if clean or disturbed:
                run()
            taken, rows, is_clean = repetition(run)
            (clean if is_clean else disturbed).append(taken)
        if not clean:
            print(f"{product} {workload}: every repetition was disturbed; all of them count", file=sys.stderr)
        print(json.dumps({"workload": workload, "rows": rows, "wall_ns": clean or disturbed}), file=ANSWERS, flush=True)


if __name__ == "__main__":
    # Workers of Dask import this file too: only the first process has answers to give, and nobody else may print among them.
    ANSWERS = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    main()
    ANSWERS.flush()
    # Threads and exit handlers of a product that hangs would keep the process; whoever started it ends what is left.
    os._exit(0)
