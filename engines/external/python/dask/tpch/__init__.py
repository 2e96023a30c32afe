"""The 22 queries derived from TPC-H as Dask DataFrame programs, one module each.

A module's `program(tables, sql)` answers the query of its name, and only that: `TEXTS` holds the fingerprints of the texts that
the programs were written for (without `${fraction}`, the one parameter, which query 11 reads from the text).
`python3 texts.py FOLDER` checks them against the suite's files.

What they share, so that it is said once:
- They read the columns they need, with conditions on a table's own columns applied while reading.
- Decimals are integers of their last digit and dates are timestamps: `1 - l_discount` is `100 - l_discount`, and the product of
  two columns with two digits has four. All sums are exact, as the check demands.
- Joins and shuffles are Dask's: it joins with a table of one partition in place, broadcasts small ones, shuffles others.
- Groups of few rows are ordered after they are computed; where only the first rows count, each partition sends its own.
"""
