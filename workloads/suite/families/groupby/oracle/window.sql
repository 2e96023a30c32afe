SELECT
    id6,
    v3,
    rank() OVER (PARTITION BY id6 ORDER BY v3 DESC NULLS FIRST) AS place,
    sum(v2) OVER (PARTITION BY id6) AS total_v2
FROM groupby
