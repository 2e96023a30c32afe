//! Regressions that are accepted for now: each with a reason and a last day, so that none is forgotten.

use crate::cli::pattern::Pattern;
use anyhow::{Context, Result, bail};
use bench_record::{Case, Timestamp};
use bench_reports::gate::{Finding, Status};
use serde::Deserialize;
use std::io::Read;
use std::path::{Path, PathBuf};

/// No list that people keep is larger.
const MAX_BYTES: u64 = 1 << 20;
const DAY_MS: u64 = 86_400_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    allow: Vec<Entry>,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    workload: String,
    engine: Option<String>,
    #[serde(default = "slower")]
    what: Vec<What>,
    until: String,
    reason: String,
}

/// What may be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Slower,
    NewlyFailing,
    WrongAnswer,
}

fn slower() -> Vec<What> {
    vec![What::Slower]
}

/// An entry that may be used.
struct Allowance {
    number: usize,
    workload: Pattern,
    engine: Option<Pattern>,
    what: Vec<What>,
    reason: String,
}

/// The list.
#[derive(Default)]
pub(super) struct Allowances {
    file: PathBuf,
    entries: Vec<Allowance>,
}

impl Allowances {
    /// Reads a list as of `now`.
    ///
    /// # Errors
    /// No list, an entry without a reason, and one whose last day is over: that names its regression anew.
    pub(super) fn read(file: &Path, now: Timestamp) -> Result<Self> {
        let mut text = String::new();
        let opened = std::fs::File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        opened
            .take(MAX_BYTES + 1)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {}", file.display()))?;
        if text.len() as u64 > MAX_BYTES {
            bail!("{} is larger than {MAX_BYTES} bytes; it is no list of allowed regressions", file.display());
        }
        let document: Document = toml::from_str(&text)
            .with_context(|| format!("{} is no list of allowed regressions; docs/gate.md shows one", file.display()))?;
        let entries = document.allow.into_iter().enumerate();
        let entries = entries.map(|(i, entry)| {
            let place = format!("{}: entry {} (workload `{}`)", file.display(), i + 1, entry.workload.escape_debug());
            entry.checked(i + 1, now).context(place)
        });
        Ok(Self { file: file.to_owned(), entries: entries.collect::<Result<_>>()? })
    }

    /// Why a regression is accepted, if it is.
    pub(super) fn reason(&self, case: &Case, status: Status) -> Option<String> {
        self.entries.iter().find(|entry| entry.covers(case, status)).map(|entry| entry.reason.clone())
    }

    /// Entries that no finding needs.
    pub(super) fn unused<'a>(&'a self, findings: &'a [Finding]) -> impl Iterator<Item = String> + 'a {
        let idle = self.entries.iter().filter(|e| !findings.iter().any(|f| e.is_needed_by(f)));
        idle.map(|e| format!("{}: entry {}", self.file.display(), e.number))
    }
}

impl Allowance {
    /// Whether it is what allows a finding, or would be if another entry did not. A slow-down that is allowed is so too where it can only
    /// be suspected.
    fn is_needed_by(&self, f: &Finding) -> bool {
        let seen = if f.status == Status::Inconclusive { Status::Slower } else { f.status };
        f.allowed.is_some() && self.covers(&f.case, seen)
    }

    fn covers(&self, case: &Case, status: Status) -> bool {
        let kind = match status {
            Status::Slower => What::Slower,
            Status::NewlyFailing => What::NewlyFailing,
            Status::WrongAnswer => What::WrongAnswer,
            _ => return false,
        };
        let engine = self.engine.as_ref().is_none_or(|engine| engine.matches(&case.engine));
        self.what.contains(&kind) && engine && self.workload.matches(&case.workload)
    }
}

impl Entry {
    fn checked(self, number: usize, now: Timestamp) -> Result<Allowance> {
        let Some(last) = day(&self.until) else {
            bail!("`until = {:?}` is no date; write it as 2026-12-31", self.until);
        };
        if now.unix_ms() >= last.unix_ms() + DAY_MS {
            bail!(
                "it ran out on {} ({}); mend the regression, or give it a new date and say why",
                self.until,
                self.reason.trim().escape_debug()
            );
        }
        if self.reason.trim().is_empty() {
            bail!("its reason is empty; say why the regression is accepted and where it is followed up");
        }
        if self.what.is_empty() {
            bail!("`what` is empty; name slower, newly-failing or wrong-answer, or leave it out for slower");
        }
        Ok(Allowance {
            number,
            workload: self.workload.parse()?,
            engine: self.engine.as_deref().map(str::parse).transpose()?,
            what: self.what,
            reason: self.reason.trim().to_owned(),
        })
    }
}

/// A day written as `2026-12-31`, at its beginning.
fn day(text: &str) -> Option<Timestamp> {
    if text.len() == 10 { format!("{text}T00:00:00Z").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_record::Outcome;
    use bench_reports::gate::SideCase;

    fn read(text: &str, today: &str) -> Result<Allowances> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("allow.toml");
        std::fs::write(&file, text).unwrap();
        Allowances::read(&file, format!("{today}T23:59:59Z").parse().unwrap())
    }

    fn refused(text: &str, today: &str) -> String {
        format!("{:#}", read(text, today).err().unwrap())
    }

    const ENTRY: &str =
        "[[allow]]\nworkload = 'tpch-q0*'\nengine = 'stagedag'\nuntil = '2026-12-31'\nreason = 'see #7'\n";

    fn case(workload: &str, engine: &str) -> Case {
        Case {
            suite: "smoke".into(),
            family: bench_model::Family::Sql,
            workload: workload.into(),
            engine: engine.into(),
            variant: Case::DEFAULT_VARIANT.into(),
            cluster: "local".into(),
            nodes: 1,
            slots: 2,
            protocol: bench_record::Protocol::Warm(1),
            scale: 1,
        }
    }

    #[test]
    fn an_entry_covers_its_workloads_and_engine_and_slow_downs_alone() {
        let list = read(ENTRY, "2026-12-31").unwrap();
        let reason = |workload, engine, status| list.reason(&case(workload, engine), status);
        assert_eq!(reason("tpch-q01", "stagedag", Status::Slower).as_deref(), Some("see #7"));
        assert_eq!(reason("tpch-q11", "stagedag", Status::Slower), None);
        assert_eq!(reason("tpch-q01", "actor", Status::Slower), None);
        assert_eq!(reason("tpch-q01", "stagedag", Status::WrongAnswer), None);
        let wrong = read(&format!("{ENTRY}what = ['wrong-answer']\n"), "2026-01-01").unwrap();
        assert!(wrong.reason(&case("tpch-q01", "stagedag"), Status::WrongAnswer).is_some());
        assert!(wrong.reason(&case("tpch-q01", "stagedag"), Status::Slower).is_none());
    }

    #[test]
    fn an_entry_is_in_use_where_it_allows_a_slow_down_that_is_shown_or_only_suspected() {
        let list = read(ENTRY, "2026-12-31").unwrap();
        let unused = |workload, status, allowed| list.unused(&[finding(workload, status, allowed)]).count();
        assert_eq!(unused("tpch-q01", Status::Slower, true), 0);
        assert_eq!(unused("tpch-q01", Status::Inconclusive, true), 0);
        // One that leans nowhere is not allowed anything, and neither is another entry's case.
        assert_eq!(unused("tpch-q01", Status::Inconclusive, false), 1);
        assert_eq!(unused("tpch-q11", Status::Inconclusive, true), 1);
        let wrong = read(&format!("{ENTRY}what = ['wrong-answer']\n"), "2026-01-01").unwrap();
        assert_eq!(wrong.unused(&[finding("tpch-q01", Status::Inconclusive, true)]).count(), 1);
    }

    fn finding(workload: &str, status: Status, is_allowed: bool) -> Finding {
        let case = case(workload, "stagedag");
        let side = SideCase {
            outcome: Outcome::Completed,
            reason: None,
            trials: 10,
            wall_ns_median: Some(5e7),
            wall_cv: None,
            contaminated: false,
        };
        Finding {
            key: case.key(),
            case,
            status,
            said: String::new(),
            suspect: true,
            allowed: is_allowed.then(|| "see #7".to_owned()),
            budget: 0.05,
            base: side.clone(),
            new: side,
            ratio: Some(1.3),
            interval: None,
            bounds: None,
            visible: None,
            floor: None,
            turns: 1,
            by_trials: None,
            p: None,
            p_adjusted: None,
            uncertainty: None,
            yearly: None,
        }
    }

    #[test]
    fn an_entry_lasts_to_the_end_of_its_last_day_and_is_an_error_after_it() {
        assert!(read(ENTRY, "2026-12-31").is_ok());
        let said = refused(ENTRY, "2027-01-01");
        assert!(
            said.contains("entry 1 (workload `tpch-q0*`)") && said.contains("ran out on 2026-12-31 (see #7)"),
            "{said}"
        );
    }

    #[test]
    fn lists_that_say_too_little_or_something_else_are_refused_with_the_place() {
        let without_reason = ENTRY.replace("see #7", " ");
        let cases = [
            (without_reason.as_str(), "reason is empty"),
            (&ENTRY.replace("2026-12-31", "soon"), "no date"),
            (&ENTRY.replace("2026-12-31", "2026-02-30"), "no date"),
            (&ENTRY.replace("until", "till"), "docs/gate.md"),
            (&format!("{ENTRY}what = []\n"), "`what` is empty"),
            (&ENTRY.replace("tpch-q0*", "["), "no closing"),
            ("\u{0}", "docs/gate.md"),
        ];
        for (text, word) in cases {
            let said = refused(text, "2026-01-01");
            assert!(said.contains(word) && said.contains("allow.toml"), "{text}: {said}");
        }
    }
}
