//! Recorded runs to a [`Comparison`].

mod ablation;
mod answers;
mod blocking;
mod contamination;
mod cost;
mod decomposition;
pub(crate) mod evidence;
mod faults;
mod field;
mod floors;
mod group;
mod measured;
mod meeting;
mod one_side;
pub(crate) mod probed;
mod scaling;
mod sources;
mod spans;
mod standing;
mod totals;
mod weak;
mod workloads;

pub(crate) use field::planned;
pub(crate) use one_side::{CaseTrials, RunTimes, cases};

use crate::comparison::{Comparison, FamilyReport, Incident, REPORT_SCHEMA, Table};
use crate::overhead::overhead;
use crate::run_names::RunNames;
use crate::stats::RESAMPLES;
use bench_record::{Arm, Family, Outcome, OverheadRun, Run};
use field::Field;
use group::Group;
use measured::Measured;
pub use sources::{Source, Sources};
use std::collections::{BTreeMap, BTreeSet};

/// What a comparison may be asked.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whom totals are compared with: an engine or a contestant's label. By default `datafusion` where it took part,
    /// else the first engine.
    pub baseline: Option<String>,
}

/// Why there is no comparison.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// Nothing to compare.
    #[error("no run given; name one or more folders that `bench run` or `bench overhead` wrote")]
    NoRuns,
    /// A run and itself, or a copy of it.
    #[error(
        "{first} and {again} are the same run, started {started_at}: its trials would count twice; give one of them"
    )]
    SameRun {
        /// Its folder.
        first: String,
        /// Its folder, once more.
        again: String,
        /// When it began.
        started_at: String,
    },
    /// Nobody of that name took part.
    #[error("baseline `{given}` took part in none of the runs; it can be one of {known}")]
    UnknownBaseline {
        /// What was asked for.
        given: String,
        /// Who took part.
        known: String,
    },
}

/// Compares everything recorded in `runs`. The same runs in the same order give the same comparison.
///
/// # Errors
/// No runs, a run that is given twice, or a baseline that did not take part.
pub fn compare(runs: &[Run], options: &Options) -> Result<Comparison, CompareError> {
    compare_with_sources(runs, options).map(|(comparison, _)| comparison)
}

/// The same comparison, and where its numbers come from.
///
/// # Errors
/// As for [`compare`].
pub fn compare_with_sources<'a>(runs: &'a [Run], options: &Options) -> Result<(Comparison, Sources<'a>), CompareError> {
    compare_all(runs, &[], options)
}

/// The same, with what engines cost before they do any work beside it.
///
/// # Errors
/// As for [`compare`]; nothing to compare is only what has neither.
pub fn compare_all<'a>(
    runs: &'a [Run],
    probed: &[OverheadRun],
    options: &Options,
) -> Result<(Comparison, Sources<'a>), CompareError> {
    if runs.is_empty() && probed.is_empty() {
        return Err(CompareError::NoRuns);
    }
    group::all_different(runs)?;
    probed::all_different(probed)?;
    let names = RunNames::of(runs.iter().map(|r| &*r.path).chain(probed.iter().map(|r| &*r.path)));
    let groups = group::groups(runs);
    let (tables, sources): (Vec<Table>, Vec<Vec<Source<'a>>>) =
        groups.iter().map(|g| table(g, options, &names)).unzip();
    if let Some(given) = &options.baseline
        && tables.iter().all(|t| t.baseline.is_none())
    {
        let labels: BTreeSet<&str> = tables.iter().flat_map(|t| &t.contestants).map(|c| c.label.as_str()).collect();
        let known = labels.into_iter().collect::<Vec<_>>().join(", ");
        return Err(CompareError::UnknownBaseline { given: given.clone(), known });
    }
    let all = tables.iter().flat_map(|t| &t.incidents);
    let wrong_answers = all.filter(|i| i.outcome == Outcome::WrongAnswer).cloned().collect();
    let of_runs = runs.iter().flat_map(|run| notes(run, &names));
    let notes = of_runs.chain(group::apart(&groups, &names)).chain(group::pooled(&groups, &names)).collect();
    let weak_scaling = weak::reports(&groups);
    let overhead = probed.iter().map(overhead).collect();
    let schema = REPORT_SCHEMA;
    let comparison = Comparison { schema, wrong_answers, runs: names, tables, weak_scaling, overhead, notes };
    Ok((comparison, Sources { tables: sources }))
}

/// What a run's state on disk should tell a reader.
pub(crate) fn notes(run: &Run, names: &RunNames) -> Vec<String> {
    let name = names.name(&run.path);
    let mut notes = Vec::new();
    if run.context.finished_at.is_none() {
        notes.push(format!("{name}: not finished; continue it with --resume {}", run.path.display()));
    }
    if run.torn_bytes > 0 {
        notes.push(format!("{name}: an unfinished last line of {} bytes was ignored", run.torn_bytes));
    }
    if run.observations.is_empty() {
        notes.push(format!("{name}: no trials recorded"));
    }
    // Trials follow one another, and each is recorded when it ends.
    let starts = || run.observations.iter().map(|o| o.started_at);
    let back = starts().zip(starts().skip(1)).filter(|(before, after)| after < before).count();
    if back > 0 {
        let trials = if back == 1 { "1 trial began".to_owned() } else { format!("{back} trials began") };
        notes.push(format!(
            "{name}: {trials} before the one recorded ahead of it: the date was set back, or the file was rearranged. Measured times \
             do not depend on the date; that nothing else changed meanwhile does"
        ));
    }
    notes
}

type Cases<'a> = BTreeMap<measured::CaseAt<'a>, Measured<'a>>;

fn table<'a>(group: &Group<'a>, options: &Options, names: &RunNames) -> (Table, Vec<Source<'a>>) {
    let field = Field::new(group);
    // Hurt engines have their own sheet; their times are in no median, noise floor or total of the others.
    let (hurt, measured): (Cases<'_>, Cases<'_>) =
        measured::measure(&field).into_iter().partition(|(at, _)| field.is_hurt(at.contestant));
    let floors = floors::Floors::new(&measured);
    let baseline = baseline(&field, options);
    let present: BTreeSet<Family> = measured.keys().chain(hurt.keys()).map(|k| k.family).collect();
    let families = present.into_iter().map(|family| {
        let of_family = measured::by_workload(&measured, family);
        let of_hurt = measured::by_workload(&hurt, family);
        let totals = totals::totals(&field, &of_family, &floors, baseline, group.limit_ns());
        let standing = standing::standing(&field, &of_family, &floors, baseline, totals);
        let (decomposition, anchors) = decomposition::reports(&field, &of_family, &floors, family);
        FamilyReport {
            family,
            workloads: workloads::reports(&field, &of_family, &floors, family, baseline),
            best: standing.best,
            winner: standing.winner.filter(|who| totals::completed_what_rivals_did(&field, &of_family, who)),
            totals: standing.totals,
            cost: cost::report(&field, &of_family, &floors, family),
            decomposition,
            anchors,
            kernel_anchors: decomposition::kernel_anchors(&field, &of_family, &floors, family),
            spans: spans::breakdowns(&field, &of_family),
            blocking: blocking::reports(&field, group, family),
            scaling: scaling::series(&field, &of_family, &floors),
            ablations: ablation::reports(&field, &of_family, &floors, family),
            faults: faults::reports(&field, &of_hurt, &of_family, &floors, family),
        }
    });
    let label = |i: usize| field.label(i).to_owned();
    let families = families.collect();
    let sources = sources::of(&field);
    let table = Table {
        suite: group.suite.clone(),
        protocol: group.protocol,
        scale: group.scale,
        machine: group.machine.clone(),
        machine_summary: group.machine_summary(),
        runs: group.runs.iter().map(|r| names.name(&r.path)).collect(),
        started_at: group.started_at(),
        builds: group.builds(),
        trials_requested: group.runs.iter().map(|r| r.context.trials).collect::<BTreeSet<_>>().into_iter().collect(),
        datasets: group.datasets(),
        derived_from_tpch: group.derived_from_tpch(),
        emulated: group.runs.iter().find_map(|r| r.context.cluster.emulated.clone()),
        baseline: baseline.map(label),
        resamples: measured.values().chain(hurt.values()).map(|m| m.draw.resamples).next().unwrap_or(RESAMPLES),
        noise: floors.table.clone(),
        contamination: contamination::count(&field),
        answers: answers::checks(&field),
        families,
        incidents: incidents(&field, names),
        warnings: group.warnings(),
        shared_variant: (!field.shared.is_empty()).then(|| field.shared.iter().copied().collect::<Vec<_>>().join(",")),
        contestants: field.contestants,
    };
    (table, sources)
}

fn baseline(field: &Field<'_>, options: &Options) -> Option<usize> {
    let find = |name: &str| {
        let labelled = field.whole().find(|i| field.label(*i) == name);
        labelled.or_else(|| field.compared().find(|(_, c)| c.engine == name).map(|(i, _)| i))
    };
    match &options.baseline {
        Some(name) => find(name),
        None => find("datafusion").or_else(|| field.compared().map(|(i, _)| i).next()),
    }
}

/// Trials that did not complete, one line per case and outcome, wrong answers first. A wrong answer counts even in a
/// trial that was excluded: no neighbor on the machine makes an answer wrong.
fn incidents(field: &Field<'_>, names: &RunNames) -> Vec<Incident> {
    let mut found: BTreeMap<(Outcome, Family, &str, usize, Arm), Incident> = BTreeMap::new();
    for trial in &field.trials {
        let o = trial.observation;
        if o.outcome == Outcome::Completed || (trial.excluded && o.outcome != Outcome::WrongAnswer) {
            continue;
        }
        let key = (o.outcome, o.case.family, o.case.workload.as_str(), trial.contestant, o.arm);
        let incident = found.entry(key).or_insert_with(|| Incident {
            run: names.name(&trial.run.path),
            family: o.case.family,
            workload: o.case.workload.clone(),
            contestant: field.label(trial.contestant).to_owned(),
            arm: o.arm,
            outcome: o.outcome,
            reason: answers::reason(o),
            trials: 0,
            checked: o.is_checked(),
        });
        incident.trials += 1;
    }
    found.into_values().collect()
}
