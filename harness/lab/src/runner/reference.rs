//! The answer that trials are held to: stored with the workload, else the oracle engine's, else the first one given.

use super::event::RunEvent;
use super::plan::Plan;
use crate::live::{EngineProvider, Failure, Keep, Limits, LiveEngine};
use crate::oracle::compare;
use bench_model::{Check, Dataset, Digest, Workload};
use bench_record::FIRST_ANSWER;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What one workload's answers are compared with.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    known: Option<(Digest, String)>,
    /// Why there is no oracle, if there is none.
    none_because: String,
}

impl Reference {
    /// Looks the answer up, or asks the oracle engine for it.
    ///
    /// # Errors
    /// Only an interruption or a failure of the harness; an oracle that fails leaves the reference unknown.
    pub(super) fn find(
        plan: &Plan,
        workload: &Workload,
        provider: &dyn EngineProvider,
        stop: &AtomicBool,
        report: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<Self, Failure> {
        if let Some(stored) = &workload.check.expected {
            return Ok(Self { known: Some(stored.clone()), none_because: String::new() });
        }
        let Some(oracle) = &plan.oracle else {
            return Ok(Self { known: None, none_because: "no oracle engine".to_owned() });
        };
        let name = &oracle.engine.name;
        report(RunEvent::AskingOracle { workload: &workload.name, engine: name });
        let dataset = workload.dataset.as_ref().and_then(|name| plan.dataset(name));
        let limits = Limits { timeout: oracle.timeout, grace: plan.grace, stop, trace: false };
        let asked = provider.start(&oracle.engine, stop).and_then(|mut engine| {
            let answer = ask(engine.as_mut(), workload, dataset, &limits);
            let version = engine.version().to_owned();
            engine.stop();
            Ok((answer?, version))
        });
        let why = match asked {
            Ok((Ok(digest), version)) => {
                return Ok(Self { known: Some((digest, format!("{name} {version}"))), none_because: String::new() });
            }
            Ok((Err(mismatch), _)) => mismatch,
            Err(failure) => match failure.outcome() {
                None => return Err(failure),
                Some(_) => failure.to_string(),
            },
        };
        report(RunEvent::Warning(format!(
            "{}: the oracle {name} has no answer ({why}); engines are compared with the first answer given, so store an \
             expected answer with the workload to know who is right",
            workload.name
        )));
        Ok(Self { known: None, none_because: format!("{name}: {why}") })
    }

    /// The check with the reference in it: columns that are approximate there are approximate everywhere.
    pub(super) fn check(&self, check: &Check) -> Check {
        Check { expected: self.known.clone().or_else(|| check.expected.clone()), ..check.clone() }
    }

    /// Judges an answer. Who says so is `None` for the first answer of a workload without oracle: nobody does.
    ///
    /// # Errors
    /// How the answer is wrong.
    pub(super) fn judge(
        &mut self,
        digest: &Digest,
        by: &str,
        check: &Check,
    ) -> Result<Option<String>, (String, String)> {
        match &self.known {
            Some((expected, oracle)) => match compare(expected, digest, check) {
                Ok(()) => Ok(Some(oracle.clone())),
                Err(mismatch) => Err((mismatch.to_string(), oracle.clone())),
            },
            None => {
                self.adopt(digest.clone(), by);
                Ok(None)
            }
        }
    }

    /// Makes the first answer the one that later answers are compared with.
    pub(super) fn adopt(&mut self, digest: Digest, by: &str) {
        self.known = Some((digest, format!("{FIRST_ANSWER}{by} ({})", self.none_because)));
    }

    pub(super) fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// Who says what the answer must be.
    pub(super) fn oracle(&self) -> Option<String> {
        self.known.as_ref().map(|(_, oracle)| oracle.clone())
    }
}

fn ask(
    engine: &mut dyn LiveEngine,
    workload: &Workload,
    dataset: Option<&Arc<Dataset>>,
    limits: &Limits<'_>,
) -> Result<Result<Digest, String>, Failure> {
    if let Some(dataset) = dataset {
        engine.load(std::slice::from_ref(dataset), limits.stop)?;
    }
    engine.run(workload, limits)?;
    Ok(engine.digest(&workload.check, Keep::default(), limits.stop)?.digest)
}
