//! Leases: a request waits until its arguments are here, then until its resources are free, then it runs.
//!
//! A busy node may name a better one instead, once for each request. Requests that ask for the same are served in order;
//! among those that ask for different things the oldest that fits goes first.

use super::bundles::User;
use super::store::Key;
use super::{Out, Raylet};
use crate::keyed::Map;
use crate::message::{GroupId, Lease, Note, Outcome, Part, RunId, Shared};
use crate::resources::{CPU, Demand, Pool};
use bench_model::{
    Action, Addr, Assignment, Attempt, BlockId, BlockMeta, BlockRef, Storage, TaskFailure, TaskId, TaskOptions,
    TaskReport,
};
use std::collections::VecDeque;

/// A request, numbered in order of arrival.
struct Request {
    from: Addr,
    run: RunId,
    part: Part,
    attempt: u32,
    args: Shared<Vec<Vec<BlockRef>>>,
    /// It runs in a bundle for its fragment, if there is one.
    reserved: bool,
    /// It only wants its arguments here, and to stay (an actor's checkpoint).
    keeps: bool,
}

/// An attempt on a slot.
struct Running {
    task: TaskId,
    attempt: Attempt,
    /// What it is for; nothing if nobody waits for it any more.
    request: Option<u64>,
    demand: Demand,
    /// The group whose bundle it holds.
    group: Option<GroupId>,
}

/// Requests with their arguments here that ask for the same.
#[derive(Default)]
struct Class {
    demand: Demand,
    reserved: Option<User>,
    ready: VecDeque<u64>,
}

/// All requests of a node.
#[derive(Default)]
pub(super) struct Leases {
    last: u64,
    requests: Map<u64, Request>,
    classes: Vec<Class>,
    running: Vec<Running>,
}

impl Leases {
    pub(super) fn len(&self) -> u32 {
        self.requests.len() as u32
    }

    /// Forgets all requests. Attempts under way are told to stop and keep what they hold.
    pub(super) fn clear(&mut self, pool: &mut Pool, out: &mut Out) {
        self.requests.clear();
        self.classes.clear();
        for running in &mut self.running {
            running.group = None;
            pool.take(&running.demand);
            if running.request.take().is_some() {
                out.push(Action::Cancel { task: running.task, attempt: running.attempt });
            }
        }
    }

    fn add(&mut self, request: Request) -> u64 {
        self.last += 1;
        self.requests.insert(self.last, request);
        self.last
    }
}

impl Raylet {
    /// An owner asks that a task run here.
    pub(super) fn lease(&mut self, from: Addr, lease: &Lease, out: &mut Out) {
        let (run, part, attempt) = (lease.run, lease.part, lease.attempt);
        if self.task_id(run, part).is_none() {
            return;
        }
        if let Some(to) = self.better_node(lease) {
            self.links.send(from, Note::Spillback(run, part, attempt, to));
            return;
        }
        if self.settings.pipelining
            && let Some(actor) = self.options(run, part).and_then(|options| options.actor)
        {
            if let Some(lease) = self.call_came(from, actor, lease) {
                self.admit(from, &lease, out);
            }
            return;
        }
        self.admit(from, lease, out);
    }

    /// A request takes its turn: its arguments are fetched, then it waits for its resources.
    pub(super) fn admit(&mut self, from: Addr, lease: &Lease, out: &mut Out) {
        let (run, part, attempt) = (lease.run, lease.part, lease.attempt);
        let (args, reserved) = (lease.args.clone(), lease.reserved);
        let id = self.leases.add(Request { from, run, part, attempt, args, reserved, keeps: false });
        // The resources of a bundle are set aside already. If its tasks waited for memory, they could wait for requests
        // that wait for those very resources.
        self.store.pull(id, &lease.args, !reserved, out);
    }

    /// An owner asks that copies of an actor's state be kept here.
    pub(super) fn keep(
        &mut self,
        from: Addr,
        about: (RunId, Part, u32),
        args: &Shared<Vec<Vec<BlockRef>>>,
        out: &mut Out,
    ) {
        let (run, part, attempt) = about;
        if self.runs.contains_key(&run) {
            let id =
                self.leases.add(Request { from, run, part, attempt, args: args.clone(), reserved: false, keeps: true });
            self.store.pull(id, args, false, out);
        }
    }

    fn better_node(&self, lease: &Lease) -> Option<bench_model::NodeId> {
        if lease.spilled || lease.reserved || !self.settings.spillback || self.view.len() < 2 {
            return None;
        }
        let cpu = Demand::of(self.options(lease.run, lease.part)?).cpu;
        let may = |slots: u32| cpu <= u64::from(slots.max(1)) * CPU;
        self.view.better_than(self.node, self.leases.len(), self.settings.spread_threshold, |p| may(p.member.slots))
    }

    pub(super) fn options(&self, run: RunId, part: Part) -> Option<&TaskOptions> {
        self.runs.get(&run)?.graph.fragments.get(part.fragment as usize).map(|f| &f.options)
    }

    /// Moves requests on: those whose arguments came or are lost, then those whose resources are free.
    pub(super) fn progress(&mut self, out: &mut Out) {
        loop {
            while let Some((id, block)) = self.store.failed.pop() {
                if let Some(request) = self.leases.requests.remove(&id) {
                    let at = block.node;
                    self.answer(&request, Outcome::Lost { block, at });
                    self.store.finished(id, false, out);
                    self.request_ended(&request, None, out);
                }
            }
            while let Some(id) = self.store.ready.pop_front() {
                self.arguments_here(id, out);
            }
            self.fill_bundles();
            self.dispatch(out);
            if self.store.failed.is_empty() && self.store.ready.is_empty() {
                return;
            }
        }
    }

    fn answer(&mut self, request: &Request, outcome: Outcome) {
        let (run, part, attempt) = (request.run, request.part, request.attempt);
        let note = match outcome {
            _ if request.keeps => Note::Kept(run, part, attempt, matches!(outcome, Outcome::Ran(_))),
            outcome => Note::Done(run, part, attempt, outcome),
        };
        self.links.send(request.from, note);
    }

    fn arguments_here(&mut self, id: u64, out: &mut Out) {
        let Some(request) = self.leases.requests.get(&id) else { return };
        if request.keeps {
            if let Some(request) = self.leases.requests.remove(&id) {
                self.answer(&request, Outcome::Ran(Vec::new()));
                self.store.kept(id, out);
            }
            return;
        }
        let reserved = request.reserved.then_some((request.run, request.part.fragment));
        let plain = self.options(request.run, request.part).is_none_or(|o| o.resources.is_empty());
        let demand = if plain { Demand::default() } else { self.demand_of(id) };
        let class = self.leases.classes.iter_mut().find(|c| c.reserved == reserved && c.demand == demand);
        match class {
            Some(class) => class.ready.push_back(id),
            None => self.leases.classes.push(Class { demand, reserved, ready: VecDeque::from([id]) }),
        }
    }

    fn demand_of(&self, id: u64) -> Demand {
        let request = self.leases.requests.get(&id);
        request.and_then(|r| self.options(r.run, r.part)).map(Demand::of).unwrap_or_default()
    }

    /// Starts what can be started, the oldest first.
    fn dispatch(&mut self, out: &mut Out) {
        loop {
            let mut best: Option<(u64, usize)> = None;
            for (number, class) in self.leases.classes.iter_mut().enumerate() {
                // Requests of runs that are over are gone.
                while class.ready.front().is_some_and(|id| !self.leases.requests.contains_key(id)) {
                    class.ready.pop_front();
                }
                let Some(id) = class.ready.front().copied().filter(|id| best.is_none_or(|(b, _)| *id < b)) else {
                    continue;
                };
                let fits = match class.reserved.filter(|user| self.bundles.are_for(*user)) {
                    Some(user) => self.bundles.free(user).is_some(),
                    // Its bundles were given back meanwhile: it is a request like any other.
                    None => self.pool.has(&class.demand),
                };
                if fits {
                    best = Some((id, number));
                }
            }
            let Some((id, number)) = best else { break };
            let Some(class) = self.leases.classes.get_mut(number) else { break };
            class.ready.pop_front();
            let group = class.reserved.and_then(|user| self.bundles.free(user));
            match group {
                Some(group) => self.bundles.take(group),
                None => {
                    self.pool.take(&class.demand);
                }
            }
            let demand = class.demand.clone();
            self.start(id, demand, group, out);
        }
        if self.leases.classes.len() > 8 {
            self.leases.classes.retain(|c| !c.ready.is_empty());
        }
    }

    fn start(&mut self, id: u64, demand: Demand, group: Option<GroupId>, out: &mut Out) {
        let Some(request) = self.leases.requests.get(&id) else { return };
        let Some(task) = self.task_id(request.run, request.part) else { return };
        let program = self.runs.get(&request.run);
        let Some(fragment) = program.and_then(|p| p.graph.fragments.get(request.part.fragment as usize)) else {
            return;
        };
        let attempt = Attempt(request.attempt);
        let mut inputs: Vec<Vec<BlockRef>> = request.args.to_vec();
        for block in inputs.iter_mut().flatten() {
            if block.node != self.node && self.store.holds((block.id, block.attempt)) {
                block.node = self.node;
            }
        }
        out.push(Action::Run(Assignment {
            task,
            attempt,
            call: fragment.call.clone(),
            inputs,
            outputs: fragment.outputs,
            exchange: fragment.exchange,
            storage: Storage::Shared,
        }));
        self.leases.running.push(Running { task, attempt, request: Some(id), demand, group });
    }

    /// An attempt ended: its resources are free, its owner hears of it, and if nobody waits for it, it leaves nothing.
    pub(super) fn ran(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        result: Result<TaskReport, TaskFailure>,
        out: &mut Out,
    ) {
        let place = self.leases.running.iter().position(|r| r.task == task && r.attempt == attempt);
        let Some(running) = place.map(|at| self.leases.running.swap_remove(at)) else { return };
        // A bundle of a group that is gone falls to the node.
        if !running.group.is_some_and(|group| self.bundles.give(group)) {
            self.pool.give(&running.demand);
        }
        let request = running.request.and_then(|id| self.leases.requests.remove(&id).map(|request| (id, request)));
        match (request, result) {
            (Some((id, request)), result) => {
                let ok = result.is_ok();
                let outcome = self.outcome(&request, (task, attempt), result, out);
                self.store.finished(id, ok, out);
                let left = self.left_for_next(&request, &outcome);
                self.answer(&request, outcome);
                self.request_ended(&request, left, out);
            }
            (None, Ok(report)) => {
                for output in 0..report.blocks.len() as u32 {
                    out.push(Action::Release { block: BlockId { task, output }, attempt });
                }
            }
            (None, Err(_)) => {}
        }
    }

    /// What an actor's call has left for the next one; nothing if it ended badly or is no call.
    fn left_for_next(&self, request: &Request, outcome: &Outcome) -> Option<Vec<BlockMeta>> {
        let Outcome::Ran(metas) = outcome else { return None };
        let is_call = self.settings.pipelining && self.options(request.run, request.part)?.actor.is_some();
        is_call.then(|| metas.clone())
    }

    fn request_ended(&mut self, request: &Request, left: Option<Vec<BlockMeta>>, out: &mut Out) {
        if self.settings.pipelining && !request.keeps {
            self.call_ended((request.run, request.part, request.attempt), left, out);
        }
    }

    fn outcome(
        &mut self,
        request: &Request,
        (task, attempt): (TaskId, Attempt),
        result: Result<TaskReport, TaskFailure>,
        out: &mut Out,
    ) -> Outcome {
        match result {
            Ok(report) => {
                for (meta, output) in report.blocks.iter().zip(0..) {
                    self.store.produced((BlockId { task, output }, attempt), meta.bytes.get(), out);
                }
                Outcome::Ran(report.blocks)
            }
            Err(TaskFailure::MissingBlock(lost) | TaskFailure::CorruptBlock(lost)) => {
                let Some(block) = request.args.iter().flatten().find(|b| b.id == lost).copied() else {
                    return Outcome::Failed(TaskFailure::Transient(format!(
                        "it missed block {lost}, which it does not read"
                    )));
                };
                let key: Key = (block.id, block.attempt);
                let copied = block.node != self.node && self.store.holds(key);
                if copied {
                    self.store.release(key, out);
                }
                Outcome::Lost { block, at: if copied { self.node } else { block.node } }
            }
            Err(failure) => Outcome::Failed(failure),
        }
    }

    /// Forgets the requests of a run. Attempts under way are told to stop.
    pub(super) fn drop_leases(&mut self, run: RunId, out: &mut Out) {
        self.mailboxes.drop_run(run);
        let over = self.leases.requests.extract_if(|_, r| r.run == run);
        let mut over: Vec<u64> = over.map(|(id, _)| id).collect();
        over.sort_unstable();
        for id in over {
            self.store.finished(id, false, out);
            if let Some(running) = self.leases.running.iter_mut().find(|r| r.request == Some(id)) {
                running.request = None;
                out.push(Action::Cancel { task: running.task, attempt: running.attempt });
            }
        }
    }

    pub(super) fn check_leases(&self) -> Result<(), String> {
        self.check_mailboxes(|run, part, attempt| {
            let requests = &mut self.leases.requests.values();
            requests.any(|r| !r.keeps && (r.run, r.part, r.attempt) == (run, part, attempt))
        })?;
        let held = self.leases.running.iter().filter(|r| r.group.is_none()).count() as u32;
        let grouped = self.leases.running.len() as u32 - held;
        let busy = held + grouped;
        if busy + self.bundles.idle() + self.pool.slots != self.capacity.slots {
            return Err(format!(
                "{busy} attempts run and {} slots of {} are free",
                self.pool.slots, self.capacity.slots
            ));
        }
        for running in &self.leases.running {
            if running.request.is_some_and(|id| !self.leases.requests.contains_key(&id)) {
                return Err(format!("{} runs for a request that is gone", running.task));
            }
        }
        if self.pool == self.capacity && self.leases.classes.iter().any(|c| c.reserved.is_none() && !c.ready.is_empty())
        {
            let ready = self.leases.classes.iter().flat_map(|c| &c.ready);
            if ready.into_iter().any(|id| self.leases.requests.contains_key(id)) {
                return Err("everything is free and requests wait".to_owned());
            }
        }
        Ok(())
    }
}
