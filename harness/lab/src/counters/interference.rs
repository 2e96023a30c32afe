//! Whether someone else's work got into a measurement.

use bench_record::Contamination;

/// Other work a trial suffered from, as shares of what the machine could have given it.
///
/// A share below its threshold is noise of the counters or of an idle system; at or above it, the trial is contaminated:
///
/// | share | threshold | of what |
/// |---|---|---|
/// | other processes' CPU, by the machine's totals | 10 % and 40 ms | cores x wall |
/// | other processes' CPU, by their own clocks | 10 % and 2 ms | cores x wall |
/// | steal | 2 % and 20 ms | cores x wall |
/// | throttling | 2 % and 10 ms | wall |
/// | memory stalls | 2 % and 10 ms | wall |
///
/// The absolute part is what the counter resolves. The kernel counts the whole machine in ticks of 10 ms per core, so for
/// trials under 40 ms even a core that others keep busy throughout does not show there; the clocks of the processes
/// themselves are exact, and a busy core shows from 2 ms on. Stolen time has no finer counter: in trials under 20 ms it goes
/// unnoticed. Throttling and memory stalls may be the engine's own doing; the trial is not comparable all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interference {
    /// CPU time of processes that are neither the engine's nor the harness's: the machine's total without theirs. Like the
    /// others absent where the system does not tell.
    pub other_cpu_ns: Option<u64>,
    /// The same as the sum over every process that could be seen: exact, but without those that are hidden or have ended.
    pub seen_cpu_ns: u64,
    /// CPU time of the kernel's own threads: it may be the engine's doing and somebody else's, and contaminates nothing.
    pub kernel_cpu_ns: Option<u64>,
    /// CPU time the hypervisor gave to others.
    pub steal_ns: Option<u64>,
    /// Time in which the CPU quota kept this control group from running.
    pub throttled_ns: Option<u64>,
    /// Time in which every task of the machine waited for memory.
    pub memory_stall_ns: Option<u64>,
    /// The trial's wall time as the harness saw it, digest excluded.
    pub wall_ns: u64,
    /// Cores of the machine.
    pub cores: u32,
}

const OTHER_CPU: Threshold = Threshold { share: 0.10, at_least_ns: 40_000_000 };
const SEEN_CPU: Threshold = Threshold { share: 0.10, at_least_ns: 2_000_000 };
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
            // Whichever saw more: neither can see what is not there, except for the rounding of ticks.
            other_cpu_ns: self.other_cpu_ns.map(|ns| ns.max(self.seen_cpu_ns)),
            kernel_cpu_ns: self.kernel_cpu_ns,
            steal_ns: self.steal_ns,
            throttled_ns: self.throttled_ns,
            reasons: self.reasons(),
        }
    }

    /// What contaminated the trial, with the limit that was passed; empty if nothing did.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let wall = self.wall_ns as f64;
        let all = wall * f64::from(self.cores.max(1));
        let totals = self.other_cpu_ns.filter(|ns| OTHER_CPU.is_reached(*ns, all));
        let seen = Some(self.seen_cpu_ns).filter(|ns| SEEN_CPU.is_reached(*ns, all));
        let found = [
            ("other processes used", totals.max(seen), all, SEEN_CPU),
            ("the hypervisor took", self.steal_ns, all, STEAL),
            ("the CPU quota withheld", self.throttled_ns, wall, STALL),
            ("memory stalls took", self.memory_stall_ns, wall, STALL),
        ];
        found
            .into_iter()
            .filter_map(|(what, ns, of, threshold)| Some((what, ns?, of, threshold)))
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
        other_cpu_ns: Some(0),
        seen_cpu_ns: 0,
        kernel_cpu_ns: Some(0),
        steal_ns: Some(0),
        throttled_ns: Some(0),
        memory_stall_ns: Some(0),
        wall_ns: 1_000_000_000,
        cores: 2,
    };

    #[test]
    fn a_quiet_machine_does_not_contaminate() {
        assert!(QUIET.reasons().is_empty());
        let ticks = Interference { other_cpu_ns: Some(20_000_000), wall_ns: 5_000_000, ..QUIET };
        assert!(ticks.reasons().is_empty(), "two ticks are what the counter cannot resolve");
    }

    #[test]
    fn each_kind_of_foreign_work_is_named_with_its_share_and_limit() {
        let busy = Interference { other_cpu_ns: Some(500_000_000), steal_ns: Some(60_000_000), ..QUIET };
        let said = [
            "other processes used 25 % (500 ms), over the limit of 10 %",
            "the hypervisor took 3 % (60 ms), over the limit of 2 %",
        ];
        assert_eq!(busy.reasons(), said);
        let kernel = Interference { kernel_cpu_ns: Some(500_000_000), ..QUIET };
        assert!(kernel.reasons().is_empty(), "it may have worked for the engine");
        let throttled = Interference { throttled_ns: Some(30_000_000), ..QUIET };
        assert_eq!(throttled.record().reasons, ["the CPU quota withheld 3 % (30 ms), over the limit of 2 %"]);
    }

    #[test]
    fn a_busy_core_is_noticed_however_short_the_trial() {
        for wall_ms in [5u64, 20, 39, 100] {
            let wall_ns = wall_ms * 1_000_000;
            // What the totals say of so short a time is rounding: here they have not ticked at all.
            let core = Interference { seen_cpu_ns: wall_ns, wall_ns, ..QUIET };
            let said = format!("other processes used 50 % ({wall_ms} ms), over the limit of 10 %");
            assert_eq!(core.record().reasons, [said]);
            assert_eq!(core.record().other_cpu_ns, Some(wall_ns));
        }
        let daemons = Interference { seen_cpu_ns: 900_000, wall_ns: 5_000_000, ..QUIET };
        assert!(daemons.reasons().is_empty(), "9 % are an idle system's");
    }

    #[test]
    fn what_is_unknown_neither_contaminates_nor_is_recorded() {
        let blind = Interference { wall_ns: QUIET.wall_ns, cores: 2, ..Interference::default() };
        assert_eq!(blind.record(), Contamination::default());
    }
}
