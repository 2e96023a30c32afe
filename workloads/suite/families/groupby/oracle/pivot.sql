SELECT
    id4,
    id5,
    sum(CASE WHEN v1 = 1 THEN v3 END) AS "1",
    sum(CASE WHEN v1 = 2 THEN v3 END) AS "2",
    sum(CASE WHEN v1 = 3 THEN v3 END) AS "3",
    sum(CASE WHEN v1 = 4 THEN v3 END) AS "4",
    sum(CASE WHEN v1 = 5 THEN v3 END) AS "5"
FROM groupby
GROUP BY id4, id5
