"""One DataFusion plan as many tasks: what `dask+datafusion` and `ray+datafusion` share, so that only the runtime differs.

`plan` cuts the steps of a dataframe program at its exchanges into a graph of tasks. `run_task` computes one of them on one core
with the `datafusion` package, the engine inside this repository's own kernels. The runtime decides where and when a task runs and
moves its pieces; it never looks into them, and the kernel never talks to it:

    graph = plan(steps, dataset, partitions=slots)
    for task in graph.tasks:                      # those it reads come before it
        pieces = submit(run_task, task, *[piece(t, i) for t, i in task.reads])
    answer = concat(the only piece of each of graph.answer, in this order)

How work is cut is fixed and equal on both runtimes:

| step | tasks |
|---|---|
| scan, filter, select | one per file; DataFusion reads the Parquet and prunes what no step needs |
| group, pivot | sum, count, min, max, avg: once per input, again per hash partition of the keys; any other aggregate: rows by hash, then whole |
| distinct | once per input, again per hash partition of all columns |
| window | per hash partition of PARTITION BY |
| join | the right table goes to every task where DataFusion would collect it (1 MiB, 131,072 rows); else both sides by hash of the keys |
| sort | range partitions from a sample of the first key, then one sort each |
| sort, limit | the first rows of each input, then of all |

SQL text is not cut: there is no distributed planner in Python, and a query that runs whole inside one task measures no runtime.

| module | idea |
|---|---|
| `graph` | tasks, what they read, how their rows are cut |
| `plan` | steps to tasks |
| `text` | what has to be known about an expression's text |
| `task` | running one task |
"""

from .graph import Graph, Task
from .plan import plan
from .task import run_task

__all__ = ["Graph", "Task", "plan", "run_task"]
