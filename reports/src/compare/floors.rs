//! What a difference has to exceed before it is shown, or why none can be.

use super::measured::{CaseAt, Measured};
use super::meeting::Meeting;
use super::workloads::ByWorkload;
use crate::comparison::{NoiseFloor, Verdict};
use crate::stats::{Evidence, Interval, judge, median, quantile, sorted};
use bench_record::Family;
use std::collections::BTreeMap;

/// What a ratio of times rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ground {
    /// Two measurements of the same thing differ by so much: 0.02 is 2 %.
    Noise(f64),
    /// Nobody measured the same thing twice.
    NoArm,
    /// Somebody did, and other work disturbed it.
    ArmContaminated,
    /// The two were in no run together.
    Apart,
}

impl Ground {
    /// That of two who met so.
    pub(crate) fn of(self, meeting: &Meeting) -> Self {
        match (self, meeting) {
            (_, Meeting::Apart { .. }) => Self::Apart,
            (Self::Noise(floor), meeting) => Self::Noise(meeting.noise(Some(floor)).unwrap_or(floor)),
            (ground, _) => ground,
        }
    }

    /// What may be said of a ratio that rests on it. Without a known noise no difference is shown, however large: machines on
    /// which equal things differ by a half are not rare.
    pub(super) fn verdict(
        self,
        value: f64,
        interval: Option<Interval>,
        evidence: Evidence,
        is_contaminated: bool,
        variation: [Option<f64>; 2],
    ) -> Verdict {
        let noise = match self {
            Self::Apart => return Verdict::NotInterleaved,
            Self::Noise(noise) => Some(noise),
            Self::NoArm | Self::ArmContaminated => None,
        };
        if is_contaminated {
            return Verdict::Contaminated;
        }
        let judged = judge(value, interval, evidence, [noise].into_iter().chain(variation));
        match self {
            Self::NoArm if judged.is_shown() => Verdict::NoFloor,
            Self::ArmContaminated if judged.is_shown() => Verdict::FloorContaminated,
            _ => judged,
        }
    }
}

/// What differences mean nothing, per workload and for the whole table.
pub(super) struct Floors<'a> {
    by_workload: BTreeMap<(Family, &'a str), f64>,
    pub(super) table: NoiseFloor,
}

impl<'a> Floors<'a> {
    pub(super) fn new(measured: &BTreeMap<CaseAt<'a>, Measured<'a>>) -> Self {
        let mut by_workload: BTreeMap<(Family, &'a str), f64> = BTreeMap::new();
        let noise = measured.iter().filter_map(|(at, m)| m.noise.map(|n| (at, n)));
        let mut all = Vec::new();
        for (at, noise) in noise {
            let floor = by_workload.entry((at.family, at.workload)).or_default();
            *floor = floor.max(noise);
            all.push(noise);
        }
        let all = sorted(all);
        let contaminated = measured.values().filter(|m| m.is_arm_contaminated).count();
        let table = NoiseFloor { cases: all.len(), contaminated, median: median(&all), p95: quantile(&all, 0.95) };
        Self { by_workload, table }
    }

    /// A workload's own floor.
    pub(super) fn own(&self, family: Family, workload: &str) -> Option<f64> {
        self.by_workload.get(&(family, workload)).copied()
    }

    /// The ground of a total over these workloads: the table's floor, or that of the only one.
    pub(super) fn over(&self, cases: &ByWorkload<'_, '_>) -> Ground {
        let mut names = cases.keys();
        let only = names.next().filter(|_| names.next().is_none());
        let own = self.by_workload.iter().filter(|((_, name), _)| only == Some(name)).map(|(_, floor)| *floor);
        self.ground(own.chain(self.table.p95).reduce(f64::max))
    }

    /// The larger of a workload's own floor and the table's: one lucky draw of a single A/A arm does not make a machine
    /// that steady.
    pub(super) fn of(&self, family: Family, workload: &str) -> Ground {
        self.ground([self.own(family, workload), self.table.p95].into_iter().flatten().reduce(f64::max))
    }

    /// That of the whole table.
    pub(super) fn whole(&self) -> Ground {
        self.ground(self.table.p95)
    }

    const fn ground(&self, floor: Option<f64>) -> Ground {
        match floor {
            Some(floor) => Ground::Noise(floor),
            None if self.table.contaminated > 0 => Ground::ArmContaminated,
            None => Ground::NoArm,
        }
    }
}

/// The ground of what was measured in several tables: the largest noise that one of them knows.
pub(super) fn together<'f, 'a: 'f>(all: impl Iterator<Item = &'f Floors<'a>>) -> Ground {
    let grounds: Vec<Ground> = all.map(Floors::whole).collect();
    let noise = grounds.iter().filter_map(|g| if let Ground::Noise(noise) = g { Some(*noise) } else { None });
    let unknown = if grounds.contains(&Ground::ArmContaminated) { Ground::ArmContaminated } else { Ground::NoArm };
    noise.reduce(f64::max).map_or(unknown, Ground::Noise)
}
