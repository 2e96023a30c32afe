SELECT x.id1, x.id2, x.id3, x.id4, x.id5, x.id6, x.v1, r.id1 AS medium_id1, r.id4 AS medium_id4, r.id5 AS medium_id5, r.v2
FROM x JOIN medium r ON x.id2 = r.id2
