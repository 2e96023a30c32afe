//! From which amount of data, and from how many jobs a day, one offer is cheaper than another: at the base of every range, and how far that
//! moves within what the times may be.

use super::book::Purchase;
use super::input::{self, Key, Point};
use super::model::{Part, total};
use super::offer::Offer;
use super::pricing::Scenario;
use super::unit::{Count, DAYS_PER_MONTH, Gigabytes, Hours, Unit};
use serde::Serialize;

/// The least data that is looked at, in gigabytes a month.
const DATA_MIN: f64 = 1.0;
/// The most: a hundred petabytes.
const DATA_MAX: f64 = 1e8;
/// The fewest jobs a day that are looked at: about one a month.
const JOBS_MIN: f64 = 1.0 / 32.0;
/// The most: one a minute.
const JOBS_MAX: f64 = 1440.0;
/// Steps of a curve; crossings are then found to a part in a million.
pub(super) const STEPS: usize = 96;

/// What grows along a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Data per month.
    Data,
    /// Jobs per day.
    Jobs,
}

/// Where two offers cost the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossing {
    /// What grows.
    pub axis: Axis,
    /// Cheaper below; an index into the family's offers.
    pub below: usize,
    /// Cheaper above.
    pub above: usize,
    /// Where.
    pub at: At,
    /// How far that may be off.
    pub within: Within,
    /// The data of a job there, in gigabytes, of the one that is cheaper below and of the other.
    pub job_gb: [Option<f64>; 2],
}

/// How far a crossing may be off, by what the two times may be as they are measured or predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Within {
    /// The lowest and the highest place at the ends of their intervals.
    Places([At; 2]),
    /// At one of these ends they do not cross, in this direction, on the axis.
    Open,
    /// A time has no interval.
    Unknown,
}

impl Within {
    /// As JSON names it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Places(_) => "between",
            Self::Open => "open",
            Self::Unknown => "unknown",
        }
    }

    /// The two places, if there are any.
    pub(super) const fn places(self) -> Option<[At; 2]> {
        match self {
            Self::Places(places) => Some(places),
            Self::Open | Self::Unknown => None,
        }
    }
}

/// A place on an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    /// So much data in a month.
    Data(Gigabytes),
    /// So many jobs a day.
    Jobs(Count),
}

impl At {
    /// The number on its axis: gigabytes a month or jobs a day.
    #[must_use]
    pub const fn number(self) -> f64 {
        match self {
            Self::Data(data) => data.get(),
            Self::Jobs(jobs) => jobs.get(),
        }
    }
}

/// All crossings between offers that have a total and may be ranked with each other, in the order of the offers: a predicted time is never
/// ranked with a measured one, and a sum never with one from which other lines are missing. Instances on the spot market and committed
/// ones are left out: they are the same curve at another price.
pub(super) fn crossings(offers: &[Offer], scenario: &Scenario) -> Vec<Crossing> {
    let mut found = Vec::new();
    let on_demand = |o: &Offer| o.bill.total.is_some() && o.purchase.is_none_or(|p| p == Purchase::OnDemand);
    let priced: Vec<(usize, &Offer)> = offers.iter().enumerate().filter(|(_, o)| on_demand(o)).collect();
    for (at, (i, a)) in priced.iter().enumerate() {
        for (j, b) in priced.iter().skip(at + 1).filter(|(_, b)| a.footing() == b.footing()) {
            for axis in [Axis::Data, Axis::Jobs] {
                for (x, falls) in roots(axis, difference((a, None), (b, None), axis, scenario)) {
                    let (below, above) = if falls { (*j, *i) } else { (*i, *j) };
                    let within = within(a, b, (axis, x, falls), scenario);
                    let job_gb = [below, above].map(|i| job_at(offers.get(i)?, axis, x, scenario));
                    found.push(Crossing { axis, below, above, at: place(axis, x), within, job_gb });
                }
            }
        }
    }
    // One contestant's deployments first: that is what the one who runs it can choose.
    let apart = |c: &Crossing| {
        let who = |i: usize| offers.get(i).map(|o| o.contestant.as_str());
        who(c.below) != who(c.above)
    };
    found.sort_by_key(apart);
    found
}

/// A crossing at the ends of both times, the nearest one of its direction. Those of one contestant move together; of two, one is as short
/// and the other as long as it may be, and the other way round.
fn within(a: &Offer, b: &Offer, (axis, at, falls): (Axis, f64, bool), scenario: &Scenario) -> Within {
    let (of_a, of_b) = (a.busy, b.busy);
    if of_a.low == of_a.high || of_b.low == of_b.high {
        return Within::Unknown;
    }
    let pairs = if a.contestant == b.contestant {
        [(of_a.low, of_b.low), (of_a.high, of_b.high)]
    } else {
        [(of_a.low, of_b.high), (of_a.high, of_b.low)]
    };
    let mut places = [at; 2];
    for (busy_a, busy_b) in pairs {
        let found = roots(axis, difference((a, Some(busy_a)), (b, Some(busy_b)), axis, scenario));
        let alike = found.into_iter().filter(|(_, as_before)| *as_before == falls).map(|(x, _)| x);
        let Some(nearest) = alike.min_by(|x, y| (x / at).ln().abs().total_cmp(&(y / at).ln().abs())) else {
            return Within::Open;
        };
        places = [places[0].min(nearest), places[1].max(nearest)];
    }
    Within::Places(places.map(|x| place(axis, x)))
}

/// The data of a job at a place on an axis, in gigabytes.
fn job_at(offer: &Offer, axis: Axis, x: f64, scenario: &Scenario) -> Option<f64> {
    let job = match axis {
        Axis::Data => x / scenario.jobs.per_month(x, priced_job(offer)),
        Axis::Jobs => scenario.volume.get() / (x * DAYS_PER_MONTH),
    };
    Some(job).filter(|gb| gb.is_finite() && *gb > 0.0)
}

/// The data of one of its jobs, as it is priced.
fn priced_job(offer: &Offer) -> Option<Gigabytes> {
    let base = |key| offer.inputs.range(key).map(|range| range.base);
    Some(Gigabytes::of(base(Key::Volume)? / base(Key::Jobs)?))
}

/// An offer, and how long it works on a terabyte where that is not the base of its range.
type Taking<'a> = (&'a Offer, Option<Hours>);

/// By how much a month of one costs more than a month of another, over the places of an axis.
fn difference(a: Taking<'_>, b: Taking<'_>, axis: Axis, scenario: &Scenario) -> impl Fn(f64) -> Option<f64> {
    move |x| Some(cost_taking(a, axis, x, scenario)? - cost_taking(b, axis, x, scenario)?)
}

/// A month of running an offer, at a place on an axis.
pub(super) fn cost(offer: &Offer, axis: Axis, x: f64, scenario: &Scenario) -> Option<f64> {
    cost_taking((offer, None), axis, x, scenario)
}

fn cost_taking((offer, busy): Taking<'_>, axis: Axis, x: f64, scenario: &Scenario) -> Option<f64> {
    let (volume, jobs) = match axis {
        Axis::Data => (x, scenario.jobs.per_month(x, Some(priced_job(offer)?))),
        Axis::Jobs => (scenario.volume.get(), x * DAYS_PER_MONTH),
    };
    let there = Point::new(&offer.inputs, input::At::Base).but(Key::Volume, volume).but(Key::Jobs, jobs);
    let there = match busy {
        Some(busy) => there.but(Key::Busy, busy.get()),
        None => there,
    };
    total(offer.deployment, Part::Running, &there).map(super::unit::Amount::get)
}

/// The places that are looked at, evenly on a logarithmic scale.
pub(super) fn places(axis: Axis) -> impl Iterator<Item = f64> {
    let (low, high) = match axis {
        Axis::Data => (DATA_MIN, DATA_MAX),
        Axis::Jobs => (JOBS_MIN, JOBS_MAX),
    };
    (0..=STEPS).map(move |i| low * (high / low).powf(i as f64 / STEPS as f64))
}

fn place(axis: Axis, x: f64) -> At {
    match axis {
        Axis::Data => At::Data(Gigabytes::of(x)),
        Axis::Jobs => At::Jobs(Count::of(x)),
    }
}

/// Where a difference changes its sign, and whether it falls there.
fn roots(axis: Axis, difference: impl Fn(f64) -> Option<f64>) -> Vec<(f64, bool)> {
    let mut found = Vec::new();
    let mut last: Option<(f64, f64)> = None;
    for x in places(axis) {
        let Some(d) = difference(x).filter(|d| d.is_finite() && *d != 0.0) else { continue };
        if let Some((before, earlier)) = last
            && earlier.signum() != d.signum()
        {
            found.push((bisect(before, x, earlier, &difference), d < 0.0));
        }
        last = Some((x, d));
    }
    found
}

/// Halves the logarithm of an interval whose ends differ in sign.
fn bisect(mut low: f64, mut high: f64, at_low: f64, difference: &impl Fn(f64) -> Option<f64>) -> f64 {
    while high / low > 1.0 + 1e-6 {
        let middle = (low * high).sqrt();
        let same = difference(middle).is_some_and(|d| d.signum() == at_low.signum());
        (low, high) = if same { (middle, high) } else { (low, middle) };
    }
    (low * high).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_cost_and_a_dear_rate_cross_where_arithmetic_says() {
        // 10 + 1 x against 3 x: at 5, the first is cheaper above.
        let found = roots(Axis::Data, |x| Some(10.0 + x - 3.0 * x));
        assert_eq!(found.len(), 1);
        assert!((found[0].0 - 5.0).abs() < 1e-4 && found[0].1, "{found:?}");
    }

    #[test]
    fn costs_that_never_meet_do_not_cross() {
        assert_eq!(roots(Axis::Jobs, |x| Some(1.0 + x)), []);
        assert_eq!(roots(Axis::Jobs, |_| None), []);
        assert_eq!(roots(Axis::Jobs, |_| Some(0.0)), []);
        assert_eq!(roots(Axis::Jobs, |_| Some(f64::NAN)), []);
    }
}
