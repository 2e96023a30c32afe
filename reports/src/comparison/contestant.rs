//! Who takes part in a table.

use serde::Serialize;

/// The kind of cluster whose nodes run on the machines of a hosts file.
const HOSTS: &str = "hosts";
/// The kind of cluster that is a product's own and runs already, given by its address.
pub(crate) const ATTACHED: &str = "attached";
/// The part of a variant that says how many cores each node may use.
const NODE_CPU: &str = "node-cpu=";

/// Whether each node of a cluster of this kind is a machine of its own. All others share the one that `bench` runs on.
pub(crate) fn has_own_machines(cluster: &str) -> bool {
    [HOSTS, ATTACHED].contains(&cluster)
}

/// An engine as configured: a column of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contestant {
    /// Its name in this table, no longer than it takes to be unique.
    pub label: String,
    /// The engine.
    pub engine: String,
    /// `default`, or the settings that differ.
    pub variant: String,
    /// The cluster.
    pub cluster: String,
    /// Its nodes.
    pub nodes: u32,
    /// Slots per node.
    pub slots: u32,
    /// Cores that it could keep busy, of those that are there: see [`Contestant::with_cores`].
    pub cores: f64,
    /// The version that the live engine reported; absent if the run's context does not list it.
    pub version: Option<String>,
    /// The build of this program it ran under.
    pub build_id: String,
    /// The faults planned for its trials, as `kill@50%,pause@random`; absent for one that nobody hurts. A contestant with
    /// faults is in the sheet of faults and in no other: its times are not those of the engine as it runs.
    pub faults: Option<String>,
    /// The mechanism that is switched off for a study of what it is worth; absent unless it is one of several of the same
    /// engine. Such a contestant wins nothing and beats nobody: it is there to be compared with the engine as it is.
    pub ablates: Option<String>,
}

impl Contestant {
    /// The same with its cores counted: one per slot, or as many as each node is limited to, but no more than the machine
    /// lets it use. Only nodes that are machines of their own bring cores with them.
    #[must_use]
    pub fn with_cores(mut self, usable: f64) -> Self {
        let wanted = self.wanted();
        self.cores = if has_own_machines(&self.cluster) { wanted } else { wanted.min(usable) };
        self
    }

    /// Whether it is one of those that are compared with each other.
    #[must_use]
    pub const fn is_compared(&self) -> bool {
        self.faults.is_none() && self.ablates.is_none()
    }

    /// Slots of all its nodes.
    #[must_use]
    pub const fn slots_in_all(&self) -> u32 {
        self.nodes.saturating_mul(self.slots)
    }

    /// Its cores as a whole number; a part of one counts, so that nobody is said to need fewer than it had.
    #[must_use]
    pub fn cores_begun(&self) -> u32 {
        self.cores.ceil() as u32
    }

    /// Whether its slots are more than the cores they share.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.cores < self.wanted()
    }

    /// Cores that its slots could keep busy if they were there.
    fn wanted(&self) -> f64 {
        let limit = self.variant.split(',').find_map(|part| part.strip_prefix(NODE_CPU)?.parse::<f64>().ok());
        let per_node = limit.filter(|cores| *cores > 0.0).map_or(f64::from(self.slots), |l| l.min(self.slots.into()));
        f64::from(self.nodes) * per_node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(cluster: &str, variant: &str, (nodes, slots): (u32, u32), usable: f64) -> Contestant {
        let contestant = Contestant {
            label: "actor".into(),
            engine: "actor".into(),
            variant: variant.into(),
            cluster: cluster.into(),
            nodes,
            slots,
            cores: 0.0,
            version: None,
            build_id: "a".into(),
            faults: None,
            ablates: None,
        };
        contestant.with_cores(usable)
    }

    #[test]
    fn nodes_of_one_machine_have_no_more_cores_than_it_has() {
        for cluster in ["local", "processes", "emulated"] {
            let four = on(cluster, "default", (4, 1), 2.0);
            assert_eq!((four.cores, four.slots_in_all(), four.is_crowded()), (2.0, 4, true), "{cluster}");
        }
        let two = on("processes", "default", (2, 1), 2.0);
        assert_eq!((two.cores, two.is_crowded()), (2.0, false));
        for cluster in ["hosts", "attached"] {
            let elsewhere = on(cluster, "default", (4, 8), 2.0);
            assert_eq!((elsewhere.cores, elsewhere.is_crowded()), (32.0, false), "{cluster}");
        }
        assert_eq!(on("processes", "default", (4, 1), 1.5).cores_begun(), 2);
    }

    #[test]
    fn nodes_that_are_limited_to_a_part_of_a_core_need_no_more_than_that() {
        let limited = on("emulated", "spans=on,node-cpu=0.4,node-link=1000", (4, 2), 2.0);
        assert!((limited.cores - 1.6).abs() < 1e-9 && !limited.is_crowded(), "{limited:?}");
        assert!(on("emulated", "node-cpu=0.8", (4, 1), 2.0).is_crowded());
    }
}
