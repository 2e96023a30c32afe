//! The switches of an engine, as data: declared once, parsed from `--set engine.key=value`, written into the record.

use crate::units::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The value of a switch, and by its variant the switch's type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false` (also `on`, `off`).
    Bool(bool),
    /// A whole number.
    Count(u64),
    /// A ratio or factor.
    Ratio(f64),
    /// One of the words the switch lists.
    Word(String),
}

/// A default a `const` can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// On or off.
    Bool(bool),
    /// A whole number within bounds.
    Count(u64),
    /// Bytes; the command line takes `64MiB`.
    Bytes(u64),
    /// A factor, at least zero and finite.
    Ratio(f64),
    /// The first of a closed list of words.
    Word(&'static [&'static str]),
    /// A name: lower-case letters, digits and `-`. Whoever has the switch knows which names there are.
    Name(&'static str),
}

/// One switch: a mechanism that can be turned off, or a threshold that can be moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Switch {
    /// Its key on the command line and in the record.
    pub name: &'static str,
    /// Its default, which fixes its type.
    pub default: Default,
    /// What it does, as one sentence.
    pub help: &'static str,
}

/// Why a setting is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TuningError {
    /// No such switch.
    #[error("unknown setting `{key}`; known: {known}")]
    Unknown {
        /// What was given.
        key: String,
        /// What there is.
        known: String,
    },
    /// The text does not fit the switch's type.
    #[error("setting `{key}` takes {takes}, not `{given}`")]
    Invalid {
        /// Which switch.
        key: String,
        /// What it takes.
        takes: String,
        /// What was given.
        given: String,
    },
}

/// The resolved switches of an engine: every one, defaults included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, std::default::Default)]
#[serde(transparent)]
pub struct Tuning(BTreeMap<String, Value>);

impl Tuning {
    /// Every switch at its default.
    #[must_use]
    pub fn defaults(switches: &[Switch]) -> Self {
        Self(switches.iter().map(|s| (s.name.to_owned(), s.default.value())).collect())
    }

    /// The defaults with `given` on top.
    ///
    /// # Errors
    /// An unknown key or a value that does not fit.
    pub fn resolve<'a>(
        switches: &[Switch],
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, TuningError> {
        let mut tuning = Self::defaults(switches);
        for (key, text) in given {
            let Some(switch) = switches.iter().find(|s| s.name == key) else {
                let known = if switches.is_empty() {
                    "none".to_owned()
                } else {
                    switches.iter().map(|s| s.name).collect::<Vec<_>>().join(", ")
                };
                return Err(TuningError::Unknown { key: key.to_owned(), known });
            };
            let value = switch.default.parse(text).ok_or_else(|| TuningError::Invalid {
                key: key.to_owned(),
                takes: switch.default.takes(),
                given: text.to_owned(),
            })?;
            tuning.0.insert(key.to_owned(), value);
        }
        Ok(tuning)
    }

    /// The same settings, with every switch of the list that has no value at its default.
    #[must_use]
    pub fn with_defaults(&self, switches: &[Switch]) -> Self {
        let mut all = Self::defaults(switches);
        all.0.extend(self.0.clone());
        all
    }

    /// A yes-or-no switch; `false` if there is no such switch.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Value::Bool(true)))
    }

    /// A whole number; 0 if there is no such switch.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        match self.0.get(name) {
            Some(Value::Count(n)) => *n,
            _ => 0,
        }
    }

    /// A size.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Bytes {
        Bytes::new(self.count(name))
    }

    /// A factor; 0 if there is no such switch.
    #[must_use]
    pub fn ratio(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(Value::Ratio(x)) => *x,
            Some(Value::Count(n)) => *n as f64,
            _ => 0.0,
        }
    }

    /// A word; empty if there is no such switch.
    #[must_use]
    pub fn word(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Word(w)) => w,
            _ => "",
        }
    }

    /// Every switch and its value, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// The settings that differ from `switches`' defaults, as `key=value`, in order: what makes this a variant.
    #[must_use]
    pub fn changes(&self, switches: &[Switch]) -> Vec<String> {
        let defaults = Self::defaults(switches);
        self.0.iter().filter(|(k, v)| defaults.0.get(*k) != Some(v)).map(|(k, v)| format!("{k}={v}")).collect()
    }
}

impl Default {
    fn value(self) -> Value {
        match self {
            Self::Bool(b) => Value::Bool(b),
            Self::Count(n) | Self::Bytes(n) => Value::Count(n),
            Self::Ratio(x) => Value::Ratio(x),
            Self::Word(words) => Value::Word(words.first().copied().unwrap_or_default().to_owned()),
            Self::Name(name) => Value::Word(name.to_owned()),
        }
    }

    fn parse(self, text: &str) -> Option<Value> {
        match self {
            Self::Bool(_) => match text {
                "true" | "on" => Some(Value::Bool(true)),
                "false" | "off" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Count(_) => text.replace('_', "").parse().ok().map(Value::Count),
            Self::Bytes(_) => parse_bytes(text).map(|b| Value::Count(b.get())),
            Self::Ratio(_) => text.parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0).map(Value::Ratio),
            Self::Word(words) => words.contains(&text).then(|| Value::Word(text.to_owned())),
            Self::Name(_) => is_name(text).then(|| Value::Word(text.to_owned())),
        }
    }

    fn takes(self) -> String {
        match self {
            Self::Bool(_) => "on or off".to_owned(),
            Self::Count(_) => "a whole number".to_owned(),
            Self::Bytes(_) => "a size such as 64MiB".to_owned(),
            Self::Ratio(_) => "a number of at least 0".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Name(_) => "a name of lower-case letters, digits and `-`".to_owned(),
        }
    }
}

/// Whether a text can name something: lower-case letters, digits and `-`, a letter first.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= 64 && text.chars().all(fits)
}

/// Reads `64MiB`, `1.5GB`, `4096`: binary and decimal units, bytes if there is none.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<Bytes> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1u64,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return None,
    };
    let value = number.parse::<f64>().ok()? * scale as f64;
    (value.is_finite() && value < u64::MAX as f64).then(|| Bytes::new(value.round() as u64))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(true) => f.write_str("on"),
            Self::Bool(false) => f.write_str("off"),
            Self::Count(n) => n.fmt(f),
            Self::Ratio(x) => x.fmt(f),
            Self::Word(w) => f.write_str(w),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWITCHES: &[Switch] = &[
        Switch { name: "speculation", default: Default::Bool(true), help: "" },
        Switch { name: "broadcast_bytes", default: Default::Bytes(10 << 20), help: "" },
        Switch { name: "compression", default: Default::Word(&["none", "lz4"]), help: "" },
        Switch { name: "config", default: Default::Name("default"), help: "" },
    ];

    #[test]
    fn settings_override_defaults_and_show_as_changes() {
        let tuning = Tuning::resolve(SWITCHES, [("speculation", "off"), ("broadcast_bytes", "1MiB")]);
        let changes = tuning.map(|t| t.changes(SWITCHES));
        assert_eq!(changes, Ok(vec!["broadcast_bytes=1048576".to_owned(), "speculation=off".to_owned()]));
    }

    #[test]
    fn unknown_and_unfit_settings_name_what_is_possible() {
        let unknown = Tuning::resolve(SWITCHES, [("speed", "max")]).map_err(|e| e.to_string());
        assert_eq!(
            unknown,
            Err("unknown setting `speed`; known: speculation, broadcast_bytes, compression, config".to_owned())
        );
        let unfit = Tuning::resolve(SWITCHES, [("compression", "rar")]).map_err(|e| e.to_string());
        assert_eq!(unfit, Err("setting `compression` takes one of none, lz4, not `rar`".to_owned()));
        for no_name in ["../x", "", "Kryo", "1st", "a,b=c"] {
            let said = Tuning::resolve(SWITCHES, [("config", no_name)]).map_err(|e| e.to_string());
            assert!(said.as_ref().is_err_and(|e| e.contains("takes a name")), "{said:?}");
        }
    }
}
