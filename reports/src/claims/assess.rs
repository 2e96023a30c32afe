//! Claims files and runs to a [`ClaimsReport`].

use super::ClaimsError;
use super::command::commands;
use super::examine::{Draft, examine};
use super::file::{Claim, ClaimsFile, Test};
use super::metric::Metric;
use super::price::costs;
use super::relate::DraftCompared;
use super::report::{
    AssessedClaim, AssessedTest, CLAIMS_SCHEMA, ClaimVerdict, ClaimsGroup, ClaimsReport, Compared, Configuration,
    Counts, Evidence, Remove, SourceUsed,
};
use super::select::{conditions, select, unrecorded};
use super::verdict::{Configured, finding, of_configurations, of_table, of_tables, of_tests};
use crate::compare::CompareError;
use crate::compare::evidence::{Tested, probed, tested};
use crate::compare::probed::as_run;
use crate::cost::Pricing;
use crate::run_names::RunNames;
use crate::stats::holm;
use bench_record::{OverheadRun, Run};
use std::collections::BTreeMap;

/// Why there is no report on claims.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssessError {
    /// The runs cannot be used together.
    #[error(transparent)]
    Runs(#[from] CompareError),
    /// The claims files cannot be used together.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
}

/// Holds claims against recorded runs. The same files and folders in the same order give the same report.
///
/// # Errors
/// No runs, a run that is given twice, or an id that two files share.
pub fn assess(files: &[ClaimsFile], runs: &[Run]) -> Result<ClaimsReport, AssessError> {
    assess_all(files, runs, &[], None)
}

/// The same with records of `bench overhead`, which decide claims on what engines cost before they do any work, and with what the runs
/// cost at the prices of a book, which claims on costs are held against.
///
/// # Errors
/// As for [`assess`]; nothing to hold claims against is only what has neither.
pub fn assess_all(
    files: &[ClaimsFile],
    runs: &[Run],
    overhead: &[OverheadRun],
    prices: Option<&Pricing>,
) -> Result<ClaimsReport, AssessError> {
    unique(files)?;
    let probes: Vec<Run> = overhead.iter().map(as_run).collect();
    let names = RunNames::of(runs.iter().chain(&probes).map(|r| &*r.path));
    let tables = Tables {
        worked: if runs.is_empty() && !overhead.is_empty() { Vec::new() } else { tested(runs, &names)? },
        idle: probed(&probes, &names)?,
    };
    let mut drafted: Vec<Drafted<'_>> = files.iter().flat_map(|file| draft(file, &tables, prices)).collect();
    let comparisons = adjust(&mut drafted);
    let mut groups: Vec<ClaimsGroup> = Vec::new();
    let mut counts = Counts::default();
    for one in drafted {
        let title = &one.claim.group;
        let claim = judge(one, &comparisons);
        counts.add(claim.verdict);
        match groups.iter_mut().find(|g| g.title == *title) {
            Some(group) => group.claims.push(claim),
            None => groups.push(ClaimsGroup { title: title.clone(), claims: vec![claim] }),
        }
    }
    let source = |f: &ClaimsFile| SourceUsed { file: f.name.clone(), source: f.source.clone(), claims: f.claim.len() };
    Ok(ClaimsReport {
        schema: CLAIMS_SCHEMA,
        sources: files.iter().map(source).collect(),
        counts,
        comparisons,
        groups,
        runs: runs.iter().chain(&probes).map(|r| r.path.display().to_string()).collect(),
        notes: runs.iter().chain(&probes).flat_map(|run| crate::compare::notes(run, &names)).collect(),
    })
}

/// What was recorded, table by table.
struct Tables<'a> {
    /// Of workloads.
    worked: Vec<Tested<'a>>,
    /// Of engines that have nothing to do.
    idle: Vec<Tested<'a>>,
}

/// Refuses ids that two files share: a verdict would be somebody else's.
fn unique(files: &[ClaimsFile]) -> Result<(), ClaimsError> {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for file in files {
        for id in file.claim.iter().map(|c| c.id.get_ref()).chain(file.rule.iter().map(|r| r.id.get_ref())) {
            if let Some(other) = seen.insert(id, &file.name) {
                let message = format!("the id `{id}` is in {other} too; rename one of them");
                return Err(ClaimsError { file: file.name.clone(), line: None, message });
            }
        }
    }
    Ok(())
}

/// A claim with what was found, before all comparisons are taken together.
struct Drafted<'f> {
    file: &'f ClaimsFile,
    claim: &'f Claim,
    tests: Vec<(&'f Test, Vec<Draft>)>,
    is_priced: bool,
}

fn draft<'f>(file: &'f ClaimsFile, tables: &Tables<'_>, prices: Option<&Pricing>) -> Vec<Drafted<'f>> {
    let of_test = |test: &'f Test| {
        let drafts = test.metric.reading().map(|reading| {
            let of = if test.metric.figure().is_some() { &tables.idle } else { &tables.worked };
            let selections = select(file, test, of);
            selections.iter().map(|s| examine(file, test, s, reading)).collect::<Vec<_>>()
        });
        let costs =
            prices.filter(|_| test.metric == Metric::Cost).map(|prices| costs(file, test, prices, &tables.worked));
        (test, drafts.or(costs).unwrap_or_default())
    };
    let is_priced = prices.is_some();
    let of_claim =
        |claim: &'f Claim| Drafted { file, claim, tests: claim.test.iter().map(of_test).collect(), is_priced };
    file.claim.iter().map(of_claim).collect()
}

/// Takes all comparisons of each remove together; how many those are.
fn adjust(drafted: &mut [Drafted<'_>]) -> BTreeMap<Remove, usize> {
    let mut counts = BTreeMap::new();
    for remove in [Remove::Direct, Remove::OtherScale, Remove::Architecture] {
        let drafts = drafted.iter_mut().flat_map(|d| &mut d.tests).flat_map(|(_, drafts)| drafts);
        let of_remove = drafts.filter(|d| d.remove == remove).flat_map(|d| &mut d.compared);
        let mut compared: Vec<&mut DraftCompared> = of_remove.collect();
        let p = holm(&compared.iter().map(|c| c.p).collect::<Vec<_>>());
        compared.iter_mut().zip(p).for_each(|(c, p)| c.p_adjusted = p);
        if !compared.is_empty() {
            counts.insert(remove, compared.len());
        }
    }
    counts
}

fn judge(Drafted { file, claim, tests, is_priced }: Drafted<'_>, counts: &BTreeMap<Remove, usize>) -> AssessedClaim {
    let tests: Vec<AssessedTest> =
        tests.into_iter().map(|(test, drafts)| of_test(file, test, drafts, counts, is_priced)).collect();
    let verdicts: Vec<(ClaimVerdict, String)> = tests.iter().map(|t| (t.verdict, t.because.clone())).collect();
    let (verdict, because) = of_tests(&verdicts).unwrap_or_else(|| {
        let needs = claim.needs.clone().unwrap_or_default();
        (ClaimVerdict::NotTested, needs)
    });
    let mut would_test = claim.run.clone();
    for command in tests.iter().flat_map(|t| &t.would_test) {
        if !would_test.contains(command) {
            would_test.push(command.clone());
        }
    }
    AssessedClaim {
        id: claim.id.get_ref().clone(),
        file: file.name.clone(),
        kind: claim.kind,
        text: claim.text.clone(),
        says: claim.says.iter().map(|(who, what)| (file.name_of(who).to_owned(), what.clone())).collect(),
        verdict,
        because,
        tests,
        would_test,
    }
}

/// What the direct evidence of one configuration says; none of none.
fn configured(evidence: &[Concluded], configuration: Configuration) -> Option<Configured> {
    let own = |e: &&Concluded| e.evidence.remove == Remove::Direct && e.evidence.configuration == configuration;
    let direct: Vec<&Concluded> = evidence.iter().filter(own).collect();
    let said: Vec<(ClaimVerdict, String)> =
        direct.iter().map(|e| (e.evidence.finding, e.evidence.because.clone())).collect();
    let (verdict, because) = of_tables(&said)?;
    Some(Configured { verdict, because, is_whole: direct.iter().any(|e| e.is_whole) })
}

fn of_test(
    file: &ClaimsFile,
    test: &Test,
    drafts: Vec<Draft>,
    counts: &BTreeMap<Remove, usize>,
    is_priced: bool,
) -> AssessedTest {
    let evidence: Vec<Concluded> = drafts.into_iter().map(|d| conclude(d, counts)).collect();
    let of = |configuration| configured(&evidence, configuration);
    let both = of_configurations(of(Configuration::Default), of(Configuration::Tuned));
    let (verdict, because) = both.unwrap_or_else(|| {
        let why = match test.metric.reading() {
            None if test.metric != Metric::Cost => unrecorded(test.metric),
            None if !is_priced => "no prices were given; add --prices with a price book".to_owned(),
            None => format!("no run given has {} with a price, on {}", who(file, test), conditions(test)),
            Some(_) => format!("no run given has {} on {}", who(file, test), conditions(test)),
        };
        (ClaimVerdict::NotTested, why)
    });
    let open = matches!(verdict, ClaimVerdict::NotTested | ClaimVerdict::Inconclusive);
    AssessedTest {
        reading: test.reading.get_ref().clone(),
        metric: test.metric,
        at: conditions(test),
        verdict,
        because,
        evidence: evidence.into_iter().map(|e| e.evidence).collect(),
        would_test: if open { commands(file, test) } else { Vec::new() },
    }
}

fn who(file: &ClaimsFile, test: &Test) -> String {
    let names: Vec<&str> = test.relation.subjects().into_iter().map(|s| file.name_of(s)).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// Evidence, and whether anything that the test asks for is missing from it.
struct Concluded {
    evidence: Evidence,
    is_whole: bool,
}

fn conclude(draft: Draft, counts: &BTreeMap<Remove, usize>) -> Concluded {
    let of = counts.get(&draft.remove).copied().unwrap_or_default();
    let one = |c: DraftCompared| {
        let found = finding(&c.lean, c.p_adjusted, of);
        Compared {
            what: c.what,
            workloads: c.workloads,
            value: c.value,
            interval: c.interval,
            claimed: c.claimed,
            unit: c.unit,
            stated: c.stated,
            noise: c.noise,
            p: Some(c.p),
            p_adjusted: Some(c.p_adjusted),
            finding: found.verdict,
            because: found.because,
            open: found.open,
        }
    };
    let compared: Vec<Compared> = draft.compared.into_iter().map(one).chain(draft.settled).collect();
    let mut findings: Vec<(ClaimVerdict, String)> =
        compared.iter().map(|c| (c.finding, format!("{} {}", c.what, c.because))).collect();
    findings.extend(draft.asked.map(|asked| (ClaimVerdict::Supported, asked.met().to_owned())));
    let is_whole = draft.gaps.is_empty();
    let by_comparisons = is_whole && draft.refuted.is_empty() && draft.asked.is_none();
    let (finding, because) = if draft.refuted.is_empty() {
        of_table(&draft.gaps, &findings)
    } else {
        (ClaimVerdict::Contradicted, draft.refuted.join("; "))
    };
    let evidence = Evidence {
        remove: draft.remove,
        configuration: draft.configuration,
        place: draft.place,
        machine: draft.machine,
        who: draft.who,
        finding,
        because,
        by_comparisons,
        compared,
        links: draft.links,
    };
    Concluded { evidence, is_whole }
}

impl Counts {
    fn add(&mut self, verdict: ClaimVerdict) {
        match verdict {
            ClaimVerdict::Supported => self.supported += 1,
            ClaimVerdict::Contradicted => self.contradicted += 1,
            ClaimVerdict::Inconclusive => self.inconclusive += 1,
            ClaimVerdict::NotTested => self.not_tested += 1,
        }
    }
}
