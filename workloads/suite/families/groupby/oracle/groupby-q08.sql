SELECT id6, v3 AS largest2_v3
FROM (
    SELECT id6, v3, row_number() OVER (PARTITION BY id6 ORDER BY v3 DESC) AS place
    FROM groupby
    WHERE v3 IS NOT NULL
) AS places
WHERE place <= 2
