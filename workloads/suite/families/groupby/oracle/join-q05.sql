SELECT
    x.id1, x.id2, x.id3, x.id4, x.id5, x.id6, x.v1,
    r.id1 AS big_id1, r.id2 AS big_id2, r.id4 AS big_id4, r.id5 AS big_id5, r.id6 AS big_id6, r.v2
FROM x JOIN big r ON x.id3 = r.id3
