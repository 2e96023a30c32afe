//! Whether answers are right: the relation that one wrong answer contradicts, whatever else is missing. What `bench overhead`
//! measures has no answer that anybody could check: there it is whether it was done.

use super::examine::{Member, ended};
use crate::compare::evidence::TestedCase;
use bench_record::Outcome;
use std::collections::BTreeSet;

/// From so many trials on, an outcome that they all have is the engine's and no accident.
const CONSISTENT: usize = 2;

/// What somebody is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Right answers.
    Answers,
    /// What `bench overhead` measures, and nothing that could be right or wrong.
    Done,
}

impl Asked {
    /// What is said where there is nothing else to say.
    pub(super) const fn met(self) -> &'static str {
        match self {
            Self::Answers => "every answer was right",
            Self::Done => "every trial completed",
        }
    }
}

/// What the trials of a case say to the claim that its answers are right.
#[derive(Debug, PartialEq, Eq)]
enum Answers {
    /// All are, and somebody knew.
    Right,
    /// None is, or there is none.
    Wrong,
    /// Some are, or nobody knew.
    Open(&'static str),
}

/// Adds what shows that an answer is not right, and what keeps answers from being known to be.
pub(super) fn completes(members: &[Member<'_, '_>], asks: Asked, refuted: &mut Vec<String>, gaps: &mut Vec<String>) {
    let asked: BTreeSet<&str> = members.iter().flat_map(|m| &m.cases).map(|c| c.workload).collect();
    for m in members {
        if m.cases.len() < asked.len() {
            gaps.push(format!("{} was asked {} of {}", m.name, m.cases.len(), asked.len()));
        }
        let mut open: Vec<(&str, String)> = Vec::new();
        for case in &m.cases {
            match answers(case, asks) {
                Answers::Right => {}
                Answers::Wrong => {
                    refuted.push(format!("{}, in every one of {} trials, {}", m.name, case.trials.len(), ended(case)))
                }
                Answers::Open(why) if case.completed() => open.push((why, case.workload.to_owned())),
                Answers::Open(why) => open.push((why, ended(case))),
            }
        }
        if let Some((why, first)) = open.first() {
            gaps.push(format!(
                "{}: {} of {} workloads do not tell, as {first} ({why})",
                m.name,
                open.len(),
                asked.len()
            ));
        }
    }
}

fn answers(case: &TestedCase<'_>, asks: Asked) -> Answers {
    let all = |outcome: Outcome| case.trials.len() >= CONSISTENT && case.trials.iter().all(|o| o.outcome == outcome);
    let checked = || asks == Asked::Done || case.trials.iter().all(|o| o.is_checked());
    match case.outcome {
        Outcome::Completed if case.trials.is_empty() => Answers::Open("no trial counts"),
        Outcome::Completed if checked() => Answers::Right,
        Outcome::Completed => Answers::Open("nobody who knows the answer checked it"),
        Outcome::WrongAnswer if !case.trials.iter().all(|o| o.outcome != Outcome::WrongAnswer || o.is_checked()) => {
            Answers::Open("it differs from the first answer, and nobody knows which is right")
        }
        Outcome::WrongAnswer if all(Outcome::WrongAnswer) => Answers::Wrong,
        Outcome::Failed if all(Outcome::Failed) => Answers::Wrong,
        Outcome::WrongAnswer | Outcome::Failed => Answers::Open("not every time, or not more than once"),
        Outcome::TimedOut => Answers::Open("with more time there might be an answer"),
        Outcome::Unsupported => Answers::Open("its driver, or this installation, cannot run it"),
    }
}
