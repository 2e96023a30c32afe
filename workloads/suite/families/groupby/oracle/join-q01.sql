SELECT x.id1, x.id2, x.id3, x.id4, x.id5, x.id6, x.v1, r.id4 AS small_id4, r.v2
FROM x JOIN small r ON x.id1 = r.id1
