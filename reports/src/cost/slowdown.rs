//! What a slow-down costs in a year.

use super::unit::{Amount, Count, Hours, Range, Rate, Unit};

/// Days of a year.
const DAYS_PER_YEAR: f64 = 365.25;

/// What a change of a workload's time costs in a year: `(ratio - 1) x time x runs a day x 365.25 x price of an hour`. A ratio below 1
/// saves; the amount is then that of the saving, and the answer says so.
///
/// `ratio` is new time over old time with its interval, `before` the old time, `hourly` what all instances that the workload holds
/// cost in an hour.
#[must_use]
pub fn cost_of_slowdown(
    ratio: Range<Count>,
    before: Hours,
    runs_per_day: Count,
    hourly: Range<Rate<Hours>>,
) -> Range<YearlyChange> {
    let hours = before.get() * runs_per_day.get() * DAYS_PER_YEAR;
    let change = |ratio: Count, rate: Rate<Hours>| YearlyChange((ratio.get() - 1.0) * hours * rate.per_unit().get());
    // A saving is largest where the ratio is lowest and the price highest.
    let rates = [hourly.low, hourly.high];
    let low = rates.map(|rate| change(ratio.low, rate));
    let high = rates.map(|rate| change(ratio.high, rate));
    let base = change(ratio.base, hourly.base);
    let [a, b] = low;
    let [c, d] = high;
    let least = Range::around(base, [a, b]).low;
    let most = Range::around(base, [c, d]).high;
    Range { low: least, base, high: most }
}

/// A change of what a year costs: above zero it becomes dearer, below it saves.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct YearlyChange(f64);

impl YearlyChange {
    /// How much dearer a year becomes; none where it does not.
    #[must_use]
    pub fn dearer(self) -> Option<Amount> {
        (self.0 > 0.0).then(|| Amount::of(self.0))
    }

    /// How much a year saves; none where it does not.
    #[must_use]
    pub fn saved(self) -> Option<Amount> {
        (self.0 < 0.0).then(|| Amount::of(-self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(raw: f64) -> Count {
        Count::of(raw)
    }

    #[test]
    fn ten_percent_of_an_hour_a_day_is_thirty_six_and_a_half_hours_a_year() {
        let ratio = Range { low: count(1.05), base: count(1.1), high: count(1.15) };
        let hourly = Range::exactly(Rate::of(2.0));
        let yearly = cost_of_slowdown(ratio, Hours::of(1.0), count(1.0), hourly);
        let dearer = |change: YearlyChange| change.dearer().map_or(0.0, Amount::get);
        assert!((dearer(yearly.base) - 73.05).abs() < 1e-9);
        assert!((dearer(yearly.low) - 36.525).abs() < 1e-9 && (dearer(yearly.high) - 109.575).abs() < 1e-9);
    }

    #[test]
    fn what_becomes_faster_saves() {
        let yearly =
            cost_of_slowdown(Range::exactly(count(0.9)), Hours::of(1.0), count(1.0), Range::exactly(Rate::of(1.0)));
        assert_eq!(yearly.base.dearer(), None);
        assert!(yearly.base.saved().is_some_and(|a| (a.get() - 36.525).abs() < 1e-9));
        let same =
            cost_of_slowdown(Range::exactly(count(1.0)), Hours::of(1.0), count(1.0), Range::exactly(Rate::of(1.0)));
        assert_eq!((same.base.dearer(), same.base.saved()), (None, None));
    }

    proptest! {
        #[test]
        fn the_range_ascends_whatever_the_ratio_and_the_prices(
            mut ratio in prop::array::uniform3(0.01f64..5.0), mut rate in prop::array::uniform3(0.0f64..100.0),
            hours in 0.0f64..10.0, runs in 0.0f64..1000.0,
        ) {
            ratio.sort_by(f64::total_cmp);
            rate.sort_by(f64::total_cmp);
            let ratio = Range { low: count(ratio[0]), base: count(ratio[1]), high: count(ratio[2]) };
            let hourly = Range { low: Rate::of(rate[0]), base: Rate::of(rate[1]), high: Rate::of(rate[2]) };
            let yearly = cost_of_slowdown(ratio, Hours::of(hours), count(runs), hourly);
            prop_assert!(yearly.low <= yearly.base && yearly.base <= yearly.high);
        }
    }
}
