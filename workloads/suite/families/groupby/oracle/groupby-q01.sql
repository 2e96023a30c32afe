SELECT id1, sum(v1) AS v1 FROM groupby GROUP BY id1
