//! `bench compare`: what became slower, wrong or failing between two builds, and whether that can be said.
//!
//! | part | idea |
//! |---|---|
//! | `allow` | regressions that are accepted until a date |
//! | `confirm` | measuring suspects again |

mod allow;
mod confirm;

use super::report::ink;
use super::{cost, say};
use crate::cli::compare::{CompareArgs, CompareFormat, Judging, Telling, Written};
use crate::cli::exit;
use crate::cli::run::RunArgs;
use crate::progress::tell;
use allow::Allowances;
use anyhow::{Context, Result, bail};
use bench_record::{Case, Run, RunContext, Timestamp};
use bench_reports::Ink;
use bench_reports::cost::Count;
use bench_reports::gate::{Gate, GateFormat, GateOptions, GatePrices, Status, Verdict, gate, price_slow_downs, write};
use std::path::{Path, PathBuf};

pub(super) fn compare(args: &CompareArgs) -> Result<u8> {
    let base = load(&args.base, &args.more_base)?;
    let new = load(&args.new, &args.more_new)?;
    let judge = Judge::new(&args.judging)?;
    let relative_to = args.relative_to.as_deref();
    let mut verdict = judge.gate(&base, &new, relative_to)?;
    if args.confirm.confirm {
        match confirm::confirm(&verdict, &base, &new, &args.confirm)? {
            confirm::Confirmed::NothingToDo => tell("no case looks slower: there is nothing to measure again"),
            confirm::Confirmed::Interrupted => return Ok(exit::INTERRUPTED),
            confirm::Confirmed::Measured { base, new } => {
                let second = judge.gate(&base, &new, None)?;
                verdict = bench_reports::gate::confirm(verdict, second);
            }
        }
    }
    judge.note_unused(&verdict);
    let verdict = priced(verdict, &new, &args.telling)?;
    write_files(&verdict, &args.telling.write)?;
    say(&write(&verdict, format_of(args.format), ink()))?;
    Ok(code_of(verdict.verdict))
}

/// Adds what slow-downs cost in a year, where prices are given.
fn priced(verdict: Gate, new: &[Run], telling: &Telling) -> Result<Gate> {
    let Some(name) = &telling.prices else { return Ok(verdict) };
    let book = cost::book(&name.0)?;
    let runs_per_day = Count::new(telling.runs_per_day.get()).context("--runs-per-day is no count")?;
    Ok(price_slow_downs(verdict, new, &GatePrices { book: &book, runs_per_day }))
}

fn write_files(verdict: &Gate, files: &[Written]) -> Result<()> {
    for written in files {
        let text = write(verdict, format_of(written.format), Ink::Plain);
        super::folders::write_out(&written.file, text)?;
    }
    Ok(())
}

/// Judges a run that just ended against an earlier one, and prints the verdict: below the run's own table, or as one JSON object with
/// its comparison. Files come last: one that cannot be written takes nothing away.
pub(super) fn against(base: &Path, folder: &Path, args: &RunArgs) -> Result<u8> {
    let judge = Judge::new(&args.judging)?;
    let new = load(folder, &[])?;
    let verdict = judge.gate(&load(base, &[])?, &new, None)?;
    judge.note_unused(&verdict);
    let verdict = priced(verdict, &new, &args.telling)?;
    if args.json {
        let comparison = bench_reports::compare(&new, &bench_reports::Options::default())?;
        let both = serde_json::json!({ "comparison": comparison, "gate": verdict });
        say(&format!("{}\n", serde_json::to_string_pretty(&both)?))?;
    } else {
        say("")?;
        say(&write(&verdict, GateFormat::Table, ink()))?;
    }
    write_files(&verdict, &args.telling.write).with_context(|| {
        let (base, new) = (base.display(), folder.display());
        format!("the run is whole, and `bench compare {base} {new}` judges it again")
    })?;
    Ok(code_of(verdict.verdict))
}

/// Refuses before anything is prepared what nobody can compare with: no run, a list of allowances or a price book that cannot be
/// read; and what is to be said of a comparison that there is none of.
pub(super) fn check(args: &RunArgs) -> Result<()> {
    let Some(base) = &args.against else {
        if args.telling.is_asked() {
            bail!("--prices and --write are about a comparison with an earlier run: name that with --against BASE");
        }
        return Ok(());
    };
    load(base, &[])?;
    if let Some(name) = &args.telling.prices {
        cost::read_book(&name.0)?;
    }
    Judge::new(&args.judging).map(|_| ())
}

/// Refuses before anything is measured what could not be compared afterwards: another machine, other data, programs, suite, protocol or
/// engines.
pub(super) fn check_planned(base: &Path, planned: &RunContext) -> Result<()> {
    let base = load(base, &[])?;
    bench_reports::gate::comparable(&base, planned)?;
    tell("note: one run a side can show a regression and cannot rule one out; ci/gate.sh lets two builds take turns");
    let least = bench_reports::gate::trials_to_show(&base, planned);
    let trials = base.iter().map(|run| run.context.trials).chain([planned.trials]).min().unwrap_or_default();
    if (trials as usize) < least {
        tell(&format!(
            "note: with {trials} trials a side no slow-down is shown, however large: only wrong answers and new failures are; measure \
             both sides with --trials {least} or more"
        ));
    }
    Ok(())
}

fn load(first: &Path, more: &[PathBuf]) -> Result<Vec<Run>> {
    let folders = std::iter::once(first).chain(more.iter().map(PathBuf::as_path));
    Ok(folders.map(Run::load).collect::<Result<Vec<_>, _>>()?)
}

/// What is tolerated and what is accepted.
struct Judge<'a> {
    judging: &'a Judging,
    allowances: Allowances,
}

impl<'a> Judge<'a> {
    fn new(judging: &'a Judging) -> Result<Self> {
        let allowances = match &judging.allow {
            Some(file) => Allowances::read(file, Timestamp::now())?,
            None => Allowances::default(),
        };
        Ok(Self { judging, allowances })
    }

    fn gate(&self, base: &[Run], new: &[Run], relative_to: Option<&str>) -> Result<Gate> {
        let budget = |case: &Case| self.judging.budget_of(case);
        let allowed = |case: &Case, status: Status| self.allowances.reason(case, status);
        let may_lack = |case: &Case| self.judging.may_lack(case);
        Ok(gate(base, new, &GateOptions { budget: &budget, allowed: &allowed, may_lack: &may_lack, relative_to })?)
    }

    /// An allowance that nothing needs hides the next regression.
    fn note_unused(&self, verdict: &Gate) {
        for entry in self.allowances.unused(&verdict.findings) {
            tell(&format!("warning: {entry} allows nothing that is found here; remove it if the regression is gone"));
        }
    }
}

const fn format_of(format: CompareFormat) -> GateFormat {
    match format {
        CompareFormat::Table => GateFormat::Table,
        CompareFormat::Md => GateFormat::Markdown,
        CompareFormat::Json => GateFormat::Json,
        CompareFormat::Junit => GateFormat::Junit,
        CompareFormat::Sarif => GateFormat::Sarif,
        CompareFormat::Github => GateFormat::Github,
    }
}

const fn code_of(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fine => exit::FINE,
        Verdict::Regression => exit::REGRESSION,
        Verdict::HarnessSuspect => exit::ERROR,
        Verdict::Inconclusive => exit::INCONCLUSIVE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_and_the_program_agree_on_every_exit_code() {
        for verdict in [Verdict::Fine, Verdict::Regression, Verdict::HarnessSuspect, Verdict::Inconclusive] {
            assert_eq!(code_of(verdict), verdict.exit_code());
        }
    }
}
