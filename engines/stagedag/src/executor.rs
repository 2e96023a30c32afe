//! The machine of a node: runs what it is told on its slots, and repeats its answers until they are heard.
//!
//! Invariants: at most `slots` attempts run; a command runs at most once; nothing of an older epoch is obeyed.

use crate::message::{Msg, Outcome, Ticket};
use bench_model::{
    Action, Addr, Assignment, Attempt, Epoch, Event, NodeId, TaskFailure, TaskId, TaskReport, Violation,
};
use std::collections::VecDeque;

/// The machine of a node.
pub struct Executor {
    node: NodeId,
    slots: usize,
    epoch: Epoch,
    lanes: Vec<Lane>,
    /// Lanes whose launch waits for a slot that an attempt of an older epoch still holds.
    waiting: VecDeque<u32>,
    running: usize,
    /// Attempts that the driver has given up; they were told to stop but still run.
    zombies: Vec<(TaskId, Attempt)>,
    /// The latest launch of a repeated task: frees ordered before it are out of date.
    repeated: u64,
}

/// The last command of one slot.
struct Lane {
    seq: u64,
    task: TaskId,
    attempt: Attempt,
    state: State,
}

enum State {
    Waiting(Box<Assignment>),
    Running,
    Ended(Outcome),
}

type Out = Vec<Action<Msg>>;

impl Executor {
    /// The machine of `node`, which runs `slots` attempts at a time.
    pub(crate) fn new(node: NodeId, slots: u32) -> Self {
        Self {
            node,
            slots: slots.max(1) as usize,
            epoch: Epoch(0),
            lanes: Vec::new(),
            waiting: VecDeque::new(),
            running: 0,
            zombies: Vec::new(),
            repeated: 0,
        }
    }

    pub(crate) fn on(&mut self, event: Event<Msg>, out: &mut Out) {
        match event {
            Event::Message { msg, .. } => self.message(msg, out),
            Event::TaskRan { task, attempt, result } => self.ran(task, attempt, result, out),
            // The rest is for drivers.
            _ => {}
        }
    }

    fn message(&mut self, msg: Msg, out: &mut Out) {
        match msg {
            Msg::Launch { ticket, order, assignment } => {
                if self.is_current(ticket.epoch, out) {
                    self.launch(ticket, order, assignment, out);
                }
            }
            Msg::Cancel { ticket, task, attempt } => {
                if self.is_current(ticket.epoch, out) {
                    self.cancel(ticket, task, attempt, out);
                }
            }
            Msg::Probe { ticket, task, attempt } => {
                if self.is_current(ticket.epoch, out) {
                    self.refuse_if_unknown(ticket, task, attempt, out);
                    self.answer_again(ticket, out);
                }
            }
            Msg::FreeFragment { epoch, order, job, fragment } => {
                if self.is_current(epoch, out) && order > self.repeated {
                    out.push(Action::Free { job, fragment: Some(fragment) });
                }
            }
            Msg::FreeJob { epoch, job } => {
                if self.is_current(epoch, out) {
                    out.push(Action::Free { job, fragment: None });
                    // A zombie may still write blocks. The driver will ask again, and by then it is gone.
                    if self.zombies.iter().all(|(task, _)| task.job != job) {
                        out.push(to_driver(Msg::JobFreed { epoch, job }));
                    }
                }
            }
            // Answers travel the other way.
            Msg::Finished { .. } | Msg::JobFreed { .. } => {}
        }
    }

    /// Whether a command is of this node's epoch. A newer epoch is adopted: the driver has given up on everything that
    /// was launched before, so it is stopped and its answers are dropped.
    fn is_current(&mut self, epoch: Epoch, out: &mut Out) -> bool {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.waiting.clear();
            self.repeated = 0;
            for lane in self.lanes.drain(..) {
                if matches!(lane.state, State::Running) {
                    self.zombies.push((lane.task, lane.attempt));
                    out.push(Action::Cancel { task: lane.task, attempt: lane.attempt });
                }
            }
        }
        epoch == self.epoch
    }

    fn launch(&mut self, ticket: Ticket, order: u64, assignment: Assignment, out: &mut Out) {
        if assignment.attempt.0 > 0 {
            self.repeated = self.repeated.max(order);
        }
        let lane = self.lane(ticket.lane, assignment.task, assignment.attempt);
        if ticket.seq <= lane.seq {
            self.answer_again(ticket, out);
            return;
        }
        self.give_up(ticket.lane, out);
        let lane = lane_mut(&mut self.lanes, ticket.lane);
        (lane.seq, lane.task, lane.attempt) = (ticket.seq, assignment.task, assignment.attempt);
        if self.running < self.slots {
            self.running += 1;
            lane.state = State::Running;
            out.push(Action::Run(assignment));
        } else {
            lane.state = State::Waiting(Box::new(assignment));
            self.waiting.push_back(ticket.lane);
        }
    }

    /// Stops what runs in a lane that gets a newer command. The driver had its answer before it sent that, so this is an
    /// old command that reached the node late, after the node had restarted and forgotten that it was answered.
    fn give_up(&mut self, index: u32, out: &mut Out) {
        let lane = lane_mut(&mut self.lanes, index);
        if matches!(lane.state, State::Running) {
            let (task, attempt) = (lane.task, lane.attempt);
            lane.state = State::Ended(Outcome::NotStarted);
            self.zombies.push((task, attempt));
            out.push(Action::Cancel { task, attempt });
        }
    }

    fn cancel(&mut self, ticket: Ticket, task: TaskId, attempt: Attempt, out: &mut Out) {
        self.refuse_if_unknown(ticket, task, attempt, out);
        let lane = self.lane(ticket.lane, task, attempt);
        if lane.seq == ticket.seq {
            match lane.state {
                State::Running => {
                    out.push(Action::Cancel { task, attempt });
                    return;
                }
                State::Waiting(_) => lane.state = State::Ended(Outcome::NotStarted),
                State::Ended(_) => {}
            }
        }
        self.answer_again(ticket, out);
    }

    /// Marks a launch that has not arrived as answered, so that it is not run when it does.
    fn refuse_if_unknown(&mut self, ticket: Ticket, task: TaskId, attempt: Attempt, out: &mut Out) {
        if self.lane(ticket.lane, task, attempt).seq < ticket.seq {
            self.give_up(ticket.lane, out);
            *lane_mut(&mut self.lanes, ticket.lane) =
                Lane { seq: ticket.seq, task, attempt, state: State::Ended(Outcome::NotStarted) };
        }
    }

    fn answer_again(&mut self, ticket: Ticket, out: &mut Out) {
        if let Some(lane) = self.lanes.get(ticket.lane as usize)
            && lane.seq == ticket.seq
            && let State::Ended(outcome) = &lane.state
        {
            let (task, attempt, outcome) = (lane.task, lane.attempt, outcome.clone());
            out.push(to_driver(Msg::Finished { ticket, task, attempt, outcome }));
        }
    }

    fn ran(&mut self, task: TaskId, attempt: Attempt, result: Result<TaskReport, TaskFailure>, out: &mut Out) {
        let of_lane = |l: &Lane| l.task == task && l.attempt == attempt && matches!(l.state, State::Running);
        if let Some(index) = self.lanes.iter().position(of_lane) {
            let ticket = Ticket { epoch: self.epoch, lane: index as u32, seq: self.lanes[index].seq };
            self.lanes[index].state = State::Ended(Outcome::Ran(result));
            self.running -= 1;
            self.answer_again(ticket, out);
        } else if let Some(index) = self.zombies.iter().position(|z| *z == (task, attempt)) {
            self.zombies.swap_remove(index);
            self.running -= 1;
        }
        self.start_waiting(out);
    }

    fn start_waiting(&mut self, out: &mut Out) {
        while self.running < self.slots
            && let Some(index) = self.waiting.pop_front()
        {
            let lane = lane_mut(&mut self.lanes, index);
            match std::mem::replace(&mut lane.state, State::Running) {
                State::Waiting(assignment) => {
                    self.running += 1;
                    out.push(Action::Run(*assignment));
                }
                // It was cancelled while it waited.
                other => lane.state = other,
            }
        }
    }

    /// The lane of that number; lanes that were never used come into being, `task` being what they are first used for.
    fn lane(&mut self, index: u32, task: TaskId, attempt: Attempt) -> &mut Lane {
        while self.lanes.len() <= index as usize {
            self.lanes.push(Lane { seq: 0, task, attempt, state: State::Ended(Outcome::NotStarted) });
        }
        lane_mut(&mut self.lanes, index)
    }

    pub(crate) fn check(&self) -> Result<(), Violation> {
        let running = self.lanes.iter().filter(|l| matches!(l.state, State::Running)).count() + self.zombies.len();
        if running != self.running {
            return Err(Violation(format!("{} counts {} running attempts, has {running}", self.node, self.running)));
        }
        if running > self.slots {
            return Err(Violation(format!("{} runs {running} attempts on {} slots", self.node, self.slots)));
        }
        let waiting = self.lanes.iter().filter(|l| matches!(l.state, State::Waiting(_))).count();
        if waiting > self.waiting.len() {
            return Err(Violation(format!("{} forgot a waiting launch", self.node)));
        }
        if waiting > 0 && running < self.slots {
            return Err(Violation(format!("{} has a free slot and a waiting launch", self.node)));
        }
        Ok(())
    }
}

fn lane_mut(lanes: &mut [Lane], index: u32) -> &mut Lane {
    &mut lanes[index as usize]
}

fn to_driver(msg: Msg) -> Action<Msg> {
    Action::Send { to: Addr::Driver, msg }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{Call, Exchange, FragmentId, JobId, KernelId, Storage};

    fn task(partition: u32) -> TaskId {
        TaskId { job: JobId(0), fragment: FragmentId(0), partition }
    }

    fn launch(epoch: u64, lane: u32, seq: u64, partition: u32) -> Msg {
        let call = Call { kernel: KernelId::new("noop/1"), args: Default::default() };
        let assignment = Assignment {
            task: task(partition),
            attempt: Attempt(0),
            call,
            inputs: vec![],
            outputs: 1,
            exchange: Exchange::Collect,
            storage: Storage::Heap,
        };
        Msg::Launch { ticket: Ticket { epoch: Epoch(epoch), lane, seq }, order: seq, assignment }
    }

    fn probe(epoch: u64, lane: u32, seq: u64, partition: u32) -> Msg {
        let ticket = Ticket { epoch: Epoch(epoch), lane, seq };
        Msg::Probe { ticket, task: task(partition), attempt: Attempt(0) }
    }

    fn hears(executor: &mut Executor, msg: Msg) -> String {
        does(executor, Event::Message { from: Addr::Driver, msg })
    }

    fn ends(executor: &mut Executor, partition: u32) -> String {
        let result = Ok(TaskReport::default());
        does(executor, Event::TaskRan { task: task(partition), attempt: Attempt(0), result })
    }

    /// What the machine does about an event, in words; its invariants hold afterwards.
    fn does(executor: &mut Executor, event: Event<Msg>) -> String {
        let mut out = Vec::new();
        executor.on(event, &mut out);
        assert_eq!(executor.check(), Ok(()));
        let word = |action: &Action<Msg>| match action {
            Action::Run(a) => format!("run {}", a.task.partition),
            Action::Cancel { task, .. } => format!("stop {}", task.partition),
            Action::Send { msg: Msg::Finished { task, outcome: Outcome::NotStarted, .. }, .. } => {
                format!("refuse {}", task.partition)
            }
            Action::Send { msg: Msg::Finished { task, .. }, .. } => format!("report {}", task.partition),
            other => format!("{other:?}"),
        };
        out.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_repeated_launch_runs_once_and_repeats_its_report() {
        let mut executor = Executor::new(NodeId(0), 2);
        assert_eq!(hears(&mut executor, launch(1, 0, 1, 7)), "run 7");
        assert_eq!(hears(&mut executor, launch(1, 0, 1, 7)), "");
        assert_eq!(ends(&mut executor, 7), "report 7");
        assert_eq!(hears(&mut executor, launch(1, 0, 1, 7)), "report 7");
        assert_eq!(hears(&mut executor, probe(1, 0, 1, 7)), "report 7");
    }

    #[test]
    fn a_launch_that_a_probe_overtook_is_refused() {
        let mut executor = Executor::new(NodeId(0), 2);
        assert_eq!(hears(&mut executor, probe(1, 0, 1, 7)), "refuse 7");
        assert_eq!(hears(&mut executor, launch(1, 0, 1, 7)), "refuse 7");
        assert_eq!(hears(&mut executor, launch(1, 0, 2, 7)), "run 7");
    }

    #[test]
    fn a_newer_epoch_stops_the_old_work_and_waits_for_its_slots() {
        let mut executor = Executor::new(NodeId(0), 1);
        assert_eq!(hears(&mut executor, launch(1, 0, 1, 1)), "run 1");
        assert_eq!(hears(&mut executor, launch(2, 0, 1, 2)), "stop 1");
        assert_eq!(hears(&mut executor, launch(1, 0, 2, 3)), "", "old commands are not obeyed");
        assert_eq!(ends(&mut executor, 1), "run 2", "old answers are not sent");
        assert_eq!(ends(&mut executor, 2), "report 2");
    }

    #[test]
    fn an_old_launch_that_a_restarted_node_obeyed_gives_way_to_a_newer_one() {
        let mut executor = Executor::new(NodeId(0), 1);
        assert_eq!(hears(&mut executor, launch(1, 0, 3, 1)), "run 1");
        assert_eq!(hears(&mut executor, launch(1, 0, 10, 2)), "stop 1");
        assert_eq!(ends(&mut executor, 1), "run 2");
        assert_eq!(hears(&mut executor, probe(1, 0, 11, 3)), "stop 2, refuse 3");
    }

    #[test]
    fn a_cancelled_launch_answers_whether_it_ran_or_not() {
        let mut executor = Executor::new(NodeId(0), 1);
        let cancel = |seq, partition| Msg::Cancel {
            ticket: Ticket { epoch: Epoch(1), lane: 0, seq },
            task: task(partition),
            attempt: Attempt(0),
        };
        hears(&mut executor, launch(1, 0, 1, 1));
        assert_eq!(hears(&mut executor, cancel(1, 1)), "stop 1");
        assert_eq!(ends(&mut executor, 1), "report 1");
        assert_eq!(hears(&mut executor, cancel(2, 2)), "refuse 2");
        assert_eq!(hears(&mut executor, launch(1, 0, 2, 2)), "refuse 2");
    }
}
