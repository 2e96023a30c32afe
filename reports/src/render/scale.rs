//! One unit and one number of decimals for a whole column, so that its numbers can be compared by eye.

/// How a column's numbers are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// The unit, for the column's title.
    pub(super) unit: &'static str,
    per_unit: f64,
    decimals: usize,
}

const TIMES: [(&str, f64); 4] = [("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0)];
const SIZES: [(&str, f64); 4] = [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1024.0), ("B", 1.0)];

impl Scale {
    /// For nanoseconds.
    pub(super) fn time(values: impl IntoIterator<Item = f64>) -> Self {
        Self::of(&TIMES, 0.1, values)
    }

    /// For bytes.
    pub(super) fn size(values: impl IntoIterator<Item = f64>) -> Self {
        Self::of(&SIZES, 1.0, values)
    }

    /// For whole numbers of anything.
    pub(super) fn count() -> Self {
        Self { unit: "", per_unit: 1.0, decimals: 0 }
    }

    /// The largest unit in which the smallest positive value is at least `least`; three digits for the smallest value, but
    /// no more than six for the largest.
    fn of(units: &[(&'static str, f64); 4], least: f64, values: impl IntoIterator<Item = f64>) -> Self {
        let positive = values.into_iter().filter(|v| *v > 0.0 && v.is_finite());
        let (low, high) = positive.fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
        let [.., smallest] = *units;
        let (unit, per_unit) = units.iter().copied().find(|(_, per)| low >= per * least).unwrap_or(smallest);
        let wanted = match low / per_unit {
            x if x < 1.0 => 3,
            x if x < 10.0 => 2,
            x if x < 100.0 => 1,
            _ => 0,
        };
        let whole_digits = (high / per_unit).max(1.0).log10() as usize + 1;
        Self { unit, per_unit, decimals: wanted.min(6usize.saturating_sub(whole_digits)) }
    }

    /// A value without its unit.
    pub(super) fn show(&self, value: f64) -> String {
        format!("{:.*}", self.decimals, value / self.per_unit)
    }
}

/// A ratio with three digits, two where it takes an exponent.
pub(super) fn ratio(value: f64) -> String {
    let decimals = match value {
        x if x >= 10_000.0 || (x > 0.0 && x < 0.01) => return format!("{x:.1e}"),
        x if x < 10.0 => 2,
        x if x < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A share as percent with one decimal.
pub(super) fn percent(share: f64) -> String {
    // Adding zero turns a rounded negative zero into a plain one.
    format!("{:.1}", (share * 1000.0).round() / 10.0 + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_one_unit_and_enough_digits_for_its_smallest_value() {
        let scale = Scale::time([0.25e9, 12.5e9]);
        assert_eq!((scale.unit, scale.show(0.25e9), scale.show(12.5e9)), ("s", "0.250".into(), "12.500".into()));
        let scale = Scale::time([1.234e6, 1e9]);
        assert_eq!((scale.unit, scale.show(1.234e6), scale.show(1e9)), ("ms", "1.23".into(), "1000.00".into()));
        let scale = Scale::size([300.0 * 1_048_576.0]);
        assert_eq!((scale.unit, scale.show(300.0 * 1_048_576.0)), ("MiB", "300".into()));
    }

    #[test]
    fn a_column_of_nothing_or_of_extremes_still_has_a_unit() {
        assert_eq!(Scale::time([]).unit, "s");
        let scale = Scale::time([1.0, 1e18]);
        assert_eq!((scale.unit, scale.show(1.0)), ("ns", "1".into()));
    }

    #[test]
    fn ratios_and_shares_keep_three_digits() {
        assert_eq!([ratio(0.5), ratio(12.34), ratio(123.4)], ["0.50", "12.3", "123"]);
        assert_eq!([ratio(0.0012), ratio(123_456.0), ratio(0.0)], ["1.2e-3", "1.2e5", "0.00"]);
        assert_eq!([percent(0.123), percent(-0.0001)], ["12.3", "0.0"]);
    }
}
