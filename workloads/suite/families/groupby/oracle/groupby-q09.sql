SELECT id2, id4, corr(v1, v2) * corr(v1, v2) AS r2 FROM groupby GROUP BY id2, id4
