SELECT id1, id3, id6, v1 + v2 AS v12, v3 * 2.0 AS v3_twice
FROM groupby
WHERE v1 >= 2 AND v2 < 13 AND v3 < 80.0
