"""Dataframe programs as operations of the PySpark DataFrame API, for every engine that this API drives: Spark itself, and Sail
over Spark Connect.

Expressions go through `expr`, in whose dialect they are written. Orders are spelled out, because they say where NULLs go.

| module | idea |
|---|---|
| `steps` | one function per step |
| `windows` | window columns and orders |
| `tables` | files as DataFrames, and the datasets that are known |
"""

from .steps import data_frame
from .tables import Tables

__all__ = ["Tables", "data_frame"]
