//! Whether someone else's work got into a measurement.

use bench_record::Contamination;

/// Other work a trial suffered from, as shares of what the machine could have given it.
///
/// A share below its threshold is noise of the counters or of an idle system; at or above it, the trial is contaminated:
///
/// | share | threshold | of what |
/// |---|---|---|
/// | other processes' CPU | 10 % and 40 ms | cores x wall |
/// | steal | 2 % and 20 ms | cores x wall |
/// | throttling | 2 % and 10 ms | wall |
/// | memory stalls | 2 % and 10 ms | wall |
///
/// The absolute part exists because the kernel counts CPU time of the whole machine in ticks of 10 ms per core.
/// Throttling and memory stalls may be the engine's own doing; the trial is not comparable all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interference {
    /// CPU time of processes that are neither the engine's nor the harness's.
    pub other_cpu_ns: u64,
    /// CPU time the hypervisor gave to others.
    pub steal_ns: u64,
    /// Time in which the CPU quota kept this control group from running.
    pub throttled_ns: u64,
    /// Time in which every task of the machine waited for memory.
    pub memory_stall_ns: u64,
    /// The trial's wall time as the harness saw it, digest excluded.
    pub wall_ns: u64,
    /// Cores of the machine.
    pub cores: u32,
}

const OTHER_CPU: Threshold = Threshold { share: 0.10, at_least_ns: 40_000_000 };
const STEAL: Threshold = Threshold { share: 0.02, at_least_ns: 20_000_000 };
const STALL: Threshold = Threshold { share: 0.02, at_least_ns: 10_000_000 };

struct Threshold {
    share: f64,
    at_least_ns: u64,
}

impl Threshold {
    fn is_reached(&self, ns: u64, of_ns: f64) -> bool {
        ns >= self.at_least_ns && ns as f64 >= self.share * of_ns
    }
}

impl Interference {
    /// The evidence for the record; a trial with reasons is contaminated.
    #[must_use]
    pub fn record(&self) -> Contamination {
        Contamination {
            other_cpu_ns: Some(self.other_cpu_ns),
            steal_ns: Some(self.steal_ns),
            throttled_ns: Some(self.throttled_ns),
            reasons: self.reasons(),
        }
    }

    /// What contaminated the trial, with the limit that was passed; empty if nothing did.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let wall = self.wall_ns as f64;
        let all = wall * f64::from(self.cores.max(1));
        let found = [
            ("other processes used", self.other_cpu_ns, all, OTHER_CPU),
            ("the hypervisor took", self.steal_ns, all, STEAL),
            ("the CPU quota withheld", self.throttled_ns, wall, STALL),
            ("memory stalls took", self.memory_stall_ns, wall, STALL),
        ];
        found
            .into_iter()
            .filter(|(_, ns, of, threshold)| threshold.is_reached(*ns, *of))
            .map(|(what, ns, of, threshold)| {
                let (share, ms, limit) = (100.0 * ns as f64 / of, ns as f64 / 1e6, 100.0 * threshold.share);
                format!("{what} {share:.0} % ({ms:.0} ms), over the limit of {limit:.0} %")
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Interference = Interference {
        other_cpu_ns: 0,
        steal_ns: 0,
        throttled_ns: 0,
        memory_stall_ns: 0,
        wall_ns: 1_000_000_000,
        cores: 2,
    };

    #[test]
    fn a_quiet_machine_does_not_contaminate() {
        assert!(QUIET.reasons().is_empty());
        let ticks = Interference { other_cpu_ns: 20_000_000, wall_ns: 5_000_000, ..QUIET };
        assert!(ticks.reasons().is_empty(), "two ticks are what the counter cannot resolve");
    }

    #[test]
    fn each_kind_of_foreign_work_is_named_with_its_share_and_limit() {
        let busy = Interference { other_cpu_ns: 500_000_000, steal_ns: 60_000_000, ..QUIET };
        let said = [
            "other processes used 25 % (500 ms), over the limit of 10 %",
            "the hypervisor took 3 % (60 ms), over the limit of 2 %",
        ];
        assert_eq!(busy.reasons(), said);
        let throttled = Interference { throttled_ns: 30_000_000, ..QUIET };
        assert_eq!(throttled.record().reasons, ["the CPU quota withheld 3 % (30 ms), over the limit of 2 %"]);
    }
}
