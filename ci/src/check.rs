//! A named check, and running several without stopping at the first failure.

use anyhow::Result;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What every check works on.
pub(crate) struct Ground {
    /// The repository's root folder.
    pub(crate) root: PathBuf,
    /// Whether to mend what can be mended.
    pub(crate) fix: bool,
}

/// What a check found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// What was looked at, as a phrase for the summary, such as `312 packages`.
    pub(crate) looked_at: String,
    /// What is wrong, one sentence each; none means that the check passed.
    pub(crate) problems: Vec<String>,
}

/// One check.
pub(crate) struct Check {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it makes sure of.
    pub(crate) ensures: &'static str,
    /// Runs it. An error means that it could not be run, which fails it too.
    pub(crate) run: fn(&Ground) -> Result<Findings>,
}

struct Outcome {
    name: &'static str,
    took: Duration,
    findings: Result<Findings>,
}

impl Outcome {
    fn passed(&self) -> bool {
        self.findings.as_ref().is_ok_and(|found| found.problems.is_empty())
    }
}

/// Runs checks in order, prints what each looks at and finds, and a summary. True if all passed.
pub(crate) fn run_all(checks: &[&Check], ground: &Ground) -> bool {
    let outcomes: Vec<Outcome> =
        checks.iter().enumerate().map(|(i, check)| run_one(i, checks.len(), check, ground)).collect();
    println!();
    for outcome in &outcomes {
        println!("{}", summary_line(outcome));
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    match failed {
        0 => println!("all {} checks passed", outcomes.len()),
        _ => println!("{failed} of {} checks failed", outcomes.len()),
    }
    failed == 0
}

fn run_one(index: usize, count: usize, check: &Check, ground: &Ground) -> Outcome {
    println!("[{}/{count}] {}: {}", index + 1, check.name, check.ensures);
    let start = Instant::now();
    let findings = (check.run)(ground);
    match &findings {
        Ok(found) => found.problems.iter().for_each(|problem| println!("  {problem}")),
        Err(error) => println!("  could not be checked: {error:#}"),
    }
    Outcome { name: check.name, took: start.elapsed(), findings }
}

fn summary_line(outcome: &Outcome) -> String {
    let verdict = match &outcome.findings {
        Ok(found) if found.problems.is_empty() => format!("ok      {}", found.looked_at),
        Ok(found) => format!("FAILED  {} found in {}", count_of(found.problems.len(), "problem"), found.looked_at),
        Err(_) => "FAILED  could not be checked".to_owned(),
    };
    format!("{:<9} {:>7.1} s  {verdict}", outcome.name, outcome.took.as_secs_f64())
}

/// `1 problem`, `2 problems`.
pub(crate) fn count_of(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground() -> Ground {
        Ground { root: PathBuf::new(), fix: false }
    }
    const GOOD: Check = Check { name: "good", ensures: "", run: |_| Ok(Findings::default()) };
    const BAD: Check = Check {
        name: "bad",
        ensures: "",
        run: |_| Ok(Findings { looked_at: "2 files".to_owned(), problems: vec!["a is wrong".to_owned()] }),
    };
    const BROKEN: Check = Check { name: "broken", ensures: "", run: |_| anyhow::bail!("no such tool") };

    #[test]
    fn one_failure_fails_the_whole_and_does_not_hide_the_rest() {
        assert!(run_all(&[&GOOD, &GOOD], &ground()));
        assert!(!run_all(&[&BAD, &GOOD], &ground()));
        assert!(!run_all(&[&GOOD, &BROKEN], &ground()));
    }

    #[test]
    fn a_failed_check_shows_as_failed_in_the_summary() {
        let outcome =
            |check: &Check| Outcome { name: check.name, took: Duration::ZERO, findings: (check.run)(&ground()) };
        assert_eq!(summary_line(&outcome(&BAD)), "bad           0.0 s  FAILED  1 problem found in 2 files");
        assert_eq!(summary_line(&outcome(&BROKEN)), "broken        0.0 s  FAILED  could not be checked");
    }
}
