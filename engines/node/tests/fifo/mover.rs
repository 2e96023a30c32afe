//! A node that moves blocks around as the other styles do: it fetches a task's inputs before it runs the task, moves
//! every other output to disk before it reports it, and drops the inputs afterwards.

use super::Msg;
use bench_model::{
    Action, Addr, Assignment, BlockId, BlockRef, Event, JobId, Note, Storage, TaskFailure, TaskId, TaskReport,
};
use std::collections::HashMap;

type Out = Vec<Action<Msg>>;

pub struct Mover {
    storage: Storage,
    /// Tasks whose inputs are on their way, and which are.
    waiting: Vec<(Assignment, Vec<BlockId>)>,
    inputs: HashMap<TaskId, Vec<BlockRef>>,
    /// Reports that are held back until so many blocks are on disk.
    held: HashMap<TaskId, (Msg, usize)>,
    job: JobId,
}

impl Mover {
    pub fn new(storage: Storage) -> Self {
        Self { storage, waiting: vec![], inputs: HashMap::new(), held: HashMap::new(), job: JobId(0) }
    }

    pub fn on(&mut self, event: Event<Msg>, out: &mut Out) {
        match event {
            Event::Message { msg: Msg::Run(assignment), .. } => self.prepare(assignment, out),
            Event::Message { msg: Msg::Cancel(task, attempt), .. } => out.push(Action::Cancel { task, attempt }),
            Event::Message { msg: Msg::Free(job), .. } => out.push(Action::Free { job, fragment: None }),
            Event::Fetched { block, result } => self.fetched(block, result, out),
            Event::TaskRan { task, attempt, result } => {
                let blocks = match &result {
                    Ok(TaskReport { blocks, .. }) => blocks.clone(),
                    Err(_) => vec![],
                };
                let msg = Msg::Ran { task, attempt, result };
                let spills: Vec<u32> =
                    (0..).zip(&blocks).filter(|(o, m)| o % 2 == 0 && m.rows.get() > 0).map(|(o, _)| o).collect();
                for read in self.inputs.remove(&task).into_iter().flatten().filter(|_| !blocks.is_empty()) {
                    out.push(Action::Release { block: read.id, attempt: read.attempt });
                }
                if spills.is_empty() {
                    out.push(Action::Send { to: Addr::Driver, msg });
                    return;
                }
                self.held.insert(task, (msg, spills.len()));
                for output in spills {
                    out.push(Action::Spill { block: BlockId { task, output }, attempt });
                }
                out.push(Action::MeasureMemory);
            }
            Event::Spilled { block, result, .. } => {
                let note = match result {
                    Ok(()) => Note::Spilled(block),
                    Err(failure) => Note::Did(format!("not spilled: {failure}")),
                };
                out.push(Action::Note { job: self.job, note });
                self.spilled(block.task, out);
            }
            Event::Memory { used } => {
                let note = Note::Did(format!("memory over 1 MiB: {}", used.get() > 1 << 20));
                out.push(Action::Note { job: self.job, note });
            }
            _ => {}
        }
    }

    fn prepare(&mut self, assignment: Assignment, out: &mut Out) {
        self.job = assignment.task.job;
        let inputs: Vec<BlockRef> = assignment.inputs.iter().flatten().copied().collect();
        self.inputs.insert(assignment.task, inputs.clone());
        if inputs.is_empty() {
            out.push(Action::Run(assignment));
            return;
        }
        self.waiting.push((assignment, inputs.iter().map(|b| b.id).collect()));
        out.extend(inputs.into_iter().map(|block| Action::Fetch { block, storage: self.storage }));
    }

    fn fetched(&mut self, block: BlockRef, result: Result<(), TaskFailure>, out: &mut Out) {
        let awaited = |(at, (_, left)): (usize, &(Assignment, Vec<BlockId>))| {
            left.iter().position(|id| *id == block.id).map(|block| (at, block))
        };
        let Some((at, awaited)) = self.waiting.iter().enumerate().find_map(awaited) else { return };
        self.waiting[at].1.swap_remove(awaited);
        if let Err(failure) = result {
            let (task, attempt) = (self.waiting[at].0.task, self.waiting[at].0.attempt);
            self.waiting.swap_remove(at);
            out.push(Action::Send { to: Addr::Driver, msg: Msg::Ran { task, attempt, result: Err(failure) } });
        } else if self.waiting[at].1.is_empty() {
            out.push(Action::Run(self.waiting.swap_remove(at).0));
        }
    }

    fn spilled(&mut self, task: TaskId, out: &mut Out) {
        let Some((_, left)) = self.held.get_mut(&task) else { return };
        *left -= 1;
        if *left == 0
            && let Some((msg, _)) = self.held.remove(&task)
        {
            out.push(Action::Send { to: Addr::Driver, msg });
        }
    }
}
