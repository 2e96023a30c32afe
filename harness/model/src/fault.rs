//! What may be done to a cluster on purpose, and what came of it: plain data.

use crate::ids::NodeId;
use crate::units::Nanos;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One way to hurt a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The process dies at once, and its blocks with it.
    Kill,
    /// The process stops for longer than the failure detector waits, then goes on as if nothing had happened: a zombie.
    Pause,
    /// The process gets a tenth of the CPU time it had.
    SlowCpu,
    /// Nothing reaches the node and nothing leaves it.
    Cut,
    /// Nothing leaves the node; it still hears everything.
    CutOneWay,
    /// The node's link carries 10 Mbit/s.
    Rate,
    /// The node's disk takes no more bytes.
    DiskFull,
    /// One byte of a block that the node holds changes.
    CorruptBlock,
    /// The kernel's out-of-memory killer takes the process.
    Oom,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Kill,
        Self::Pause,
        Self::SlowCpu,
        Self::Cut,
        Self::CutOneWay,
        Self::Rate,
        Self::DiskFull,
        Self::CorruptBlock,
        Self::Oom,
    ];

    /// Its name on the command line and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::SlowCpu => "slow-cpu",
            Self::Cut => "cut",
            Self::CutOneWay => "cut-one-way",
            Self::Rate => "rate",
            Self::DiskFull => "disk-full",
            Self::CorruptBlock => "corrupt-block",
            Self::Oom => "oom",
        }
    }
}

/// When a fault fires: by the job's progress and not by the time, at which a fast engine may be done and a slow one has
/// hardly begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// When so many percent of the job's tasks have ended.
    Percent(u8),
    /// At a percentage drawn from the seed.
    Random,
}

/// One planned fault: `kill@50%`, `pause@random`, `kill@30%:n2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// When.
    pub trigger: Trigger,
    /// To which node; drawn from the seed if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
}

/// Why a fault cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no fault: write KIND@PERCENT%, KIND@random or KIND@PERCENT%:nNODE, such as kill@50% or pause@random:n2; kinds: {kinds}", kinds = FaultKind::ALL.map(FaultKind::name).join(", "))]
pub struct FaultSyntax {
    /// What was given.
    pub text: String,
}

impl FromStr for Fault {
    type Err = FaultSyntax;

    fn from_str(text: &str) -> Result<Self, FaultSyntax> {
        let refuse = || FaultSyntax { text: text.to_owned() };
        let (kind, rest) = text.split_once('@').ok_or_else(refuse)?;
        let kind = FaultKind::ALL.into_iter().find(|k| k.name() == kind).ok_or_else(refuse)?;
        let (trigger, node) = match rest.split_once(':') {
            None => (rest, None),
            Some((trigger, node)) => {
                let number = node.strip_prefix('n').and_then(|n| n.parse().ok()).ok_or_else(refuse)?;
                (trigger, Some(NodeId(number)))
            }
        };
        let trigger = match trigger.strip_suffix('%') {
            Some(percent) => Trigger::Percent(percent.parse().ok().filter(|p| *p < 100).ok_or_else(refuse)?),
            None if trigger == "random" => Trigger::Random,
            None => return Err(refuse()),
        };
        Ok(Self { kind, trigger, node })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@", self.kind.name())?;
        match self.trigger {
            Trigger::Percent(percent) => write!(f, "{percent}%")?,
            Trigger::Random => f.write_str("random")?,
        }
        self.node.map_or(Ok(()), |node| write!(f, ":{node}"))
    }
}

/// The faults of one run of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// What happens.
    pub faults: Vec<Fault>,
    /// What is not said in them (which node, when, which block) is drawn from this seed.
    pub seed: u64,
}

/// What came of a planned fault. A run whose fault did not fire is void: it shows nothing about recovery.
///
/// Records keep it, so fields it does not know are ignored: a later build may have added them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultOutcome {
    /// As planned.
    pub fault: String,
    /// Which node was hurt.
    pub node: NodeId,
    /// When it fired, from submit; absent if it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired_ns: Option<Nanos>,
    /// How many tasks had ended when it fired.
    pub tasks_done: u64,
    /// When the driver noticed, from submit; absent if it never did (a slow node need not be noticed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_ns: Option<Nanos>,
    /// When everything that was lost had been made again: the end of the last repeated task, from submit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_ns: Option<Nanos>,
    /// Tasks that ran more than once because of it.
    pub tasks_repeated: u64,
    /// Time that the repetitions took on their slots, together; absent where nobody measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated_ns: Option<Nanos>,
    /// Time that all tasks of the run took on their slots, repetitions included: what `repeated_ns` is a share of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_ns: Option<Nanos>,
    /// Why it did not fire, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn faults_are_written_as_they_are_read() {
        for text in ["kill@50%", "pause@random", "cut-one-way@0%:n3", "oom@99%"] {
            assert_eq!(text.parse::<Fault>().map(|f| f.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_kinds_there_are() {
        for text in ["kill", "kill@", "kill@100%", "kill@x%", "burn@5%", "kill@5%:2", "kill@5%:n", ""] {
            let refusal = text.parse::<Fault>().err().map(|e| e.to_string());
            assert!(refusal.is_some_and(|r| r.contains("corrupt-block")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,24}") {
            let _ = text.parse::<Fault>();
        }
    }
}
