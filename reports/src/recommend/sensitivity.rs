//! How the leader depends on the weights.

use super::report::{Sensitivity, Share, Tipping};
use crate::stats::{Bootstrap, SplitMix};

/// How many mixes are drawn.
const SAMPLES: usize = 2000;
/// Any fixed number: the same question gives the same answer.
const SEED: u64 = 0x6d69_7865_7300;

/// Somebody ranked, with the logarithm of its score family by family.
pub(super) struct Scored {
    pub(super) name: String,
    /// Mean logarithm of times, by family, in the order of the weights.
    pub(super) logs: Vec<f64>,
    /// The same, resampled; none of too few trials.
    pub(super) draws: Vec<Option<Bootstrap>>,
}

/// `weights` are shares of what was measured; the first of `ranked` leads. None of fewer than two.
pub(super) fn sensitivity(families: &[&str], weights: &[f64], ranked: &[Scored], missing: f64) -> Option<Sensitivity> {
    let (leader, rivals) = ranked.split_first()?;
    let runner_up = rivals.first()?;
    let tipping = families.iter().enumerate().map(|(i, family)| tip(family, i, weights, leader, rivals));
    let gap: f64 = weights.iter().zip(runner_up.logs.iter().zip(&leader.logs)).map(|(w, (r, l))| w * (r - l)).sum();
    let mut random = SplitMix::new(SEED);
    let near = win_shares(ranked, &mut random, |random| nearby(weights, random));
    let any = win_shares(ranked, &mut random, |random| anywhere(weights.len(), random));
    Some(Sensitivity {
        tipping: tipping.collect(),
        near,
        any,
        samples: SAMPLES,
        unmeasured_slack: (missing > 0.0).then(|| (gap * (1.0 - missing) / missing).exp()),
    })
}

/// Where the share of one family makes another one lead. A rival's lead over the leader is linear in that share while the
/// other shares keep their proportions, so each rival has at most one such point.
fn tip(family: &str, i: usize, weights: &[f64], leader: &Scored, rivals: &[Scored]) -> Tipping {
    let share = weights.get(i).copied().unwrap_or_default();
    let mut nearest: Option<(f64, &str)> = None;
    for rival in rivals.iter().filter(|_| share < 1.0) {
        let behind: Vec<f64> = rival.logs.iter().zip(&leader.logs).map(|(r, l)| r - l).collect();
        let here = behind.get(i).copied().unwrap_or_default();
        let others: f64 =
            behind.iter().zip(weights).enumerate().filter(|(j, _)| *j != i).map(|(_, (b, w))| b * w).sum();
        let rest = others / (1.0 - share);
        let at = rest / (rest - here);
        let nearer = nearest.is_none_or(|(known, _)| (at - share).abs() < (known - share).abs());
        if at.is_finite() && (0.0..=1.0).contains(&at) && nearer {
            nearest = Some((at, &rival.name));
        }
    }
    Tipping {
        family: family.to_owned(),
        share,
        at: nearest.map(|(at, _)| at),
        rival: nearest.map(|(_, rival)| rival.to_owned()),
    }
}

/// Of drawn mixes, which share each leads. Every mix meets a resample of its own, so that uncertainty about times counts
/// as uncertainty about weights does.
fn win_shares(ranked: &[Scored], random: &mut SplitMix, mut mix: impl FnMut(&mut SplitMix) -> Vec<f64>) -> Vec<Share> {
    let mut wins = vec![0usize; ranked.len()];
    for number in 0..SAMPLES {
        let weights = mix(random);
        let score = |s: &Scored| {
            let parts = s.draws.iter().zip(&s.logs).zip(&weights);
            parts.map(|((d, log), w)| w * d.as_ref().and_then(|d| d.draw(number)).unwrap_or(*log)).sum::<f64>()
        };
        let best = ranked.iter().map(score).enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        best.and_then(|(i, _)| wins.get_mut(i)).into_iter().for_each(|w| *w += 1);
    }
    let shares = ranked.iter().zip(wins);
    shares.map(|(s, wins)| Share { name: s.name.clone(), share: wins as f64 / SAMPLES as f64 }).collect()
}

/// Above 0 and at most 1.
fn uniform(random: &mut SplitMix) -> f64 {
    ((random.bits() >> 11) as f64 + 1.0) / (1u64 << 53) as f64
}

/// Each weight times a factor between a half and two, even in its logarithm.
fn nearby(weights: &[f64], random: &mut SplitMix) -> Vec<f64> {
    normalized(weights.iter().map(|w| w * (2.0 * uniform(random) - 1.0).exp2()).collect())
}

/// Any mix as likely as any other: Dirichlet with all parameters 1, drawn as normalized exponentials (Devroye 1986,
/// chapter XI.4).
fn anywhere(families: usize, random: &mut SplitMix) -> Vec<f64> {
    normalized((0..families).map(|_| -uniform(random).ln()).collect())
}

fn normalized(weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 { weights.into_iter().map(|w| w / sum).collect() } else { weights }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scored(name: &str, times: &[f64]) -> Scored {
        Scored {
            name: name.into(),
            logs: times.iter().map(|t| t.ln()).collect(),
            draws: times.iter().map(|_| None).collect(),
        }
    }

    #[test]
    fn the_lead_changes_where_the_scores_meet() {
        // Half as long on the first, twice as long on the second: even at 50 %.
        let ranked = [scored("a", &[1.0, 2.0]), scored("b", &[2.0, 1.0])];
        let found = sensitivity(&["x", "y"], &[0.8, 0.2], &ranked, 0.0).unwrap();
        let at: Vec<f64> = found.tipping.iter().map(|t| t.at.unwrap()).collect();
        assert!((at[0] - 0.5).abs() < 1e-9 && (at[1] - 0.5).abs() < 1e-9, "{at:?}");
        let any = found.any.iter().map(|s| s.share).collect::<Vec<_>>();
        assert!((any[0] - 0.5).abs() < 0.04, "{any:?}");
        assert_eq!(found.near[0].share, 1.0, "0.8 to 0.2 is within a factor of two at 0.5 at worst");
    }

    #[test]
    fn one_that_leads_everywhere_has_no_tipping_point() {
        let ranked = [scored("a", &[1.0, 1.0]), scored("b", &[2.0, 1.5])];
        let found = sensitivity(&["x", "y"], &[0.5, 0.5], &ranked, 0.5).unwrap();
        assert!(found.tipping.iter().all(|t| t.at.is_none() && t.rival.is_none()));
        assert_eq!((found.any[0].share, found.any[1].share), (1.0, 0.0));
        // Half is not measured: what it gains on the other half it may lose there.
        assert!((found.unmeasured_slack.unwrap() - (2.0f64 * 1.5).sqrt()).abs() < 1e-9);
        assert!(sensitivity(&["x"], &[1.0], &ranked[..1], 0.0).is_none());
    }

    proptest! {
        #[test]
        fn drawn_mixes_are_mixes(weights in prop::collection::vec(0.01f64..1.0, 1..6), seed in any::<u64>()) {
            let mut random = SplitMix::new(seed);
            let weights = normalized(weights);
            for drawn in [nearby(&weights, &mut random), anywhere(weights.len(), &mut random)] {
                prop_assert!(drawn.iter().all(|w| (0.0..=1.0).contains(w)));
                prop_assert!((drawn.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }

        #[test]
        fn beyond_the_tipping_point_the_rival_leads(
            a in prop::collection::vec(0.1f64..10.0, 2), b in prop::collection::vec(0.1f64..10.0, 2), w in 0.05f64..0.95,
        ) {
            let score = |t: &[f64], w: f64| w * t[0].ln() + (1.0 - w) * t[1].ln();
            let (first, second) = if score(&a, w) <= score(&b, w) { (&a, &b) } else { (&b, &a) };
            let ranked = [scored("l", first), scored("r", second)];
            let found = sensitivity(&["x", "y"], &[w, 1.0 - w], &ranked, 0.0).unwrap();
            if let Some(at) = found.tipping[0].at {
                let beyond = if at > w { at + 0.01 } else { at - 0.01 };
                prop_assert!(score(second, beyond) <= score(first, beyond) + 1e-9);
            } else {
                let ends = [0.0, 1.0].map(|end| score(first, end) <= score(second, end) + 1e-9);
                prop_assert_eq!(ends, [true, true]);
            }
        }
    }
}
