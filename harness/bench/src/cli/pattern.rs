//! Globs over names: `*` is any run of characters, `?` is one, `[a-c]` is one of a set, `[!a]` one outside it.

use std::fmt;
use std::str::FromStr;

/// A glob that is matched against whole names, case-sensitively.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Exactly(char),
    Set { ranges: Vec<(char, char)>, outside: bool },
}

impl Pattern {
    /// Whether the whole of `name` fits.
    pub(crate) fn matches(&self, name: &str) -> bool {
        // Reachable positions in the pattern, advanced one character at a time: linear in the name, no backtracking.
        let mut at = closure(&self.parts, vec![0]);
        for c in name.chars() {
            at = closure(&self.parts, step(&self.parts, &at, c));
        }
        at.contains(&self.parts.len())
    }
}

fn step(parts: &[Part], at: &[usize], c: char) -> Vec<usize> {
    at.iter()
        .filter_map(|&i| match parts.get(i)? {
            Part::Any => Some(i),
            part => part.takes(c).then_some(i + 1),
        })
        .collect()
}

/// Adds the positions behind each `*`, which may stand for nothing.
fn closure(parts: &[Part], mut at: Vec<usize>) -> Vec<usize> {
    let mut i = 0;
    while let Some(&position) = at.get(i) {
        if parts.get(position) == Some(&Part::Any) && !at.contains(&(position + 1)) {
            at.push(position + 1);
        }
        i += 1;
    }
    at.sort_unstable();
    at.dedup();
    at
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Exactly(wanted) => *wanted == c,
            Self::Set { ranges, outside } => ranges.iter().any(|&(low, high)| low <= c && c <= high) != *outside,
        }
    }
}

/// Why a glob is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    /// Nothing could match it.
    #[error("the pattern is empty; leave the flag out to match everything")]
    Empty,
    /// A set without an end.
    #[error("`[` has no closing `]`; quote the pattern, or write `?` for any one character")]
    OpenSet,
    /// A set without members.
    #[error("`[]` matches nothing; name the characters it may be, such as `[0-9]`")]
    EmptySet,
    /// A range that runs backwards.
    #[error("the range `{0}-{1}` runs backwards; write `{1}-{0}`")]
    Backwards(char, char),
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            parts.push(match c {
                '*' => Part::Any,
                '?' => Part::One,
                '[' => set(&mut rest)?,
                c => Part::Exactly(c),
            });
        }
        if parts.is_empty() { Err(PatternError::Empty) } else { Ok(Self { text: text.to_owned(), parts }) }
    }
}

fn set(rest: &mut std::str::Chars<'_>) -> Result<Part, PatternError> {
    let (body, after) = rest.as_str().split_once(']').ok_or(PatternError::OpenSet)?;
    *rest = after.chars();
    let (body, outside) = body.strip_prefix('!').map_or((body, false), |inner| (inner, true));
    let mut ranges = Vec::new();
    let mut chars = body.chars().peekable();
    while let Some(low) = chars.next() {
        let mut ahead = chars.clone();
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) => {
                chars = ahead;
                high
            }
            _ => low,
        };
        if low > high {
            return Err(PatternError::Backwards(low, high));
        }
        ranges.push((low, high));
    }
    if ranges.is_empty() { Err(PatternError::EmptySet) } else { Ok(Part::Set { ranges, outside }) }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(pattern: &str, name: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(name)
    }

    #[test]
    fn a_pattern_matches_the_whole_name() {
        assert!(check("tpch-q01", "tpch-q01"));
        assert!(!check("tpch", "tpch-q01"));
        assert!(check("tpch-q0?", "tpch-q09"));
        assert!(!check("tpch-q0?", "tpch-q19"));
        assert!(check("*join*", "join-small"));
        assert!(check("*", ""));
        assert!(check("q[1-3x]", "qx"));
        assert!(!check("q[!1-3]", "q2"));
        assert!(check("[a-]", "-"));
    }

    #[test]
    fn a_broken_pattern_says_how_to_mend_it() {
        for (text, error) in [
            ("", PatternError::Empty),
            ("q[1-", PatternError::OpenSet),
            ("q[]", PatternError::EmptySet),
            ("q[9-0]", PatternError::Backwards('9', '0')),
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(error), "{text}");
        }
    }

    #[test]
    fn many_stars_stay_fast() {
        assert!(!check(&"*a".repeat(200), &"a".repeat(199)));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_literals_match_themselves(text in ".{0,40}", name in "[a-z0-9-]{1,20}") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                prop_assert_eq!(pattern.to_string(), text);
                pattern.matches(&name);
            }
            prop_assert!(check(&name, &name));
            let (around, longer) = (format!("*{name}*"), format!("x{name}y"));
            prop_assert!(check(&around, &longer));
        }
    }
}
