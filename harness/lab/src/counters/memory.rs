//! What several processes hold together while they work, what each has for itself and what they share counted once, and the CPU time of
//! those that end meanwhile.
//!
//! The peaks that the kernel keeps are one process's each: their sum counts a page once for every process that maps it, adds up
//! peaks of different moments, and forgets whoever has ended. So trees of several processes are looked at while they work.

use super::tree::{process_tree, process_tree_by_parents};
use super::usage::cpu_ns;
use bench_model::Bytes;
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a tree is looked at, at most.
const INTERVAL: Duration = Duration::from_millis(25);
/// Looking takes at most one part in so many of a core.
const COST_PARTS: u32 = 50;

/// What a process and all below it hold now, see [`resident_bytes`].
pub(crate) fn held_by(root: u32) -> Option<Bytes> {
    resident_bytes(&process_tree(root)).map(Bytes::new)
}

/// The pages that each has for itself, and of those that can be shared (files and shared memory) the largest amount that one of them
/// maps. `smaps_rollup` would share out every page exactly, but takes a millisecond for each hundred megabytes, and turns are shorter.
/// `None` once all of them are gone.
fn resident_bytes(tree: &[u32]) -> Option<u64> {
    let page = page_bytes();
    let mut found = None;
    let (mut own, mut shared) = (0u64, 0u64);
    for (resident, shareable) in tree.iter().filter_map(|pid| statm(*pid)) {
        own = own.saturating_add(resident.saturating_sub(shareable));
        shared = shared.max(shareable);
        found = Some(own.saturating_add(shared));
    }
    found.map(|pages: u64| pages.saturating_mul(page))
}

/// What one process holds now, shared pages included; none of one that is gone.
pub(crate) fn resident_of(pid: u32) -> Option<u64> {
    statm(pid).map(|(resident, _)| resident.saturating_mul(page_bytes()))
}

/// Pages that a process holds, and how many of them can be shared with others.
fn statm(pid: u32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut numbers = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn page_bytes() -> u64 {
    #[expect(unsafe_code, reason = "sysconf has no safe interface")]
    // SAFETY: reads a constant of the running system.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

/// What was seen of a tree.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The most that it held at once.
    pub(super) bytes: Option<u64>,
    /// Who was in it, at any time, with the CPU time that each was last seen to have used in its life.
    pub(super) processes: BTreeMap<u32, u64>,
}

impl Seen {
    /// Looks at these processes.
    fn look(&mut self, tree: &[u32]) {
        self.bytes = self.bytes.max(resident_bytes(tree));
        for pid in tree {
            let used = self.processes.entry(*pid).or_default();
            *used = cpu_ns(*pid).unwrap_or(0).max(*used);
        }
    }

    /// What all but these had used in their lives when they were seen last: they have ended. Some of them may have been waited for, and
    /// count with who did.
    pub(super) fn used_by_ended(&self, living: &[u32]) -> u64 {
        self.processes.iter().filter(|(pid, _)| !living.contains(pid)).map(|(_, ns)| ns).sum()
    }
}

/// Looks at a tree from now until it is asked what it has seen. Dropping it ends the looking.
#[derive(Debug)]
pub(super) struct PeakWatch {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<Seen>>,
}

impl PeakWatch {
    /// Starts looking at the tree below `root`, which is `tree` now; `None` if there is no thread to be had.
    pub(super) fn start(root: u32, tree: &[u32]) -> Option<Self> {
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let told = Arc::clone(&over);
        // The first look is this thread's: what is timed has not begun.
        let mut first = Seen::default();
        first.look(tree);
        let watch = move || look(root, first, &told);
        let thread = std::thread::Builder::new().name("memory".to_owned()).spawn(watch).ok()?;
        Some(Self { over, thread: Some(thread) })
    }

    /// What has been seen of the tree.
    pub(super) fn seen(mut self) -> Seen {
        self.end()
    }

    fn end(&mut self) -> Seen {
        *self.over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.1.notify_all();
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for PeakWatch {
    fn drop(&mut self) {
        self.end();
    }
}

fn look(root: u32, mut seen: Seen, over: &(Mutex<bool>, Condvar)) -> Seen {
    let (mut tree, mut known_at, mut rest) = (Vec::new(), None::<Instant>, Duration::ZERO);
    let mut pause = INTERVAL;
    loop {
        let guard = over.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = over.1.wait_timeout_while(guard, pause, |over| !*over);
        let is_over = *waited.unwrap_or_else(PoisonError::into_inner).0;
        let begun = Instant::now();
        // Finding the processes takes longer than looking at them.
        if is_over || known_at.is_none_or(|at| at.elapsed() >= rest) {
            tree = process_tree_by_parents(root);
            rest = begun.elapsed() * COST_PARTS;
            known_at = Some(begun);
        }
        let looked = Instant::now();
        seen.look(&tree);
        if is_over {
            return seen;
        }
        pause = INTERVAL.max(looked.elapsed() * COST_PARTS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::process::{Child, Command, Stdio};

    /// A process that runs this script, which says a line when it is ready, and then waits for one.
    fn ready(program: &str, script: &str) -> Child {
        let mut command = Command::new(program);
        let mut child = command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        hear(&mut child);
        child
    }

    fn hear(child: &mut Child) {
        // One line at a time: nothing may be read ahead.
        let mut byte = [0];
        while byte != *b"\n" {
            child.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
        }
    }

    fn say(child: &mut Child) {
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    #[test]
    fn what_processes_share_counts_once_and_what_they_own_adds_up() {
        let holder = || ready("python3", "x = b'x' * (64 << 20)\nprint(flush=True)\ninput()");
        let mut children = [holder(), holder()];
        let pids: Vec<u32> = children.iter().map(Child::id).collect();
        let (one, both) = (resident_bytes(&pids[..1]).unwrap(), resident_bytes(&pids).unwrap());
        for child in &mut children {
            say(child);
            child.wait().unwrap();
        }
        assert!(one >= 64 << 20 && both >= one + (64 << 20), "{one} and {both}: memory of their own");
        assert!(both < 2 * one, "{one} and {both}: libraries are mapped by both");
        assert_eq!(resident_bytes(&[]), None);
    }

    #[test]
    fn a_process_that_has_ended_counts_while_it_lived() {
        // Long enough for any interval: the child is looked at several times.
        let child = "x = b'x' * (256 << 20)\nimport time\ntime.sleep(0.5)";
        let mut root = ready("/bin/sh", &format!("echo; read a; python3 -c \"{child}\"; echo; read b"));
        let watch = PeakWatch::start(root.id(), &process_tree(root.id())).unwrap();
        say(&mut root);
        hear(&mut root);
        let (peak, now) = (watch.seen().bytes.unwrap(), resident_bytes(&process_tree(root.id())).unwrap());
        say(&mut root);
        root.wait().unwrap();
        assert!(peak >= 256 << 20 && now < 64 << 20, "{peak}, and {now} afterwards");
    }

    #[test]
    fn a_process_holds_at_least_what_it_has_just_written() {
        let before = held_by(std::process::id()).unwrap();
        let written = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = held_by(std::process::id()).unwrap();
        assert!(after.get() >= before.get() + (48 << 20), "{before} then {after}");
        drop(written);
    }

    #[test]
    fn what_is_not_there_is_not_taken_for_nothing() {
        assert_eq!(held_by(u32::MAX), None);
    }
}
