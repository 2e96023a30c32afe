//! `bench compare`.

use super::cost::Positive;
use super::engines::EnginesDir;
use super::pattern::Pattern;
use super::value::Trials;
use bench_record::Case;
use clap::{Args, ValueEnum};
use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// Judges whether NEW became slower, wrong or failing against BASE, and ends with an exit code that says so.
///
/// Both are folders of `bench run`, made on one machine with the same options; several a side that took turns are what rules a slow-down
/// out. A case is slower if its trials (the bootstrap interval of the ratio, the rank test with Holm's correction, the floor of
/// the A/A arm) and its turns say so; it is fine if a slow-down beyond its budget is ruled out over three turns or more; else it is
/// inconclusive. Exit code 0: all fine; 1: a regression; 2: not comparable, or the machine is
/// suspected; 3: inconclusive.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct CompareArgs {
    /// Compares with the run in this folder.
    #[arg(value_name = "BASE")]
    pub(crate) base: PathBuf,
    /// Judges the run in this folder.
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// Adds further runs of BASE's build; may be repeated. Only runs that took turns with NEW's count as further turns.
    #[arg(long, value_name = "DIR")]
    pub(crate) more_base: Vec<PathBuf>,
    /// Adds further runs of NEW's build; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub(crate) more_new: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Divides each time by that of this engine on the same workload in the same trial [default: times as they are]. Then the
    /// two sides may come from different machines, such as shared runners; a change of that engine itself is invisible.
    #[arg(long, value_name = "ENGINE", conflicts_with_all = ["confirm", "prices"])]
    pub(crate) relative_to: Option<String>,
    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
    #[command(flatten)]
    pub(crate) telling: Telling,
    /// Prints the verdict like this.
    #[arg(long, value_enum, default_value_t = CompareFormat::Table)]
    pub(crate) format: CompareFormat,
}

/// What is tolerated.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct Judging {
    /// Tolerates slow-downs up to this share: 5% for all, 'tpch-q1?=10%' for workloads that match, '*@actor=20%' for an
    /// engine; may be repeated, the last that matches counts [default: 5%].
    #[arg(long, value_name = "[GLOB=]PERCENT")]
    pub(crate) budget: Vec<Budget>,
    /// Accepts the regressions listed in this file until their dates have passed. See docs/gate.md for its format.
    #[arg(long, value_name = "FILE")]
    pub(crate) allow: Option<PathBuf>,
    /// Lets NEW lack the cases of these workloads, or with an @ of these engines too, such as '*@ray'; may be repeated [default: a
    /// case of BASE that NEW lacks makes the verdict inconclusive].
    #[arg(long, value_name = "GLOB")]
    pub(crate) allow_missing: Vec<Pattern>,
}

/// What is said of a verdict, and where else.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct Telling {
    /// Says in the verdict what each slow-down costs in a year at the prices of this book: aws, azure, gcp, or a TOML file of yours.
    #[arg(long, value_name = "BOOK")]
    pub(crate) prices: Option<BookName>,
    /// Takes each case to run so often in a day, where prices are given.
    #[arg(long, value_name = "N", default_value = "24", requires = "prices")]
    pub(crate) runs_per_day: Positive,
    /// Writes the verdict to a file too, and over it if it exists, such as junit=report.xml; may be repeated. For several
    /// formats at once.
    #[arg(long, value_name = "FORMAT=FILE")]
    pub(crate) write: Vec<Written>,
}

impl Telling {
    /// Whether anything of it is asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.prices.is_some() || !self.write.is_empty()
    }
}

/// Measuring suspects again.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct ConfirmArgs {
    /// Measures the cases that look slower again, and them alone, both builds in turns, before judging [default: judge what is
    /// recorded]. BASE's build is --base-binary, NEW's is this program or --new-binary.
    #[arg(long, requires = "base_binary")]
    pub(crate) confirm: bool,
    /// Measures suspects again with this program as BASE's build: its recorded times have chosen them, and decide nothing.
    #[arg(long, value_name = "PATH", requires = "confirm")]
    pub(crate) base_binary: Option<PathBuf>,
    /// Measures suspects again with this program as NEW's build [default: this program].
    #[arg(long, value_name = "PATH", requires = "confirm")]
    pub(crate) new_binary: Option<PathBuf>,
    /// Measures each suspect again this many times a side, 1 to 1000 [default: 20].
    #[arg(long, value_name = "N", requires = "confirm")]
    pub(crate) confirm_trials: Option<Trials>,
    /// Writes the runs of the second measurement below this new or empty folder [default: results/confirm-TIME].
    #[arg(long, value_name = "DIR", requires = "confirm")]
    pub(crate) confirm_out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) engines: EnginesDir,
}

/// How a verdict is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareFormat {
    /// Aligned text, at most 100 columns, legible without color.
    Table,
    /// Markdown, for a comment on a change.
    Md,
    /// JSON, with every number unrounded.
    Json,
    /// JUnit XML: one test per case.
    Junit,
    /// SARIF 2.1.0: one result per case that deserves a look.
    Sarif,
    /// Workflow commands of GitHub Actions, for standard output.
    Github,
}

/// A price book: the name of one that is built in, or a file. A type of its own, so that a recorded command line knows that it may be
/// a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BookName(pub(crate) String);

impl FromStr for BookName {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// A file to write a verdict to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// How.
    pub(crate) format: CompareFormat,
    /// Where.
    pub(crate) file: PathBuf,
}

impl FromStr for Written {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "give FORMAT=FILE with table, md, json, junit, sarif or github, such as junit=report.xml".to_owned();
        let (format, file) = text.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or_else(wrong)?;
        let format = CompareFormat::from_str(format, false).map_err(|_| wrong())?;
        Ok(Self { format, file: PathBuf::from(file) })
    }
}

/// How much slower which cases may become.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Budget {
    pattern: Option<Pattern>,
    /// Whether the pattern is about `workload@engine` rather than the workload alone.
    with_engine: bool,
    share: f64,
}

/// A share above 0, given in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percent(f64);

impl Percent {
    /// 0.05 of 5 %.
    pub(crate) const fn share(self) -> f64 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').and_then(|n| n.trim().parse::<f64>().ok());
        let number = number.filter(|n| *n > 0.0 && *n <= 1000.0);
        number.map(|n| Self(n / 100.0)).ok_or_else(|| "give a share above 0% and up to 1000%, such as 2%".to_owned())
    }
}

/// What a budget is when nobody says otherwise.
const DEFAULT_BUDGET: f64 = 0.05;

impl Judging {
    /// How much slower a case may become: the last budget that matches.
    pub(crate) fn budget_of(&self, case: &Case) -> f64 {
        self.budget.iter().rev().find(|b| b.matches(case)).map_or(DEFAULT_BUDGET, |b| b.share)
    }
}

impl Judging {
    /// Whether NEW may lack a case that BASE has.
    pub(crate) fn may_lack(&self, case: &Case) -> bool {
        let full = format!("{}@{}", case.workload, case.engine);
        self.allow_missing.iter().any(|p| p.matches(&case.workload) || p.matches(&full))
    }
}

impl Budget {
    fn matches(&self, case: &Case) -> bool {
        let full = || format!("{}@{}", case.workload, case.engine);
        self.pattern
            .as_ref()
            .is_none_or(|p| if self.with_engine { p.matches(&full()) } else { p.matches(&case.workload) })
    }
}

impl FromStr for Budget {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give a share above 0% and up to 1000%, such as 5%, or for some cases 'tpch-*=10%'".to_owned();
        let (pattern, percent) = match text.rsplit_once('=') {
            Some((pattern, percent)) => (Some(pattern.parse::<Pattern>().map_err(|e| e.to_string())?), percent),
            None => (None, text),
        };
        let share = percent.parse::<Percent>().map_err(|_| wrong())?.share();
        let with_engine = pattern.is_some() && text.contains('@');
        Ok(Self { pattern, with_engine, share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::Family;
    use bench_record::Protocol;

    fn case(workload: &str, engine: &str) -> Case {
        Case {
            suite: "smoke".into(),
            family: Family::Sql,
            workload: workload.into(),
            engine: engine.into(),
            variant: Case::DEFAULT_VARIANT.into(),
            cluster: "local".into(),
            nodes: 1,
            slots: 2,
            protocol: Protocol::Warm(1),
            scale: 1,
        }
    }

    fn judging(budgets: &[&str]) -> Judging {
        Judging { budget: budgets.iter().map(|b| b.parse().unwrap()).collect(), ..Judging::default() }
    }

    #[test]
    fn the_last_budget_that_matches_counts() {
        let j = judging(&["8%", "tpch-q1?=10%", "*@actor=20%"]);
        let of = |workload, engine| j.budget_of(&case(workload, engine));
        assert!((of("sort", "stagedag") - 0.08).abs() < 1e-12);
        assert!((of("tpch-q11", "stagedag") - 0.10).abs() < 1e-12);
        assert!((of("tpch-q11", "actor") - 0.20).abs() < 1e-12);
        assert!((judging(&[]).budget_of(&case("sort", "actor")) - DEFAULT_BUDGET).abs() < 1e-12);
    }

    #[test]
    fn budgets_that_tolerate_nothing_or_no_number_are_refused_with_an_example() {
        for wrong in ["", "5", "0%", "-1%", "nan%", "inf%", "x=", "x=5", "1001%", "=5%", "[=5%"] {
            let said = wrong.parse::<Budget>().unwrap_err();
            assert!(said.contains("5%") || said.contains("pattern") || said.contains("closing"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_file_to_write_names_its_format() {
        let written: Written = "junit=a=b.xml".parse().unwrap();
        assert_eq!((written.format, written.file), (CompareFormat::Junit, PathBuf::from("a=b.xml")));
        assert!("a.xml".parse::<Written>().unwrap_err().contains("junit=report.xml"));
        assert!("junit=".parse::<Written>().is_err() && "pdf=x".parse::<Written>().is_err());
    }
}
