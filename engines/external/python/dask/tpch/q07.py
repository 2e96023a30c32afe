"""Volume shipping."""

from answer import Answer

from .shared import column, day, nations, ordered, revenue, sums

KEYS = ["supp_nation", "cust_nation", "l_year"]


def program(tables, sql: str) -> Answer:
    both = nations(tables)
    both = both[both.n_name.isin(["FRANCE", "GERMANY"])]
    supplier = tables.read("supplier", ["s_suppkey", "s_nationkey"]).merge(both, left_on="s_nationkey", right_on="n_nationkey")
    supplier = supplier[["s_suppkey", "n_name"]].rename(columns={"n_name": "supp_nation"})
    customer = tables.read("customer", ["c_custkey", "c_nationkey"]).merge(both, left_on="c_nationkey", right_on="n_nationkey")
    customer = customer[["c_custkey", "n_name"]].rename(columns={"n_name": "cust_nation"})
    order = tables.read("orders", ["o_orderkey", "o_custkey"]).merge(customer, left_on="o_custkey", right_on="c_custkey")
    years = (column("l_shipdate") >= day(1995, 1, 1)) & (column("l_shipdate") <= day(1996, 12, 31))
    lines = tables.read("lineitem", ["l_orderkey", "l_suppkey", "l_shipdate", "l_extendedprice", "l_discount"], years)
    lines = lines.merge(supplier, left_on="l_suppkey", right_on="s_suppkey")
    joined = lines.merge(order[["o_orderkey", "cust_nation"]], left_on="l_orderkey", right_on="o_orderkey")
    joined = joined[joined.supp_nation != joined.cust_nation]
    joined = joined.assign(l_year=joined.l_shipdate.dt.year, revenue=revenue(joined))
    return Answer(sums(joined, KEYS, "revenue"), lambda rows: ordered(rows, KEYS, [True, True, True]), {"revenue": 4})
