//! What was measured. A case names everything that makes two measurements comparable; its key is derived from it.

use bench_model::Family;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use twox_hash::XxHash3_64;

/// How a trial meets the machine. Part of the case, so that differently measured times never share a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// A new engine process per trial; the operating system's cache as it is.
    ColdProcess,
    /// A new engine process per trial, after the operating system's cache was dropped.
    ColdCache,
    /// One engine process; this many untimed runs of the case come first.
    Warm(u32),
}

/// Text that names no protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown protocol `{0}`; use cold-process, cold-cache or warm-K with K from 1 to 1000")]
pub struct ProtocolError(pub String);

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ColdProcess => f.pad("cold-process"),
            Self::ColdCache => f.pad("cold-cache"),
            Self::Warm(k) => f.pad(&format!("warm-{k}")),
        }
    }
}

impl FromStr for Protocol {
    type Err = ProtocolError;
    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        let warm = |k: &str| k.parse().ok().filter(|n: &u32| (1..=1000).contains(n) && n.to_string() == k);
        match text {
            "cold-process" => Ok(Self::ColdProcess),
            "cold-cache" => Ok(Self::ColdCache),
            _ => {
                text.strip_prefix("warm-").and_then(warm).map(Self::Warm).ok_or_else(|| ProtocolError(text.to_owned()))
            }
        }
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Which side of the A/A comparison a trial belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Arm {
    /// The measurement itself.
    #[default]
    #[serde(rename = "main")]
    Main,
    /// The same engine, configured alike, measured once more under another name: any difference is noise.
    #[serde(rename = "aa")]
    Twin,
}

impl Arm {
    /// Its name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Twin => "aa",
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Workload x engine x cluster x protocol: everything that must be equal for two trials to be repetitions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Case {
    /// The suite that sized the data, such as `1gb`.
    pub suite: String,
    /// The family of the workload.
    pub family: Family,
    /// The workload, such as `tpch-q01`.
    pub workload: String,
    /// The engine, such as `stagedag`.
    pub engine: String,
    /// `default`, or the settings that differ from the engine's defaults.
    pub variant: String,
    /// Where it ran: `local` for one process on this machine.
    pub cluster: String,
    /// How many nodes.
    pub nodes: u32,
    /// How many slots per node.
    pub slots: u32,
    /// How it was measured.
    pub protocol: Protocol,
    /// How many times the suite's own scale the data has; more than 1 where it grows with the nodes (weak scaling). Left
    /// out of the JSON, and so of the key, where it is 1.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub scale: u32,
}

/// The scale of a suite as it is.
pub(crate) const fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) const fn is_once(scale: &u32) -> bool {
    *scale == 1
}

/// A case's identity as text: safe as a file name, the same on every machine and in every version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaseKey(String);

impl CaseKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Case {
    /// The name of a configuration without changed settings.
    pub const DEFAULT_VARIANT: &'static str = "default";

    /// `<workload>.<engine>.<16 hex digits>`: the digits are XXH3-64 (seed 0) of the case as compact JSON, fields in
    /// the order of this struct. In the readable part, what is not a letter, digit, `-` or `_` becomes `-`, and each
    /// name is cut to 40 characters.
    #[must_use]
    pub fn key(&self) -> CaseKey {
        // A struct of strings, numbers and unit variants always serializes; an empty text would only merge keys, and
        // the reader refuses a line whose key does not match its case.
        let text = serde_json::to_string(self).unwrap_or_default();
        let hash = XxHash3_64::oneshot(text.as_bytes());
        CaseKey(format!("{}.{}.{hash:016x}", readable(&self.workload), readable(&self.engine)))
    }
}

fn readable(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    name.chars().take(40).map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn case() -> Case {
        Case {
            suite: "1gb".into(),
            family: Family::Sql,
            workload: "tpch-q01".into(),
            engine: "stagedag".into(),
            variant: Case::DEFAULT_VARIANT.into(),
            cluster: "local".into(),
            nodes: 1,
            slots: 2,
            protocol: Protocol::Warm(1),
            scale: 1,
        }
    }

    #[test]
    fn the_key_of_a_case_never_changes() {
        // Recorded runs are resumed by this key: a change here is a new schema version.
        assert_eq!(case().key().as_str(), "tpch-q01.stagedag.f386409755636c9c");
    }

    #[test]
    fn every_field_is_part_of_the_key() {
        let changes: [fn(&mut Case); 10] = [
            |c| c.suite = "10gb".into(),
            |c| c.family = Family::Dataframe,
            |c| c.workload = "tpch-q02".into(),
            |c| c.engine = "datafusion".into(),
            |c| c.variant = "speculation=off".into(),
            |c| c.cluster = "emulated".into(),
            |c| c.nodes = 2,
            |c| c.slots = 1,
            |c| c.protocol = Protocol::ColdProcess,
            |c| c.scale = 4,
        ];
        let mut keys = vec![case().key()];
        for change in changes {
            let mut other = case();
            change(&mut other);
            keys.push(other.key());
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 11);
    }

    #[test]
    fn protocols_read_back_as_written() {
        for protocol in [Protocol::ColdProcess, Protocol::ColdCache, Protocol::Warm(1), Protocol::Warm(1000)] {
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
        }
        for text in ["warm", "warm-", "warm-0", "warm-1001", "warm-01", "warm-+1", "Cold-Cache", ""] {
            assert!(text.parse::<Protocol>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn keys_are_safe_as_file_names(workload in ".{0,80}", engine in ".{0,80}") {
            let key = Case { workload, engine, ..case() }.key();
            prop_assert!(key.as_str().len() <= 100);
            prop_assert!(!key.as_str().contains(['/', '\\', '\0']) && key.as_str() != "..");
        }
    }
}
