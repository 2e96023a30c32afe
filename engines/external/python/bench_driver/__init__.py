"""What every driver of a product shares: `docs/engine-protocol.md` spoken in pure standard-library Python 3.11.

A driver is `engines/external/python/NAME/driver.py`:

    from bench_driver import Engine, Unsupported, serve

    class Duck(Engine):
        name = "duck"
        refuses = {}                           # optional: forms of programs, "sql" or "frame", that it runs none of, and why

        def version(self): ...                 # of the live product, asked at `hello`
        def start(self, setup): ...            # setup.slots, .memory_bytes, .scratch, .tuning, .attach; self.settings()
        def load(self, datasets): ...          # forget the earlier ones; open tables, read no rows
        def run(self, workload): ...           # compute the WHOLE answer, hold it in the driver's hands, return its rows
        def write_result(self, path): ...      # the answer that is held, as one Parquet file, in the order of its rows
        def discard(self): ...                 # drop the answer that is held
        def interrupt(self): ...               # optional: called on ANOTHER thread when the run is to be cancelled
        def explain(self, workload, analyze): ...      # optional: text
        def stop(self): ...                    # end everything that was started; 8 s at most

    if __name__ == "__main__":
        serve(Duck())

Beside it lie `requirements.in`, `requirements.txt` (hash-locked), `default.toml`, `tuned.toml`, `advice.toml` if
there is any, and `overrides/WORKLOAD.sql`. The folder of the driver is no package: it must hold no `__init__.py`, for it has the product's name.
`PYTHONPATH` names the folder that holds `bench_driver`.

| module | idea |
|---|---|
| `engine` | the verbs a driver defines, and what it is given |
| `protocol` | the loop: one request, one reply; cancelling; failures as replies |
| `failures` | the exceptions that mean something to the harness |
| `data` | datasets and workloads as the harness describes them |
| `steps` | the steps of a dataframe program |
| `expressions` | their SQL expressions as trees, for products that take none |
| `settings` | the configurations |
| `probes` | what `bench overhead` asks of a product's runtime |
| `spans` | where slot time went, from a product's own trace |
| `overrides` | documented differences of a SQL dialect |
| `processes` | what the driver has started, and its end |
| `ports` | which ports are free, and who listens on one that is not |
"""

from .data import Dataset, Table, Workload, csv_options
from .engine import Engine, Ran, Setup
from .failures import Cancelled, DataError, DriverError, OutOfMemory, ProgramError, Unsupported
from .protocol import serve

__all__ = [
    "Cancelled",
    "DataError",
    "Dataset",
    "DriverError",
    "Engine",
    "OutOfMemory",
    "ProgramError",
    "Ran",
    "Setup",
    "Table",
    "Unsupported",
    "Workload",
    "csv_options",
    "serve",
]
