"""Dask clusters as drivers use them: what `dask` and `dask+datafusion` share.

| module | idea |
|---|---|
| `cluster` | a local cluster within the limits of the comparison, or an attached one; computing, cancelling, stopping |
| `memory` | whether a worker was ended for its memory |
| `task_spans` | where its workers spent a run, from its task stream |
"""

from .cluster import Cluster

__all__ = ["Cluster"]
