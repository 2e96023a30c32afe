//! Sums that do not depend on the order of their terms, to within the last bit or two.

/// A compensated sum: the rounding error of each addition is kept beside the total (Knuth's branch-free two-sum).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compensated {
    total: f64,
    error: f64,
}

impl Compensated {
    #[inline]
    pub(super) fn add(&mut self, x: f64) {
        let sum = self.total + x;
        let added = sum - self.total;
        self.error += (self.total - (sum - added)) + (x - added);
        self.total = sum;
    }

    /// Adds a sum of other terms.
    fn merge(&mut self, other: Self) {
        self.add(other.total);
        self.error += other.error;
    }

    /// The sum, kept finite so that it survives JSON, which has no infinities.
    pub(super) fn value(self) -> f64 {
        // Once the total overflows, the error term is meaningless (infinity minus infinity).
        let sum = if self.total.is_finite() { self.total + self.error } else { self.total };
        sum.clamp(f64::MIN, f64::MAX) + 0.0
    }
}

/// The three sums of an approximate column, and how many values they do and do not cover.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ColumnSums {
    pub(super) count: u64,
    pub(super) non_finite: u64,
    pub(super) sum: Compensated,
    pub(super) magnitude: Compensated,
    pub(super) weighted: Compensated,
}

impl ColumnSums {
    #[inline]
    pub(super) fn add(&mut self, x: f64, row: u64) {
        if x.is_finite() {
            self.count += 1;
            self.sum.add(x);
            self.magnitude.add(x.abs());
            self.weighted.add(x * weight(row));
        } else {
            self.non_finite += 1;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.non_finite += other.non_finite;
        self.sum.merge(other.sum);
        self.magnitude.merge(other.magnitude);
        self.weighted.merge(other.weighted);
    }
}

/// A weight in [0.5, 1.5) from the hash of a row's exact columns.
#[inline]
fn weight(row: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1u64 << 53) as f64;
    0.5 + (row >> 11) as f64 * UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_keeps_what_plain_addition_loses() {
        let mut sum = Compensated::default();
        for x in [1e16, 1.0, -1e16, 1.0] {
            sum.add(x);
        }
        assert_eq!(sum.value(), 2.0);
    }

    #[test]
    fn a_sum_that_overflows_stays_a_number() {
        let mut sum = Compensated::default();
        sum.add(f64::MAX);
        sum.add(f64::MAX);
        assert_eq!(sum.value(), f64::MAX);
    }
}
