//! Whether every dependency's licence is acceptable. What is acceptable is data: `ci/licences.toml`.

use crate::check::{Check, Findings, Ground, count_of};
use crate::packages::{Package, Packages};
use anyhow::{Context, Result};
use serde::Deserialize;

/// The check.
pub(crate) const LICENCES: Check =
    Check { name: "licences", ensures: "every dependency's licence is on the list of ci/licences.toml", run };

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    allow: Vec<Allowed>,
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    licence: String,
    #[serde(rename = "because")]
    _because: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    #[serde(rename = "crate")]
    package: String,
    licence: String,
    #[serde(rename = "because")]
    _because: String,
}

fn run(ground: &Ground) -> Result<Findings> {
    let file = ground.root.join("ci/licences.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let policy: Policy = toml::from_str(&text).with_context(|| format!("cannot parse {}", file.display()))?;
    let packages = Packages::read(&ground.root)?;
    let theirs: Vec<&Package> = packages.0.values().filter(|package| !package.ours).collect();
    Ok(Findings {
        looked_at: count_of(theirs.len(), "dependency").replace("ys", "ies"),
        problems: judge(&policy, &theirs),
    })
}

fn judge(policy: &Policy, packages: &[&Package]) -> Vec<String> {
    let mut problems: Vec<String> = packages.iter().filter_map(|package| objection(policy, package)).collect();
    for exception in &policy.exception {
        if !packages.iter().any(|p| p.name == exception.package && p.licence.as_ref() == Some(&exception.licence)) {
            let Exception { package, licence, .. } = exception;
            problems.push(format!("no dependency `{package}` with licence {licence}: remove the exception"));
        }
    }
    problems
}

fn objection(policy: &Policy, package: &Package) -> Option<String> {
    let who = format!("{} {}", package.name, package.version);
    let Some(licence) = &package.licence else {
        return Some(format!("{who} names no licence: drop it, or find its licence and add an exception"));
    };
    let excepted = policy.exception.iter().any(|e| e.package == package.name && e.licence == *licence);
    let allowed = |name: &str| policy.allow.iter().any(|a| a.licence == name);
    match acceptable(licence, &allowed) {
        Some(true) => None,
        _ if excepted => None,
        Some(false) => {
            Some(format!("{who} has licence {licence}: drop it, or allow it in ci/licences.toml with a reason"))
        }
        None => Some(format!("{who} has licence `{licence}`, which is no licence expression: add an exception")),
    }
}

/// Whether a licence expression can be satisfied with allowed licences; none if it is not an expression.
///
/// `AND` binds tighter than `OR`, as SPDX says; `/` is the old way to write `OR`.
fn acceptable(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allowed };
    let verdict = parser.any()?;
    parser.words.is_empty().then_some(verdict)
}

struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn any(&mut self) -> Option<bool> {
        let mut verdict = self.all()?;
        while self.take("OR") {
            verdict |= self.all()?;
        }
        Some(verdict)
    }

    fn all(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let verdict = self.any()?;
            return self.take(")").then_some(verdict);
        }
        let (&name, rest) = self.words.split_first()?;
        if ["OR", "AND", "WITH", ")"].contains(&name) {
            return None;
        }
        self.words = rest;
        if !self.take("WITH") {
            return Some((self.allowed)(name));
        }
        let (exception, rest) = self.words.split_first()?;
        self.words = rest;
        Some((self.allowed)(&format!("{name} WITH {exception}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: Option<bool>) {
        let allowed = |name: &str| ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].contains(&name);
        assert_eq!(acceptable(expression, &allowed), expected, "{expression}");
    }

    #[test]
    fn an_expression_is_satisfied_by_allowed_licences() {
        check("MIT", Some(true));
        check("GPL-3.0", Some(false));
        check("GPL-3.0 OR MIT", Some(true));
        check("Unlicense/MIT", Some(true));
        check("MIT AND GPL-3.0", Some(false));
        check("MIT OR GPL-3.0 AND BSD-2-Clause", Some(true));
        check("(MIT OR GPL-3.0) AND BSD-2-Clause", Some(false));
        check("Apache-2.0 WITH LLVM-exception", Some(true));
        check("Apache-2.0 WITH Other-exception", Some(false));
    }

    #[test]
    fn what_is_no_expression_is_not_judged() {
        for text in ["", "OR", "MIT OR", "(MIT", "MIT)", "MIT MIT", "MIT WITH"] {
            check(text, None);
        }
    }

    fn policy() -> Policy {
        toml::from_str(
            r#"
            allow = [{ licence = "MIT", because = "permissive" }]
            exception = [{ crate = "odd", licence = "CC0-1.0", because = "small" }]
            "#,
        )
        .unwrap()
    }

    fn package(name: &str, licence: Option<&str>) -> Package {
        Package { name: name.to_owned(), licence: licence.map(str::to_owned), ..Package::default() }
    }

    #[test]
    fn a_package_passes_by_list_or_by_exception() {
        let (good, odd) = (package("good", Some("MIT")), package("odd", Some("CC0-1.0")));
        assert_eq!(judge(&policy(), &[&good, &odd]), Vec::<String>::new());
    }

    #[test]
    fn missing_foreign_and_stale_licences_are_reported() {
        let (none, foreign) = (package("none", None), package("foreign", Some("CC0-1.0")));
        let problems = judge(&policy(), &[&none, &foreign]);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].contains("names no licence"));
        assert!(problems[1].contains("has licence CC0-1.0"));
        assert!(problems[2].contains("remove the exception"));
    }
}
