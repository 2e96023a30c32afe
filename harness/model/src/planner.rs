//! The switches of the front half that all styles share, declared once so that every style shows, takes and records them
//! alike.

use crate::tuning::{Default as D, Switch};

const MIB: u64 = 1 << 20;

/// What any style can set about how a query is planned before its first task. A planner reads a switch that a style does
/// not declare as if it were at the default given here.
pub const PLANNER_SWITCHES: [Switch; 6] = [
    Switch {
        name: "partitions",
        default: D::Count(0),
        help: "Tasks of a shuffled stage; 0 chooses by the number of slots.",
    },
    Switch {
        name: "partitions_per_slot",
        default: D::Count(2),
        help: "Tasks of a shuffled stage for each slot, where `partitions` does not say how many.",
    },
    Switch {
        name: "partition_bytes",
        default: D::Bytes(2 * MIB),
        help: "Bytes of a query's tables for each task of its shuffled stages at least, where `partitions` does not say how \
               many tasks there are.",
    },
    Switch {
        name: "join",
        default: D::Word(&["auto", "hash", "sort-merge"]),
        help: "Which join to plan; auto takes hash joins where their build side fits in memory.",
    },
    Switch {
        name: "broadcast",
        default: D::Bool(true),
        help: "Send a small join side whole to every task instead of shuffling both sides.",
    },
    Switch { name: "broadcast_bytes", default: D::Bytes(32 * MIB), help: "The largest join side that is broadcast." },
];

/// What a style that replans between stages can set besides. Without `adaptive` none of them has an effect, and a style
/// that does not declare `adaptive` does not replan.
pub const REPLANNER_SWITCHES: [Switch; 9] = [
    Switch {
        name: "adaptive",
        default: D::Bool(true),
        help: "Replan the rest of a job when a stage has finished, from the sizes of its blocks.",
    },
    Switch {
        name: "coalesce",
        default: D::Bool(true),
        help: "Let one task read several small neighboring partitions (needs adaptive).",
    },
    Switch {
        name: "coalesce_bytes",
        default: D::Bytes(16 * MIB),
        help: "How many bytes a task should read at least after coalescing.",
    },
    Switch {
        name: "wait_for_sizes",
        default: D::Bool(true),
        help: "Let a stage wait for another that it does not read, if that one's size may spare or shrink its shuffle \
               (needs adaptive).",
    },
    Switch {
        name: "prune_empty",
        default: D::Bool(true),
        help: "Leave out joins that can give no row because a finished stage left none, and what only they need (needs \
               adaptive).",
    },
    Switch {
        name: "semijoin_reduction",
        default: D::Bool(true),
        help: "Drop rows of a join side before it is shuffled if the finished, small other side matches few of them \
               (needs adaptive; broadcast_bytes says what is small).",
    },
    Switch {
        name: "skew",
        default: D::Bool(true),
        help: "Split a partition far larger than its neighbors over several tasks (needs adaptive).",
    },
    Switch {
        name: "skew_factor",
        default: D::Ratio(5.0),
        help: "How many times the median a partition must hold to count as skewed.",
    },
    Switch {
        name: "skew_bytes",
        default: D::Bytes(64 * MIB),
        help: "How many bytes a partition must hold at least to count as skewed.",
    },
];

/// Two lists of switches as one, for a style's own `static` list: `joined::<5, 3, 8>(&PLANNER_SWITCHES, &OWN)`.
///
/// Refused while compiling if the lengths do not add up.
#[must_use]
pub const fn joined<const A: usize, const B: usize, const N: usize>(
    first: &[Switch; A],
    second: &[Switch; B],
) -> [Switch; N] {
    assert!(A + B == N && A > 0, "the joined list has as many switches as both lists together");
    let mut all = [first[0]; N];
    let mut i = 0;
    while i < N {
        all[i] = if i < A { first[i] } else { second[i - A] };
        i += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::{Tuning, Value};
    use std::collections::BTreeSet;

    #[test]
    fn joined_lists_keep_every_switch_in_order() {
        static ALL: [Switch; 15] = joined(&PLANNER_SWITCHES, &REPLANNER_SWITCHES);
        let names: Vec<_> = PLANNER_SWITCHES.iter().chain(&REPLANNER_SWITCHES).map(|s| s.name).collect();
        assert_eq!(ALL.iter().map(|s| s.name).collect::<Vec<_>>(), names);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a name stands for one switch");
    }

    #[test]
    fn what_a_style_does_not_declare_is_at_its_default() {
        let own = [Switch { name: "broadcast", default: D::Bool(false), help: "" }];
        let tuning = Tuning::defaults(&own).with_defaults(&PLANNER_SWITCHES);
        assert_eq!((tuning.is_on("broadcast"), tuning.count("partitions_per_slot")), (false, 2));
        assert!(tuning.iter().any(|(name, value)| name == "join" && *value == Value::Word("auto".to_owned())));
    }
}
