//! What the host itself remembers about the job that runs.

use crate::log::Log;
use crate::strike::Watch;
use bench_model::{Bytes, FragmentId, Graph, JobId, Note, TaskId};

/// More notes than this say nothing new.
pub(crate) const NOTES_MAX: usize = 1000;

/// The running job.
pub(crate) struct Job {
    /// Its id.
    pub(crate) id: JobId,
    /// Whether the front half planned it, and so can replan it.
    pub(crate) planned: bool,
    /// Whether what each attempt does is wanted.
    pub(crate) traced: bool,
    /// What happened on the way, a sentence each.
    pub(crate) notes: Vec<String>,
    /// What its tasks wrote out because memory ran short.
    pub(crate) spilled: Bytes,
    /// Its tasks, if their number is the answer.
    pub(crate) tally: Option<Tally>,
    /// Its progress, if faults wait for it.
    pub(crate) watch: Option<Watch>,
    /// Its attempts, if they are wanted and not too many.
    pub(crate) log: Option<Log>,
}

impl Job {
    /// A job that nothing is known about yet.
    pub(crate) fn new(id: JobId, planned: bool, traced: bool) -> Self {
        Self { id, planned, traced, notes: Vec::new(), spilled: Bytes::ZERO, tally: None, watch: None, log: None }
    }

    /// Remembers a note that tells a reader of the answer something.
    pub(crate) fn note(&mut self, note: Note) {
        let text = match note {
            Note::StageStarted(_) | Note::StageFinished(_) => return,
            Note::Replanned(what) => what,
            Note::Speculated(task) => format!("speculated: {}", place(task)),
            Note::Retried(task, why) => format!("retried: {}: {why}", place(task)),
            Note::Ignored(task, attempt) => format!("ignored: a late result of {}, attempt {attempt}", place(task)),
            Note::Stolen(task, from, to) => format!("stolen: {} from {from} to {to}", place(task)),
            Note::Spilled(block) => format!("spilled: {}/o{}", place(block.task), block.output),
            Note::Damaged(block) => format!("damaged: {}/o{} failed its checksum", place(block.task), block.output),
            Note::StartedOver(fragment, run) => format!("the shuffle of {fragment} starts over as run {run}"),
            Note::Did(what) => what,
        };
        if self.notes.len() < NOTES_MAX {
            self.notes.push(text);
        }
    }
}

/// A task's name without its job's, which differs from run to run.
fn place(task: TaskId) -> String {
    format!("{}/p{}", task.fragment, task.partition)
}

/// Which tasks of a graph have finished, each counted once however often it ran.
pub(crate) struct Tally {
    /// Each fragment's first position in `done`, by id.
    first: Vec<(FragmentId, usize)>,
    done: Vec<bool>,
    count: u64,
}

impl Tally {
    /// None has.
    pub(crate) fn new(graph: &Graph) -> Self {
        let mut total = 0;
        let mut first = Vec::with_capacity(graph.fragments.len());
        for fragment in &graph.fragments {
            first.push((fragment.id, total));
            total += fragment.tasks as usize;
        }
        first.sort_unstable_by_key(|(id, _)| *id);
        Self { first, done: vec![false; total], count: 0 }
    }

    /// This one has.
    pub(crate) fn finished(&mut self, task: TaskId) {
        // Ids usually count from 0, so a fragment is found at its own number.
        let here = self.first.get(task.fragment.0 as usize).filter(|(id, _)| *id == task.fragment);
        let found = here.or_else(|| {
            let at = self.first.binary_search_by_key(&task.fragment, |(id, _)| *id).ok()?;
            self.first.get(at)
        });
        let Some((_, first)) = found else { return };
        if let Some(done) = self.done.get_mut(first + task.partition as usize) {
            self.count += u64::from(!*done);
            *done = true;
        }
    }

    /// How many have.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{BlockId, Call, Exchange, Fragment, KernelId, NodeId};

    #[test]
    fn notes_name_tasks_without_their_job() {
        let mut job = Job::new(JobId(7), true, false);
        let task = TaskId { job: JobId(7), fragment: FragmentId(2), partition: 5 };
        job.note(Note::StageStarted(FragmentId(2)));
        job.note(Note::Stolen(task, NodeId(0), NodeId(3)));
        job.note(Note::Spilled(BlockId { task, output: 1 }));
        job.note(Note::Damaged(BlockId { task, output: 0 }));
        job.note(Note::Did("paused n1".to_owned()));
        let damaged = "damaged: f2/p5/o0 failed its checksum";
        assert_eq!(job.notes, ["stolen: f2/p5 from n0 to n3", "spilled: f2/p5/o1", damaged, "paused n1"]);
    }

    #[test]
    fn a_task_that_runs_twice_counts_once() {
        let fragment = |id, tasks| Fragment {
            id: FragmentId(id),
            call: Call { kernel: KernelId::new("noop/1"), args: bytes::Bytes::new() },
            inputs: vec![],
            tasks,
            exchange: Exchange::Forward,
            outputs: 1,
            waits_for: vec![],
            options: Default::default(),
        };
        let graph = Graph { fragments: vec![fragment(7, 2), fragment(3, 1)], result: FragmentId(3) };
        let mut tally = Tally::new(&graph);
        let task = |fragment, partition| TaskId { job: JobId(0), fragment: FragmentId(fragment), partition };
        for task in [task(7, 0), task(7, 0), task(7, 1), task(3, 0), task(9, 0)] {
            tally.finished(task);
        }
        assert_eq!(tally.count(), 3);
    }
}
