//! The trials of one contestant on one workload, reduced to what a comparison needs.

use super::field::{Field, Trial};
use super::meeting::ByRun;
use crate::comparison::Contestant;
use crate::stats::{Sample, fnv1a, median, resamples_of, sorted};
use bench_record::{Arm, CaseKey, Family, Observation, Outcome};
use std::collections::BTreeMap;

/// Which case: ordered by family, workload, contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CaseAt<'a> {
    pub(super) family: Family,
    pub(super) workload: &'a str,
    pub(super) contestant: usize,
}

/// A case's trials.
pub(super) struct Measured<'a> {
    /// Trials of the main arm that count.
    pub(super) trials: Vec<&'a Observation>,
    /// The same by run.
    pub(super) by_run: ByRun<'a>,
    /// Contaminated ones that do not.
    pub(super) excluded: usize,
    /// The worst outcome.
    pub(super) outcome: Outcome,
    /// Its reason.
    pub(super) reason: Option<String>,
    /// Times; none unless every trial that counts completed.
    pub(super) sample: Option<Sample>,
    /// What its times are resampled with.
    pub(super) draw: Draw,
    /// How far the A/A twin's median lies from it; none where contaminated trials had to be counted.
    pub(super) noise: Option<f64>,
    /// Whether it has an A/A arm that tells nothing, because something else disturbed it or the case itself.
    pub(super) is_arm_contaminated: bool,
}

/// How times are resampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draw {
    pub(super) seed: u64,
    /// As many for every case of a table.
    pub(super) resamples: usize,
}

/// The times of a case, and the runs that they are of.
#[derive(Clone, Copy)]
pub(super) struct Timed<'m, 'a> {
    pub(super) sample: &'m Sample,
    pub(super) by_run: &'m ByRun<'a>,
}

impl<'a> Measured<'a> {
    /// Its times; none unless it completed.
    pub(super) fn timed(&self) -> Option<Timed<'_, 'a>> {
        self.sample.as_ref().map(|sample| Timed { sample, by_run: &self.by_run })
    }
}

/// All cases of a table, those with faults included. A case of which only the twin ran, and completed, was not measured yet.
pub(super) fn measure<'a>(field: &Field<'a>) -> BTreeMap<CaseAt<'a>, Measured<'a>> {
    let mut trials: BTreeMap<CaseAt<'a>, Vec<&Trial<'a>>> = BTreeMap::new();
    for trial in &field.trials {
        let case = &trial.observation.case;
        let at = CaseAt { family: case.family, workload: &case.workload, contestant: trial.contestant };
        trials.entry(at).or_default().push(trial);
    }
    let draw = |seed| Draw { seed, resamples: resamples_of(trials.len()) };
    let one = |(at, trials): (CaseAt<'a>, &Vec<&Trial<'a>>)| {
        let contestant = field.contestants.get(at.contestant)?;
        Some((at, reduce(trials, draw(seed_of(&trials.first()?.observation.key, contestant)))))
    };
    let measured = trials.iter().filter_map(|(at, trials)| one((*at, trials)));
    measured.filter(|(_, m)| !m.trials.is_empty() || m.outcome != Outcome::Completed).collect()
}

/// The cases of one family by workload.
pub(super) fn by_workload<'m, 'a>(
    measured: &'m BTreeMap<CaseAt<'a>, Measured<'a>>,
    family: Family,
) -> BTreeMap<&'a str, Vec<(usize, &'m Measured<'a>)>> {
    let mut out: BTreeMap<&'a str, Vec<(usize, &'m Measured<'a>)>> = BTreeMap::new();
    for (at, m) in measured.iter().filter(|(at, _)| at.family == family) {
        out.entry(at.workload).or_default().push((at.contestant, m));
    }
    out
}

fn reduce<'a>(all: &[&Trial<'a>], draw: Draw) -> Measured<'a> {
    let counted = |arm: Arm| {
        let of_arm = all.iter().filter(move |t| t.observation.arm == arm && !t.excluded);
        of_arm.map(|t| t.observation).collect::<Vec<_>>()
    };
    let (trials, twins) = (counted(Arm::Main), counted(Arm::Twin));
    let mut by_run = ByRun::new();
    for trial in all.iter().filter(|t| t.observation.arm == Arm::Main && !t.excluded) {
        by_run.entry(&trial.run.path).or_default().push(trial.observation);
    }
    // A wrong answer counts wherever it was given; anything else only in trials that count. The order of outcomes puts
    // completed first, then the worst.
    let wrong = all.iter().map(|t| t.observation).filter(|o| o.outcome == Outcome::WrongAnswer);
    let others = trials.iter().chain(&twins).copied().filter(|o| o.outcome != Outcome::Completed);
    let worst = wrong.chain(others).min_by_key(|o| o.outcome);
    let outcome = worst.map_or(Outcome::Completed, |o| o.outcome);
    let sample = if outcome == Outcome::Completed { sample(&trials, draw) } else { None };
    let twin = median(&sorted(twins.iter().filter_map(|o| o.wall_ns).map(|ns| ns as f64)));
    let clean = sample.as_ref().filter(|s| !s.contaminated && twins.iter().all(|o| !o.contaminated));
    let is_arm_contaminated = sample.is_some() && twin.is_some() && clean.is_none();
    let noise = clean.zip(twin).map(|(s, twin)| crate::stats::effect(s.median / twin));
    Measured {
        excluded: all.iter().filter(|t| t.excluded && t.observation.arm == Arm::Main).count(),
        reason: worst.and_then(|o| o.reason.clone()),
        trials,
        by_run,
        outcome,
        sample,
        draw,
        is_arm_contaminated,
        noise: noise.filter(|n| n.is_finite()),
    }
}

/// The times of trials that completed.
pub(super) fn sample(trials: &[&Observation], draw: Draw) -> Option<Sample> {
    let times = trials.iter().filter_map(|o| o.wall_ns).map(|ns| ns as f64);
    let sample = Sample::resampled(times, draw.seed, draw.resamples)?;
    Some(Sample { contaminated: trials.iter().any(|o| o.contaminated), ..sample })
}

/// A seed from all that makes trials repetitions of each other: the case, the engine's version and build, and the
/// faults planned. Samples that meet in a ratio differ in one of these, of the scale too where data grow with the nodes,
/// and so draw independently. What else is in the report changes nothing.
fn seed_of(key: &CaseKey, contestant: &Contestant) -> u64 {
    let Contestant { version, build_id, faults, .. } = contestant;
    let texts = [key.as_str(), version.as_deref().unwrap_or_default(), build_id, faults.as_deref().unwrap_or_default()];
    fnv1a(texts.iter().flat_map(|text| text.bytes().chain([0])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_record::{Case, Protocol};

    fn case(nodes: u32, scale: u32) -> Case {
        Case {
            suite: "1gb".into(),
            family: Family::Sql,
            workload: "q".into(),
            engine: "actor".into(),
            variant: Case::DEFAULT_VARIANT.into(),
            cluster: "processes".into(),
            nodes,
            slots: 1,
            protocol: Protocol::Warm(1),
            scale,
        }
    }

    fn contestant(build_id: &str, faults: Option<&str>) -> Contestant {
        Contestant {
            label: "actor".into(),
            engine: "actor".into(),
            variant: Case::DEFAULT_VARIANT.into(),
            cluster: "processes".into(),
            nodes: 1,
            slots: 1,
            cores: 1.0,
            version: None,
            build_id: build_id.into(),
            faults: faults.map(str::to_owned),
            ablates: None,
        }
    }

    #[test]
    fn scales_nodes_builds_and_faults_draw_differently() {
        let plain = contestant("a", None);
        let seeds = [
            seed_of(&case(1, 1).key(), &plain),
            seed_of(&case(1, 2).key(), &plain),
            seed_of(&case(2, 1).key(), &plain),
            seed_of(&case(1, 1).key(), &contestant("b", None)),
            seed_of(&case(1, 1).key(), &contestant("a", Some("kill@50%"))),
        ];
        let times = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
        let drawn = |seed: u64| {
            let bootstrap = Sample::new(times, seed).unwrap().bootstrap.unwrap();
            (0..50).map(|i| bootstrap.draw(i).unwrap()).collect::<Vec<_>>()
        };
        for (i, a) in seeds.iter().enumerate() {
            assert!(seeds[..i].iter().all(|b| drawn(*a) != drawn(*b)), "{i}");
        }
        assert_eq!(seed_of(&case(1, 1).key(), &Contestant { label: "actor/1".into(), ..plain }), seeds[0]);
    }
}
