//! Recorded cases against one relation: who took part, and what is missing.

use super::complete::{Asked, completes};
use super::file::{ClaimsFile, Relation, Test};
use super::relate::{DraftCompared, relate};
use super::report::{Compared, Configuration, Link, Remove};
use super::select::Selection;
use crate::compare::evidence::{Reading, TestedCase};
use std::collections::BTreeSet;

/// What a selection says to a test, before all comparisons are taken together.
pub(super) struct Draft {
    pub(super) remove: Remove,
    pub(super) configuration: Configuration,
    pub(super) place: String,
    /// The machine alone.
    pub(super) machine: String,
    pub(super) who: Vec<String>,
    /// What is missing.
    pub(super) gaps: Vec<String>,
    /// Answers that are wrong whatever is missing, where right answers are claimed.
    pub(super) refuted: Vec<String>,
    /// What is all that is claimed, where that is no comparison.
    pub(super) asked: Option<Asked>,
    pub(super) compared: Vec<DraftCompared>,
    /// Comparisons that chance has no part in.
    pub(super) settled: Vec<Compared>,
    pub(super) links: Vec<Link>,
}

/// Somebody who takes part.
pub(super) struct Member<'t, 'a> {
    pub(super) subject: &'t str,
    /// What reports call them.
    pub(super) name: String,
    /// Index into the table's contestants.
    pub(super) contestant: usize,
    pub(super) cases: Vec<&'t TestedCase<'a>>,
}

pub(super) fn examine<'t>(
    file: &'t ClaimsFile,
    test: &'t Test,
    selection: &'t Selection<'_, '_>,
    reading: Reading,
) -> Draft {
    let mut gaps = Vec::new();
    let (mut members, mut who) = (Vec::new(), Vec::new());
    for (subject, contestants) in &selection.members {
        let name = file.name_of(subject).to_owned();
        let labels = contestants.iter().filter_map(|i| selection.table.contestants.get(*i));
        who.extend(labels.map(|c| if c.label == *subject { name.clone() } else { format!("{} for {name}", c.label) }));
        match contestants.as_slice() {
            [] => gaps.push(format!("{name} was not run there")),
            [one] => {
                // What stands for a product must not bear its name.
                let label = selection.table.contestants.get(*one).map(|c| c.label.clone());
                let name = label.filter(|_| selection.remove == Remove::Architecture).unwrap_or(name);
                members.push(Member { subject, name, contestant: *one, cases: selection.cases(test, *one).collect() });
            }
            several => {
                gaps.push(format!("{} builds, versions or clusters of {name}; give the runs of one", several.len()))
            }
        }
    }
    let all = members.iter().flat_map(|m| &m.cases).flat_map(|c| &c.recorded);
    let links: BTreeSet<Link> = all.map(|(file, key)| Link { file: file.clone(), key: key.clone() }).collect();
    let mut refuted = Vec::new();
    let mut compared = Vec::new();
    gaps.extend(too_few(test, &members));
    let asks = if test.metric.figure().is_some() { Asked::Done } else { Asked::Answers };
    let asked = matches!(test.relation, Relation::Completes(_)).then_some(asks);
    if let Some(asked) = asked {
        completes(&members, asked, &mut refuted, &mut gaps);
    } else {
        gaps.extend(incomplete(test, &members, reading));
        compared = relate(test, selection, &members, reading);
        let apart: BTreeSet<&String> = compared.iter().filter_map(|c| c.apart.as_ref()).collect();
        gaps.extend(apart.into_iter().cloned());
        if compared.iter().any(|c| c.noise.is_none()) {
            gaps.push(match test.metric.figure() {
                None => format!("no A/A arm of this metric in {} workloads, so nobody knows the noise", test.family),
                Some(_) => {
                    "too few trials to hold every second one against those between, so nobody knows the noise; use \
                            --trials 10"
                        .to_owned()
                }
            });
        }
        if compared.is_empty() && gaps.is_empty() {
            gaps.push("nothing could be compared".to_owned());
        }
    }
    Draft {
        remove: selection.remove,
        configuration: selection.configuration,
        place: selection.place.clone(),
        machine: selection.table.machine.clone(),
        who,
        gaps,
        refuted,
        asked,
        compared,
        settled: Vec::new(),
        links: links.into_iter().collect(),
    }
}

/// All workloads that any of them was asked.
fn workloads<'t>(members: &[Member<'t, '_>]) -> BTreeSet<&'t str> {
    members.iter().flat_map(|m| &m.cases).map(|c| c.workload).collect()
}

fn too_few(test: &Test, members: &[Member<'_, '_>]) -> Option<String> {
    let run = workloads(members).len();
    (run != test.cases).then(|| format!("{run} workloads were run, the test has {}", test.cases))
}

/// Everything that was asked for and is not there: answers, numbers.
fn incomplete(test: &Test, members: &[Member<'_, '_>], reading: Reading) -> Vec<String> {
    let asked = workloads(members).len();
    let (mut gaps, mut unbounded) = (Vec::new(), Vec::new());
    for m in members {
        let completed = m.cases.iter().filter(|c| c.completed()).count();
        if completed < asked {
            let first = m.cases.iter().find(|c| !c.completed());
            let why = first.map_or_else(|| "the others were not run".to_owned(), |c| ended(c));
            gaps.push(format!("{} completed {completed} of {asked}; {why}", m.name));
        } else {
            let without = m.cases.iter().filter(|c| c.sample(reading).is_none()).count();
            if without > 0 {
                gaps.push(format!("{} was not recorded in {without} cases of {}", test.metric, m.name));
            }
        }
        let is_open = |bound: Reading| m.cases.iter().any(|c| c.understated(reading, bound).is_none());
        if completed == asked && test.metric.bound().is_some_and(is_open) {
            unbounded.push(m.name.as_str());
        }
    }
    if !unbounded.is_empty() {
        let whose = unbounded.join(" and ");
        gaps.push(format!(
            "the {} of {whose} is what was seen of several processes at once, and some trials do not say how much more it may have \
             been: those of builds that did not record it, and those in which a process ended; measure {whose} again with this build",
            test.metric
        ));
    }
    gaps
}

/// How a case ended that did not complete.
pub(super) fn ended(case: &TestedCase<'_>) -> String {
    let reason = case.reason.as_deref().unwrap_or("no reason recorded");
    format!("{} {}: {reason}", case.workload, case.outcome)
}
