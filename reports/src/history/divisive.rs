//! At which values a series changes: E-divisive means (Matteson and James 2014, JASA 109:505), with Student's test in place of
//! their permutations, which makes the same series give the same answer, and in windows with a merge afterwards, as Hunter does
//! (Fleming and others, ICPE 2023) and its successor Apache Otava.
//!
//! The energy distance of two stretches says how far their distributions lie apart. A window is divided where it is
//! largest, over all ends of the second stretch, and divided further as long as the test finds the halves different at ten
//! times the wanted probability. Then the weakest of all divisions goes, one by one, until the rest all pass.

use super::student::Segment;

/// When a change is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensitivity {
    /// The probability by chance alone is below this.
    pub p: f64,
    /// The relative change is above this: 0.02 is 2 %.
    pub least: f64,
    /// So many values are looked at together; at least 2.
    pub window: usize,
}

impl Default for Sensitivity {
    fn default() -> Self {
        Self { p: 0.001, least: 0.0, window: 50 }
    }
}

/// A change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first value after it.
    pub at: usize,
    /// The probability of such a change by chance alone.
    pub p: f64,
    /// The mean since the change before.
    pub before: f64,
    /// The mean up to the next change.
    pub after: f64,
}

impl ChangePoint {
    /// The larger of the relative changes there and back.
    fn magnitude(&self) -> f64 {
        let relative = |to: f64, from: f64| if from == 0.0 { 0.0 } else { (to / from - 1.0).abs() };
        relative(self.after, self.before).max(relative(self.before, self.after))
    }
}

/// The changes of a series, in order. The same series and sensitivity give the same changes.
#[must_use]
pub fn change_points(series: &[f64], sensitivity: &Sensitivity) -> Vec<ChangePoint> {
    merged(series, divisions(series, sensitivity), sensitivity)
}

/// Every division of every window, in order: of them, the weak ones have yet to go.
fn divisions(series: &[f64], sensitivity: &Sensitivity) -> Vec<usize> {
    let first_pass = match sensitivity.p {
        p if p < 0.05 => p * 10.0,
        p if p < 0.5 => p * 2.0,
        p => p,
    };
    let window = sensitivity.window.max(2);
    let mut found: Vec<usize> = Vec::new();
    let mut start = 0;
    while start < series.len() {
        let end = series.len().min(start + window);
        let new = divided(series.get(start..end).unwrap_or_default(), first_pass);
        let last = new.last().map_or(0, |at| at + start);
        found.extend(new.iter().map(|at| at + start));
        start = last.max(start + window / 2);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Where a window is divided.
fn divided(window: &[f64], p: f64) -> Vec<usize> {
    let distances = Distances::of(window);
    let mut cuts: Vec<usize> = Vec::new();
    loop {
        let mut best: Option<Cut> = None;
        for (start, end) in stretches(&cuts, window.len()) {
            let cut = distances.cut(start, end);
            if let Some(cut) = cut.filter(|cut| best.is_none_or(|best| cut.energy > best.energy)) {
                best = Some(cut);
            }
        }
        let Some(cut) = best else { return cuts };
        let at = cuts.partition_point(|known| *known < cut.at);
        let mut wanted = cuts.clone();
        wanted.insert(at, cut.at);
        // A probability that is not a number passes nothing.
        if !change(window, &wanted, at).is_some_and(|change| change.p <= p) {
            return cuts;
        }
        cuts = wanted;
    }
}

/// Lets the weakest change go until all pass.
fn merged(series: &[f64], mut cuts: Vec<usize>, sensitivity: &Sensitivity) -> Vec<ChangePoint> {
    loop {
        let changes: Vec<ChangePoint> = (0..cuts.len()).filter_map(|at| change(series, &cuts, at)).collect();
        let improbable = |p: f64| if p.is_nan() { 1.0 } else { p };
        let mut weakest: Option<(usize, f64)> = None;
        for (at, p) in changes.iter().map(|c| improbable(c.p)).enumerate() {
            if weakest.is_none_or(|(_, most)| p > most) {
                weakest = Some((at, p));
            }
        }
        let Some((at, p)) = weakest else { return changes };
        if p >= sensitivity.p {
            cuts.remove(at);
            continue;
        }
        let mut smallest: Option<(usize, f64)> = None;
        for (at, magnitude) in changes.iter().map(ChangePoint::magnitude).enumerate() {
            if smallest.is_none_or(|(_, least)| magnitude < least) {
                smallest = Some((at, magnitude));
            }
        }
        match smallest {
            Some((at, magnitude)) if magnitude <= sensitivity.least => {
                cuts.remove(at);
            }
            _ => return changes,
        }
    }
}

/// The change at one of the cuts, between its neighbors.
fn change(series: &[f64], cuts: &[usize], number: usize) -> Option<ChangePoint> {
    let at = *cuts.get(number)?;
    let start = number.checked_sub(1).and_then(|i| cuts.get(i)).copied().unwrap_or(0);
    let end = cuts.get(number + 1).copied().unwrap_or(series.len());
    let (before, after) = (Segment::of(series.get(start..at)?), Segment::of(series.get(at..end)?));
    Some(ChangePoint { at, p: before.p(&after), before: before.mean, after: after.mean })
}

fn stretches(cuts: &[usize], n: usize) -> impl Iterator<Item = (usize, usize)> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    starts.zip(cuts.iter().copied().chain([n])).filter(|(start, end)| end - start > 1)
}

#[derive(Clone, Copy)]
struct Cut {
    at: usize,
    energy: f64,
}

/// Sums of distances between the values of a window, so that each sum over a rectangle takes four additions.
struct Distances {
    side: usize,
    /// `sums[i * side + j]`: over all pairs of the first `i` and the first `j` values.
    sums: Vec<f64>,
}

impl Distances {
    fn of(window: &[f64]) -> Self {
        let side = window.len() + 1;
        let mut sums = vec![0.0; side * side];
        for (i, x) in window.iter().enumerate() {
            let mut row = 0.0;
            for (j, y) in window.iter().enumerate() {
                row += (x - y).abs();
                let above = sums.get(i * side + j + 1).copied().unwrap_or_default();
                if let Some(sum) = sums.get_mut((i + 1) * side + j + 1) {
                    *sum = above + row;
                }
            }
        }
        Self { side, sums }
    }

    /// Over all pairs of a value of the first stretch and one of the second.
    fn between(&self, (a, b): (usize, usize), (c, d): (usize, usize)) -> f64 {
        let sum = |i: usize, j: usize| self.sums.get(i * self.side + j).copied().unwrap_or_default();
        sum(b, d) - sum(a, d) - sum(b, c) + sum(a, c)
    }

    /// The energy distance of `start..at` and `at..end`, weighted by their sizes: formula 5 of Matteson and James with the
    /// exponent 1.
    fn energy(&self, start: usize, at: usize, end: usize) -> f64 {
        let (x, y) = ((start, at), (at, end));
        let (n, m) = ((at - start) as f64, (end - at) as f64);
        // Each pair within a stretch is counted twice by the rectangle.
        let within = |stretch, n: f64| if n > 1.0 { self.between(stretch, stretch) / (n * (n - 1.0)) } else { 0.0 };
        n * m / (n + m) * (2.0 / (n * m) * self.between(x, y) - within(x, n) - within(y, m))
    }

    /// The first of the best divisions of `start..end`, over all ends of the second stretch; none without a distance.
    fn cut(&self, start: usize, end: usize) -> Option<Cut> {
        let mut best: Option<Cut> = None;
        for at in start + 1..end {
            for to in at + 1..=end {
                let energy = self.energy(start, at, to);
                if best.is_none_or(|best| energy > best.energy) {
                    best = Some(Cut { at, energy });
                }
            }
        }
        best.filter(|best| best.energy > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::SplitMix;
    use proptest::prelude::*;

    fn noisy(levels: &[(usize, f64)], noise: f64, seed: u64) -> Vec<f64> {
        let mut random = SplitMix::new(seed);
        let mut noise = || noise * (random.bits() as f64 / u64::MAX as f64 - 0.5);
        levels.iter().flat_map(|(n, level)| (0..*n).map(|_| *level).collect::<Vec<_>>()).map(|x| x + noise()).collect()
    }

    fn found(series: &[f64]) -> Vec<usize> {
        change_points(series, &Sensitivity::default()).iter().map(|c| c.at).collect()
    }

    #[test]
    fn steps_are_found_where_they_are_and_noise_is_not() {
        assert_eq!(found(&noisy(&[(20, 100.0), (20, 110.0)], 2.0, 1)), [20]);
        assert_eq!(found(&noisy(&[(15, 100.0), (15, 90.0), (20, 120.0)], 2.0, 2)), [15, 30]);
        assert_eq!(found(&noisy(&[(120, 100.0), (80, 105.0)], 2.0, 3)), [120]);
        assert_eq!(found(&noisy(&[(60, 100.0)], 5.0, 4)), [0usize; 0]);
    }

    #[test]
    fn short_and_flat_series_have_no_change() {
        assert_eq!(found(&[]), [0usize; 0]);
        assert_eq!(found(&[1.0, 2.0]), [0usize; 0]);
        assert_eq!(found(&[7.0; 90]), [0usize; 0]);
    }

    #[test]
    fn a_change_below_the_least_share_is_none() {
        let series = noisy(&[(30, 100.0), (30, 101.0)], 0.5, 5);
        assert_eq!(found(&series), [30]);
        let sensitivity = Sensitivity { least: 0.02, ..Sensitivity::default() };
        assert_eq!(change_points(&series, &sensitivity), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn changes_are_in_order_inside_the_series_and_improbable(
            series in prop::collection::vec(1.0f64..1e6, 0..120), p in 0.0001f64..0.2,
        ) {
            let changes = change_points(&series, &Sensitivity { p, ..Sensitivity::default() });
            prop_assert!(changes.windows(2).all(|pair| pair[0].at < pair[1].at));
            prop_assert!(changes.iter().all(|c| c.at > 0 && c.at < series.len() && c.p < p));
        }

        #[test]
        fn another_unit_changes_nothing(seed in any::<u64>(), power in -8i32..8) {
            let series = noisy(&[(25, 100.0), (25, 104.0)], 6.0, seed);
            let scaled: Vec<f64> = series.iter().map(|x| x * 2f64.powi(power)).collect();
            prop_assert_eq!(found(&series), found(&scaled));
        }
    }

    /// The merge of Otava 0.8.0: where a change goes, the numbers at its place and at the one after it are taken anew. The list is
    /// shorter by then, so these are the change after it and the next one; the change before it keeps numbers of a comparison that is
    /// not made any more.
    fn merged_by_otava(series: &[f64], mut cuts: Vec<usize>, sensitivity: &Sensitivity) -> Vec<usize> {
        let mut changes: Vec<ChangePoint> = (0..cuts.len()).filter_map(|at| change(series, &cuts, at)).collect();
        let first = |better: &dyn Fn(&ChangePoint, &ChangePoint) -> bool, all: &[ChangePoint]| {
            (1..all.len()).fold(0, |best, i| if better(&all[i], &all[best]) { i } else { best })
        };
        while !changes.is_empty() {
            let mut at = first(&|a, b| a.p > b.p, &changes);
            if changes[at].p < sensitivity.p {
                at = first(&|a, b| a.magnitude() < b.magnitude(), &changes);
                if changes[at].magnitude() > sensitivity.least {
                    break;
                }
            }
            changes.remove(at);
            cuts.remove(at);
            for again in [at, at + 1] {
                if let (Some(slot), Some(anew)) = (changes.get_mut(again), change(series, &cuts, again)) {
                    *slot = anew;
                }
            }
        }
        changes.iter().map(|c| c.at).collect()
    }

    #[test]
    fn with_otavas_slip_in_the_merge_every_series_has_otavas_changes() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../../tests/history/otava.json")).unwrap();
        let mut slips = 0;
        for case in file["cases"].as_array().unwrap() {
            let number = |value: &serde_json::Value| value.as_f64().unwrap();
            let series: Vec<f64> = case["series"].as_array().unwrap().iter().map(number).collect();
            let sensitivity = Sensitivity { p: number(&case["p"]), least: number(&case["least"]), window: 50 };
            let theirs: Vec<usize> =
                case["changes"].as_array().unwrap().iter().map(|c| c["at"].as_u64().unwrap() as usize).collect();
            let slipped = merged_by_otava(&series, divisions(&series, &sensitivity), &sensitivity);
            assert_eq!(slipped, theirs, "{}", case["name"]);
            let ours: Vec<usize> = change_points(&series, &sensitivity).iter().map(|c| c.at).collect();
            slips += usize::from(ours != slipped);
        }
        assert_eq!(slips, 3, "series in which the slip matters");
    }
}
