//! Claims files and runs to a [`ClaimsReport`].

use super::ClaimsError;
use super::examine::{Draft, DraftCompared, examine};
use super::file::{Claim, ClaimsFile, Test};
use super::report::{
    AssessedClaim, AssessedTest, CLAIMS_SCHEMA, ClaimVerdict, ClaimsGroup, ClaimsReport, Compared, Counts, Evidence,
    Remove, SourceUsed,
};
use super::select::{commands, conditions, select, unrecorded};
use super::verdict::{finding, holm, of_table, of_tables, of_tests};
use crate::compare::CompareError;
use crate::compare::evidence::{Tested, tested};
use bench_record::Run;
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
    unique(files)?;
    let tables = tested(runs)?;
    let mut drafted: Vec<Drafted<'_>> = files.iter().flat_map(|file| draft(file, &tables)).collect();
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
        runs: runs.iter().map(|r| r.path.display().to_string()).collect(),
        notes: runs.iter().flat_map(crate::compare::notes).collect(),
    })
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
}

fn draft<'f>(file: &'f ClaimsFile, tables: &[Tested<'_>]) -> Vec<Drafted<'f>> {
    let of_test = |test: &'f Test| {
        let drafts = test.metric.reading().map(|reading| {
            let selections = select(file, test, tables);
            selections.iter().map(|s| examine(file, test, s, reading)).collect::<Vec<_>>()
        });
        (test, drafts.unwrap_or_default())
    };
    let of_claim = |claim: &'f Claim| Drafted { file, claim, tests: claim.test.iter().map(of_test).collect() };
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

fn judge(Drafted { file, claim, tests }: Drafted<'_>, counts: &BTreeMap<Remove, usize>) -> AssessedClaim {
    let tests: Vec<AssessedTest> =
        tests.into_iter().map(|(test, drafts)| of_test(file, test, drafts, counts)).collect();
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

fn of_test(file: &ClaimsFile, test: &Test, drafts: Vec<Draft>, counts: &BTreeMap<Remove, usize>) -> AssessedTest {
    let evidence: Vec<Evidence> = drafts.into_iter().map(|d| conclude(d, counts)).collect();
    let direct = evidence.iter().filter(|e| e.remove == Remove::Direct);
    let direct: Vec<(ClaimVerdict, String)> = direct.map(|e| (e.finding, e.because.clone())).collect();
    let (verdict, because) = of_tables(&direct).unwrap_or_else(|| {
        let why = match test.metric.reading() {
            None => unrecorded(test.metric),
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
        evidence,
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

fn conclude(draft: Draft, counts: &BTreeMap<Remove, usize>) -> Evidence {
    let of = counts.get(&draft.remove).copied().unwrap_or_default();
    let one = |c: DraftCompared| {
        let (finding, because) = finding(&c.lean, c.p_adjusted, of);
        Compared {
            what: c.what,
            workloads: c.workloads,
            value: c.value,
            interval: c.interval,
            claimed: c.claimed,
            stated: c.stated,
            noise: c.noise,
            p: c.p,
            p_adjusted: c.p_adjusted,
            finding,
            because,
        }
    };
    let compared: Vec<Compared> = draft.compared.into_iter().map(one).collect();
    let mut findings: Vec<(ClaimVerdict, String)> =
        compared.iter().map(|c| (c.finding, format!("{} {}", c.what, c.because))).collect();
    if draft.completes {
        findings.push((ClaimVerdict::Supported, "every answer was right".to_owned()));
    }
    let (finding, because) = of_table(&draft.gaps, &findings);
    Evidence {
        remove: draft.remove,
        place: draft.place,
        who: draft.who,
        finding,
        because,
        compared,
        links: draft.links,
    }
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
