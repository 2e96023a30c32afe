//! The loop: workload by workload, round by round, one trial at a time, each recorded before the next begins.
//!
//! Long because: what happens to a trial from its turn to its record is one story.

use super::event::{RunEvent, RunSummary};
use super::order::round;
use super::plan::{Plan, PlanError};
use super::reference::Reference;
use super::room::{self, Need};
use super::seat::Seat;
use super::sink::Sink;
use super::standing::Standings;
use crate::live::{EngineProvider, Failure, Keep, Measured};
use crate::machine::{free_bytes, memory_available_bytes, memory_total_bytes};
use bench_model::{Bytes, Workload};
use bench_record::{Arm, Case, CaseKey, Observation, Outcome, RecordError, Timestamp};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Below this much free disk under the results no trial begins: its record might not fit.
const DISK_FLOOR_BYTES: u64 = 32 << 20;
/// Below this much available memory a warning is given: engines are about to be killed for what others hold.
const MEMORY_FLOOR_BYTES: u64 = 256 << 20;

/// Said of a trial whose engine cannot wait for its turn.
const STARTED_ANEW: &str =
    "its process was started and warmed for this trial: only one of it can run at a time, and this run has several";

/// Said of a trial whose engine held memory that others needed.
const MADE_ROOM: &str =
    "its process was ended so that others had its memory in their turns, and started and warmed for this trial";

/// Said of a trial whose engine was found incomplete.
const LOST_WAITING: &str = "a process of it ended while it waited for its turn, as the kernel ends the largest for want of memory: it was started and \
                            warmed for this trial";

/// What went wrong with the harness. Engines that fail are recorded, never an error.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The plan cannot be carried out.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A trial could not be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The disk is about to be full.
    #[error("only {free_bytes} bytes are free under {path}; free some space, then continue with --resume {path}")]
    DiskLow {
        /// The run's folder.
        path: PathBuf,
        /// What is free.
        free_bytes: u64,
    },
    /// A machine that nodes run on is gone.
    #[error("{0}; the trial that was to be next or in flight is not recorded")]
    MachineLost(String),
    /// The harness's own work around a trial failed.
    #[error("workload {workload}, engine {engine}: {message}")]
    Harness {
        /// Which workload.
        workload: String,
        /// Which engine.
        engine: String,
        /// What failed.
        message: String,
    },
}

/// Carries out what `recorded` leaves of the plan. Raising `stop` kills the trial in flight and returns; that trial is
/// not recorded. Call it from a thread that lives until it returns: engine processes die with their spawner.
///
/// # Errors
/// Only what is wrong with plan or harness. What is recorded up to then stays valid and can be resumed.
pub fn run(
    plan: &Plan,
    provider: &dyn EngineProvider,
    recorded: &[Observation],
    sink: &mut dyn Sink,
    stop: &AtomicBool,
    report: &mut dyn FnMut(RunEvent<'_>),
) -> Result<RunSummary, RunError> {
    plan.validate()?;
    let standings = Standings::of(recorded, !plan.faults.is_empty());
    let seats = plan.participants().into_iter().filter_map(|p| Seat::new(plan, p)).collect();
    let mut runner = Runner {
        plan,
        provider,
        recorded,
        sink,
        stop,
        report,
        standings,
        seats,
        summary: RunSummary::default(),
        trials_done: 0,
        traced: HashSet::new(),
        warned_of_memory: false,
        // A resumed run goes on as the interrupted one would have.
        makes_room: recorded.iter().any(|o| o.case.scale == plan.scale && o.notes.iter().any(|note| note == MADE_ROOM)),
        warned_of_room: false,
    };
    runner.trials_done = runner.count_done();
    (runner.report)(RunEvent::Planned {
        cases: plan.cases().len() as u64,
        trials_total: plan.trials_total(),
        trials_done: runner.trials_done,
    });
    for workload in &plan.workloads {
        if !runner.measure(workload)? {
            runner.summary.interrupted = true;
            break;
        }
    }
    for seat in &mut runner.seats {
        seat.leave();
    }
    Ok(runner.summary)
}

struct Runner<'a, 'r> {
    plan: &'a Plan,
    provider: &'a dyn EngineProvider,
    recorded: &'a [Observation],
    sink: &'a mut dyn Sink,
    stop: &'a AtomicBool,
    report: &'r mut dyn FnMut(RunEvent<'_>),
    standings: Standings,
    seats: Vec<Seat<'a>>,
    summary: RunSummary,
    trials_done: u64,
    /// Cases that were run once more to be traced.
    traced: HashSet<CaseKey>,
    warned_of_memory: bool,
    /// Whether an engine was ended for somebody else's sake.
    makes_room: bool,
    warned_of_room: bool,
}

impl Runner<'_, '_> {
    /// Every trial of one workload; false if interrupted.
    fn measure(&mut self, workload: &Workload) -> Result<bool, RunError> {
        let cases: Vec<Case> = self.seats.iter().map(|seat| self.plan.case(workload, seat.engine)).collect();
        let finished = |(seat, case): (&Seat<'_>, &Case)| {
            !self.plan.takes_part(seat.participant, workload)
                || self.standings.get(&case.key(), seat.arm).is_finished(self.plan)
        };
        if self.seats.iter().zip(&cases).all(finished) {
            return Ok(true);
        }
        let Some(mut reference) = self.find_reference(workload)? else { return Ok(false) };
        for trial in 0..self.plan.trials {
            for at in round(self.plan.seed, &workload.name, trial, cases.len()) {
                let Some(case) = cases.get(at) else { continue };
                if !self.settle(at, case, workload, trial, &mut reference)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The workload's reference; `None` if interrupted while asking.
    fn find_reference(&mut self, workload: &Workload) -> Result<Option<Reference>, RunError> {
        if workload.check.expected.is_none() && self.plan.oracle.is_some() {
            self.make_room(None, Need::default());
        }
        let found = Reference::find(self.plan, workload, self.provider, self.stop, self.report);
        let mut reference = match found {
            Ok(reference) => reference,
            Err(Failure::Interrupted) => return Ok(None),
            Err(failure) => return Err(harness_error(workload, "oracle", &failure)),
        };
        if !reference.is_known() {
            // A resumed run is held to the answer that the interrupted one was held to.
            let of_workload = |o: &&Observation| {
                let same = o.case.workload == workload.name && o.case.scale == self.plan.scale;
                same && o.outcome == Outcome::Completed
            };
            let first =
                self.recorded.iter().filter(of_workload).find_map(|o| Some((o.digest.clone()?, &o.case.engine)));
            if let Some((digest, engine)) = first {
                reference.adopt(digest, engine);
            }
        }
        Ok(Some(reference))
    }

    /// Attempts one planned trial until it is done; false if interrupted.
    fn settle(
        &mut self,
        at: usize,
        case: &Case,
        workload: &Workload,
        trial: u32,
        reference: &mut Reference,
    ) -> Result<bool, RunError> {
        let key = case.key();
        let Some(seat) = self.seats.get(at) else { return Ok(true) };
        if !self.plan.takes_part(seat.participant, workload) {
            return Ok(true);
        }
        let arm = seat.arm;
        loop {
            let standing = self.standings.get(&key, arm);
            if standing.is_done(trial, self.plan) {
                return Ok(true);
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            self.guard()?;
            let (number, repeat) = standing.next_attempt(trial, self.plan);
            let Some(mut observation) = self.attempt(at, case, workload, number, reference)? else {
                return Ok(false);
            };
            observation.repeat = repeat;
            // What a trial came to on machines that are not there any more says nothing about its engine.
            self.provider.check().map_err(RunError::MachineLost)?;
            self.record(case, &observation)?;
            if observation.outcome == Outcome::Completed && !self.trace(at, case, workload, reference)? {
                return Ok(false);
            }
        }
    }

    /// Runs a case that has completed once more, untimed, to keep what its tasks do: the first time it is asked of a case
    /// whose slots account for their time. A run that is hurt on purpose tells nothing of the schedule. False if
    /// interrupted.
    fn trace(&mut self, at: usize, case: &Case, workload: &Workload, reference: &Reference) -> Result<bool, RunError> {
        let Some(seat) = self.seats.get(at) else { return Ok(true) };
        if seat.arm != Arm::Main || !seat.engine.spans || !seat.leaves_traces() || !self.plan.faults.is_empty() {
            return Ok(true);
        }
        let folder = self.sink.traces_folder()?;
        let path = folder.map(|folder| folder.join(format!("{}.json", case.key()))).filter(|path| !path.exists());
        let Some(path) = path.filter(|_| self.traced.insert(case.key())) else { return Ok(true) };
        (self.report)(RunEvent::Tracing { case });
        self.make_way(at, workload);
        let prepared = self.prepare(at, case, workload);
        let Some(seat) = self.seats.get_mut(at) else { return Ok(true) };
        let check = reference.check(&workload.check);
        let traced = prepared.and_then(|()| {
            seat.run_traced(self.plan, workload, self.stop)?;
            seat.live()?.digest(&check, Keep { result: None, trace: Some(&path) }, self.stop)
        });
        seat.wait_for_turn(self.plan);
        match traced {
            Ok(_) => {}
            Err(Failure::Interrupted) => return Ok(false),
            Err(failure) => (self.report)(RunEvent::Warning(format!(
                "{} on {}: what its tasks do is not known, because the run that should tell failed: {failure}",
                case.workload, case.engine
            ))),
        }
        Ok(!self.stop.load(Ordering::Relaxed))
    }

    /// Ends whatever cannot be there beside a seat's engine. What is to be said of a trial whose engine is started for it because of that.
    fn make_way(&mut self, at: usize, workload: &Workload) -> Option<&'static str> {
        self.seats.get(at)?.may_run(workload).ok()?;
        let alone = self.be_the_only_one(at);
        let need = self.seats.get(at).map(|seat| seat.need(workload)).unwrap_or_default();
        self.make_room(Some(at), need);
        let made_room = self.seats.get_mut(at).is_some_and(Seat::has_made_room);
        alone.or_else(|| made_room.then_some(MADE_ROOM))
    }

    /// Ends engines that wait while there is less memory left than whoever is next may need: a seat's engine, or an oracle. Whether it
    /// ended any.
    fn make_room(&mut self, at: Option<usize>, need: Need) -> bool {
        let mut has_ended = false;
        let Some(wanted) = memory_total_bytes().map(|memory| need.wanted(memory)) else { return has_ended };
        while let Some(available) = memory_available_bytes() {
            let others = self.seats.iter().enumerate().filter(|(seat, _)| Some(*seat) != at);
            let waiting = others.filter_map(|(number, seat)| seat.waiting(number));
            let Some(seat) = room::next_to_leave(waiting, available, wanted).and_then(|n| self.seats.get_mut(n)) else {
                return has_ended;
            };
            seat.make_room();
            (has_ended, self.makes_room) = (true, true);
            if !std::mem::replace(&mut self.warned_of_room, true) {
                (self.report)(RunEvent::Warning(
                    "engines that wait hold more memory than this machine has room for: some are ended, and started and warmed anew for \
                     their next turn; their trials say so. --memory or fewer --engines leave more room"
                        .to_owned(),
                ));
            }
        }
        has_ended
    }

    /// Ends another one of a seat's engine, if only one can be started at a time.
    fn be_the_only_one(&mut self, at: usize) -> Option<&'static str> {
        let name = self.seats.get(at).map(|seat| seat.engine.name.as_str())?;
        let is_of_it = |seat: &Seat<'_>| seat.engine.name == name;
        if !self.plan.one_at_a_time.contains(name) || self.seats.iter().filter(|s| is_of_it(s)).count() < 2 {
            return None;
        }
        let others = self.seats.iter_mut().enumerate().filter(|(seat, s)| *seat != at && is_of_it(s));
        others.for_each(|(_, seat)| seat.leave());
        self.seats.get(at).filter(|seat| !seat.is_started()).map(|_| STARTED_ANEW)
    }

    /// Makes a seat ready for a run of a case.
    fn prepare(&mut self, at: usize, case: &Case, workload: &Workload) -> Result<(), Failure> {
        let Some(seat) = self.seats.get_mut(at) else { return Ok(()) };
        let (arm, report) = (seat.arm, &mut *self.report);
        // Whoever was ended for want of room is warmed right before its next timed run; so is everybody else then.
        let refresh = self.plan.refresh || self.makes_room;
        let mut warming = || report(RunEvent::WarmingUp { case, arm });
        seat.prepare(self.plan, workload, self.provider, refresh, self.stop, &mut warming)
    }

    /// Prepares, times, checks: one observation, or `None` if interrupted.
    fn attempt(
        &mut self,
        at: usize,
        case: &Case,
        workload: &Workload,
        number: u32,
        reference: &mut Reference,
    ) -> Result<Option<Observation>, RunError> {
        let Some(arm) = self.seats.get(at).map(|seat| seat.arm) else { return Ok(None) };
        let result = keep_path(self.plan, &*self.sink, case, arm)?;
        let anew = self.make_way(at, workload);
        let was_new = self.seats.get(at).is_some_and(|seat| seat.peak_of(workload).is_none());
        let mut prepared = self.prepare(at, case, workload);
        // What it needs is known since its untimed run, and may be more than anybody left for it. Ending somebody takes its time, so
        // that there is another untimed run after it.
        if prepared.is_ok()
            && was_new
            && let Some(need) = self.seats.get(at).and_then(|seat| seat.need_when_ready(workload))
            && self.make_room(Some(at), need)
        {
            prepared = self.prepare(at, case, workload);
        }
        let others_rss_bytes = self.others_rss_bytes(at);
        let Some(seat) = self.seats.get_mut(at) else { return Ok(None) };
        (self.report)(RunEvent::TrialStarted { case, arm, trial: number });
        let started_at = Timestamp::now();
        let measured = prepared.and_then(|()| seat.run(self.plan, workload, number, self.stop));
        let mut observation = Observation::new(case.clone(), arm, number, Outcome::Failed, started_at);
        observation.others_rss_bytes = others_rss_bytes;
        observation.notes.extend(anew.map(str::to_owned));
        observation.notes.extend(seat.has_lost().then(|| LOST_WAITING.to_owned()));
        let result = measured.and_then(|measured| {
            fill(&mut observation, &measured);
            let check = reference.check(&workload.check);
            let keep = Keep { result: result.as_deref(), trace: None };
            let digested = seat.live()?.digest(&check, keep, self.stop)?;
            observation.check_ns = Some(digested.check_ns);
            observation.notes.extend(digested.doubt);
            // Of an engine that tells only when its run is over.
            observation.spans = digested.spans.or(observation.spans.take());
            observation.notes.extend(digested.notes);
            Ok((measured.wall_ns, digested.digest))
        });
        match result {
            Ok((wall_ns, digest)) => conclude(&mut observation, wall_ns, digest, workload, reference),
            Err(Failure::Interrupted) => return Ok(None),
            Err(failure) => match failure.outcome() {
                None => return Err(harness_error(workload, &case.engine, &failure)),
                Some(outcome) => {
                    observation.outcome = outcome;
                    observation.reason = Some(failure.to_string());
                    observation.not_ready = matches!(failure, Failure::NotReady(_));
                    // Of a run that gave no answer: one that did has filled its own in.
                    observation.faults.extend(seat.struck());
                    seat.cool(workload);
                }
            },
        }
        seat.wait_for_turn(self.plan);
        observation.shorten();
        // Raised between two requests, where no failure tells of it.
        Ok((!self.stop.load(Ordering::Relaxed)).then_some(observation))
    }

    /// Memory that the other engines of the run hold while they wait for their turn; absent if none of them is started.
    fn others_rss_bytes(&self, at: usize) -> Option<u64> {
        let others = self.seats.iter().enumerate().filter(|(seat, _)| *seat != at);
        others.filter_map(|(_, seat)| seat.held()).map(Bytes::get).reduce(u64::saturating_add)
    }

    fn record(&mut self, case: &Case, observation: &Observation) -> Result<(), RunError> {
        let before = self.standings.get(&observation.key, observation.arm);
        self.sink.record(observation)?;
        self.standings.note(observation);
        let after = self.standings.get(&observation.key, observation.arm);
        self.summary.recorded += 1;
        self.summary.contaminated += u64::from(observation.contaminated);
        match observation.outcome {
            Outcome::Completed => self.summary.completed += 1,
            Outcome::WrongAnswer => self.summary.wrong_answers += 1,
            Outcome::Failed | Outcome::TimedOut | Outcome::Unsupported => self.summary.failed += 1,
        }
        let newly_done = after.done(self.plan).saturating_sub(before.done(self.plan));
        self.trials_done += u64::from(newly_done);
        (self.report)(RunEvent::TrialEnded { observation, trials_done: self.trials_done });
        if after.is_over() && !before.is_over() && newly_done > 1 {
            (self.report)(RunEvent::GivenUp { case, arm: observation.arm, skipped: newly_done - 1 });
        }
        Ok(())
    }

    /// What must hold before a trial begins.
    fn guard(&mut self) -> Result<(), RunError> {
        self.provider.check().map_err(RunError::MachineLost)?;
        if let Some(path) = self.sink.folder() {
            let free = free_bytes(path).ok().filter(|free| *free < DISK_FLOOR_BYTES);
            if let Some(free_bytes) = free {
                return Err(RunError::DiskLow { path: path.to_owned(), free_bytes });
            }
        }
        let low = memory_available_bytes().is_some_and(|available| available < MEMORY_FLOOR_BYTES);
        if low && !self.warned_of_memory {
            self.warned_of_memory = true;
            (self.report)(RunEvent::Warning(
                "less than 256 MiB of memory are available: engines may be killed; close other programs, or give each \
                 engine a limit with --memory"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    fn count_done(&self) -> u64 {
        let plan = self.plan;
        let of_workload = |w: &Workload| -> u64 {
            self.seats
                .iter()
                .filter(|s| plan.takes_part(s.participant, w))
                .map(|s| u64::from(self.standings.get(&plan.case(w, s.engine).key(), s.arm).done(plan)))
                .sum()
        };
        plan.workloads.iter().map(of_workload).sum()
    }
}

/// Where the answer of this trial is kept: the first one of each case is, and above all if it is wrong.
fn keep_path(plan: &Plan, sink: &dyn Sink, case: &Case, arm: Arm) -> Result<Option<PathBuf>, RunError> {
    if !plan.keep_results || arm != Arm::Main {
        return Ok(None);
    }
    let path = sink.results_folder()?.map(|folder| folder.join(format!("{}.parquet", case.key())));
    Ok(path.filter(|path| !path.exists()))
}

fn harness_error(workload: &Workload, engine: &str, failure: &Failure) -> RunError {
    RunError::Harness { workload: workload.name.clone(), engine: engine.to_owned(), message: failure.to_string() }
}

/// What was measured, whatever the answer turns out to be worth. The time is set only once the answer is known right.
fn fill(observation: &mut Observation, measured: &Measured) {
    observation.rows_out = Some(measured.rows);
    let usage = measured.usage.unwrap_or_default();
    observation.cpu_ns = usage.cpu_ns;
    observation.rss_bytes_peak = usage.rss_bytes_peak;
    observation.rss_bytes_bound = usage.rss_bytes_bound;
    observation.read_bytes = usage.read_bytes;
    observation.write_bytes = usage.write_bytes;
    observation.pressure = usage.pressure;
    observation.network = usage.network;
    observation.spilled_bytes = measured.spilled_bytes;
    observation.spans.clone_from(&measured.spans);
    observation.notes.extend(measured.notes.iter().cloned());
    observation.faults.clone_from(&measured.faults);
    observation.contaminated = measured.contamination.as_ref().is_some_and(|c| !c.reasons.is_empty());
    observation.contamination.clone_from(&measured.contamination);
}

/// Right or wrong: decides the outcome.
fn conclude(
    observation: &mut Observation,
    wall_ns: u64,
    digest: Result<bench_model::Digest, String>,
    workload: &Workload,
    reference: &mut Reference,
) {
    let judged = match digest {
        Ok(digest) => {
            let judged = reference.judge(&digest, &observation.case.engine, &workload.check);
            observation.digest = Some(digest);
            judged
        }
        Err(mismatch) => Err((mismatch, reference.oracle().unwrap_or_else(|| "the workload's check".to_owned()))),
    };
    match judged {
        Ok(oracle) => {
            observation.outcome = Outcome::Completed;
            observation.wall_ns = Some(wall_ns);
            observation.oracle = oracle;
        }
        Err((why, oracle)) => {
            observation.outcome = Outcome::WrongAnswer;
            observation.reason = Some(why);
            observation.oracle = Some(oracle);
        }
    }
}
