"""Files as DataFrames, and the datasets that a session knows."""

from __future__ import annotations

from bench_driver import DataError, Dataset, ProgramError, Table, Workload
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType


class Tables:
    """The datasets of a session. SQL sees the tables of one dataset at a time, as temporary views."""

    def __init__(self, session: SparkSession):
        self.session = session
        self.frames: dict[str, dict[str, DataFrame]] = {}
        self.seen_by_sql: str | None = None

    def load(self, datasets: list[Dataset]) -> None:
        """Knows these and forgets those before. Schemas and file lists are read here, rows are not."""
        self.hide()
        self.frames = {d.name: {t.name: self.open(t) for t in d.tables} for d in datasets}
        if datasets:
            self.show(datasets[0].name)

    def open(self, table: Table) -> DataFrame:
        try:
            if table.format == "parquet":
                return self.session.read.parquet(*table.files)
            return self.session.read.csv(list(table.files), header=True, schema=spark_schema(table))
        except Exception as error:
            raise DataError(f"cannot read table {table.name} from {table.files[0]}: {error}") from error

    def of(self, workload: Workload) -> dict[str, DataFrame]:
        """The tables that a workload reads; none if it names no dataset."""
        if workload.dataset is None:
            return {}
        if workload.dataset not in self.frames:
            raise ProgramError(f"{workload.name} reads the dataset {workload.dataset}, which is not loaded")
        return self.frames[workload.dataset]

    def source(self, workload: Workload, name: str) -> DataFrame:
        tables = self.of(workload)
        if name not in tables:
            raise ProgramError(f"{workload.name} reads the table {name}; dataset {workload.dataset} has {', '.join(tables)}")
        return tables[name]

    def show(self, dataset: str) -> None:
        """Makes SQL see the tables of this dataset."""
        if self.seen_by_sql != dataset:
            self.hide()
            for name, frame in self.frames[dataset].items():
                frame.createOrReplaceTempView(name)
            self.seen_by_sql = dataset

    def hide(self) -> None:
        for name in self.frames.get(self.seen_by_sql, {}):
            self.session.catalog.dropTempView(name)
        self.seen_by_sql = None


def spark_schema(table: Table) -> StructType:
    """The columns of a table; text in view layout, which PySpark does not know, as plain text."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import from_arrow_schema

    columns = [
        field.with_type(pa.string()) if field.type == pa.string_view() else field for field in table.arrow_schema()
    ]
    return from_arrow_schema(pa.schema(columns), prefer_timestamp_ntz=True)
