"""Dataframe programs as operations of the Dask DataFrame API.

| module | idea |
|---|---|
| `steps` | one function per step |
| `expressions` | SQL expressions over columns, with SQL's three truth values |
| `groups` | aggregates by groups, and pivots |
| `windows` | window columns |
"""

from .steps import translate

__all__ = ["translate"]
