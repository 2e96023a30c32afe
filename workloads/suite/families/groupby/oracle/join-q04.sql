SELECT x.id1, x.id2, x.id3, x.id4, x.id5, x.id6, x.v1, r.id1 AS medium_id1, r.id2 AS medium_id2, r.id4 AS medium_id4, r.v2
FROM x JOIN medium r ON x.id5 = r.id5
