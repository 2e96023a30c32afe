-- Revenue change: what small discounts of a year cost.
-- The bounds are 0.06 - 0.01 and 0.06 + 0.01, written out: computed in binary floating point they would exclude 0.07.
SELECT sum(l_extendedprice * l_discount) AS revenue
FROM lineitem
WHERE l_shipdate >= DATE '1994-01-01'
  AND l_shipdate < DATE '1994-01-01' + INTERVAL '1' YEAR
  AND l_discount BETWEEN 0.05 AND 0.07
  AND l_quantity < 24
