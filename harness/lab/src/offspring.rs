//! Child processes that do not outlive this one.

use crate::counters::{process_tree, resident_of, stat_after_command};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// How often what was killed is looked for again.
const KILL_INTERVAL: Duration = Duration::from_millis(2);
/// How often what was stopped is looked for again, at most.
const STOP_ROUNDS: u32 = 50;
/// Whoever holds less is seldom ended by the kernel, and may end by itself while it has nothing to do.
const LARGE_BYTES: u64 = 256 << 20;
/// How long processes that remove what the killed left may take for it.
const CLEANING_PATIENCE: Duration = Duration::from_secs(2);

/// What a child gets besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Nothing: it shares this process's network.
    None,
    /// A network namespace of its own, without any interface yet.
    Network,
}

/// Arranges that the kernel kills the child when the thread that spawns it ends, in whatever way. Keep that thread alive as
/// long as the child.
pub(crate) fn die_with_parent(command: &mut Command, isolation: Isolation) {
    let parent = libc::pid_t::try_from(std::process::id()).unwrap_or(0);
    #[expect(unsafe_code, reason = "dying with the parent has to be arranged between fork and exec")]
    // SAFETY: the closure only makes system calls that are safe after fork, and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before the arrangement was made.
            if libc::getppid() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            if isolation == Isolation::Network && libc::unshare(libc::CLONE_NEWNET) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// Arranges that a child, and all that it starts, runs on so many of the CPUs that this process may use: the last ones, because the first
/// one usually serves devices. With fewer CPUs than that nothing is arranged.
pub(crate) fn run_on(command: &mut Command, cpus: u32) -> io::Result<()> {
    let size = std::mem::size_of::<libc::cpu_set_t>();
    #[expect(unsafe_code, reason = "sets of CPUs have no safe interface")]
    // SAFETY: all zeroes is the empty set, which outlives the calls; its size is passed along, and numbers stay below it.
    let set = unsafe {
        let mut own: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size, &raw mut own) != 0 {
            return Err(io::Error::last_os_error());
        }
        let numbers = (0..size * 8).rev().filter(|cpu| libc::CPU_ISSET(*cpu, &own));
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        numbers.take(usize::try_from(cpus).unwrap_or(usize::MAX)).for_each(|cpu| libc::CPU_SET(cpu, &mut set));
        set
    };
    #[expect(unsafe_code, reason = "the CPUs of a child are arranged between fork and exec")]
    // SAFETY: the closure makes one system call that is safe after fork, on a set that it owns.
    unsafe {
        command.pre_exec(move || match libc::sched_setaffinity(0, size, &raw const set) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    Ok(())
}

/// Kills every process below `root`, `root` not included, until none is left that lives, or until patience is over. What
/// starts meanwhile is killed as well.
///
/// Python's resource trackers come last: when those whose semaphores and shared memory they keep in mind are gone, they remove what these
/// left in `/dev/shm`, and end by themselves. They get a moment for it.
pub(crate) fn kill_below(root: u32, patience: Duration) {
    let deadline = Instant::now() + patience;
    let mut cleaning_since = None;
    loop {
        let below = process_tree(root).into_iter().skip(1).filter(|pid| lives(*pid));
        let (cleaners, others): (Vec<u32>, Vec<u32>) = below.partition(|pid| cleans_up(*pid));
        if cleaners.is_empty() && others.is_empty() {
            return;
        }
        others.iter().for_each(|pid| kill(*pid));
        // Whoever stands still cleans nothing up.
        cleaners.iter().for_each(|pid| send(*pid, libc::SIGCONT));
        let is_late = Instant::now() >= deadline;
        if is_late
            || others.is_empty() && cleaning_since.get_or_insert_with(Instant::now).elapsed() >= CLEANING_PATIENCE
        {
            cleaners.iter().for_each(|pid| kill(*pid));
        }
        if is_late {
            return;
        }
        std::thread::sleep(KILL_INTERVAL);
    }
}

/// Stops every process below `root`, `root` not included: they stand still, and can be killed all the same, until [`continue_below`].
/// Whoever starts another one meanwhile is looked for again, a few times.
pub(crate) fn stop_below(root: u32) {
    for _ in 0..STOP_ROUNDS {
        let moving: Vec<u32> = process_tree(root).into_iter().skip(1).filter(|pid| moves(*pid)).collect();
        if moving.is_empty() {
            return;
        }
        moving.into_iter().for_each(|pid| send(pid, libc::SIGSTOP));
        std::thread::sleep(KILL_INTERVAL);
    }
}

/// The processes below `root` that hold so much that the kernel might end them before others.
pub(crate) fn large_below(root: u32) -> Vec<u32> {
    let below = process_tree(root).into_iter().skip(1);
    below.filter(|pid| resident_of(*pid).is_some_and(|bytes| bytes >= LARGE_BYTES)).collect()
}

/// Lets every process below `root` go on.
pub(crate) fn continue_below(root: u32) {
    process_tree(root).into_iter().skip(1).for_each(|pid| send(pid, libc::SIGCONT));
}

fn kill(pid: u32) {
    send(pid, libc::SIGKILL);
}

fn send(pid: u32, signal: libc::c_int) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    #[expect(unsafe_code, reason = "signals have no safe interface")]
    // SAFETY: takes two numbers.
    let _ = unsafe { libc::kill(pid, signal) };
}

/// Whether a process is one of Python's resource trackers, by its command line: `python -c from multiprocessing.resource_tracker ...`.
fn cleans_up(pid: u32) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).any(|word| word.starts_with(b"from multiprocessing.resource_tracker import main"))
}

/// Whether a process is there and has not ended: one that was not waited for yet has, unless only its first thread has and others go on.
pub(crate) fn lives(pid: u32) -> bool {
    let others = || states_of_tasks(pid).any(|state| !matches!(state, 'Z' | 'X'));
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X') || others())
}

/// Whether it lives and has not been stopped.
fn moves(pid: u32) -> bool {
    match state(pid) {
        None | Some('T' | 'X') => false,
        Some('Z') => states_of_tasks(pid).any(|state| !matches!(state, 'T' | 'Z' | 'X')),
        Some(_) => true,
    }
}

/// What the threads of a process do.
fn states_of_tasks(pid: u32) -> impl Iterator<Item = char> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    // Threads have files of their own beside those of processes, and are only not listed there.
    tasks.filter_map(|task| state(task.file_name().to_str()?.parse().ok()?))
}

/// What a process does, as the system has it; none of one that is gone.
fn state(pid: u32) -> Option<char> {
    stat_after_command(pid)?.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::path::Path;
    use std::process::Stdio;

    /// Adopts orphans as a keeper does, and starts its argument as a program.
    const KEEPER: &str = "import ctypes, subprocess, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); \
                          subprocess.run([sys.executable, '-c', sys.argv[1]]); sys.stdin.read()";
    /// Makes a semaphore that other processes can open, says its file, and waits to be killed.
    const PROGRAM: &str = "import multiprocessing as m, time; s = m.get_context('spawn').Semaphore(1); \
                           print('/dev/shm/sem.' + s._semlock.name[1:], flush=True); time.sleep(600)";

    #[test]
    fn what_is_below_a_process_stands_still_until_it_goes_on_and_can_be_killed_meanwhile() {
        let script = "sh -c 'sleep 60 & wait' & echo ready; wait";
        let mut root = Command::new("/bin/sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(root.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let all = || process_tree(root.id());
        // A shell that has just been started may not have started its own child yet.
        while all().len() < 3 {
            std::thread::yield_now();
        }
        stop_below(root.id());
        assert!(all().iter().skip(1).all(|pid| lives(*pid) && !moves(*pid)), "{:?}", all());
        assert!(moves(root.id()));
        continue_below(root.id());
        let deadline = Instant::now() + Duration::from_secs(5);
        while !all().into_iter().all(moves) {
            assert!(Instant::now() < deadline, "some still stand still");
        }
        stop_below(root.id());
        kill_below(root.id(), Duration::from_secs(5));
        assert!(all().iter().skip(1).all(|pid| !lives(*pid)), "{:?}", all());
        root.kill().unwrap();
        root.wait().unwrap();
    }

    #[test]
    fn semaphores_of_a_killed_python_are_removed() {
        assert_none_is_left(|_| {});
    }

    #[test]
    fn semaphores_of_a_python_that_is_killed_while_it_stands_still_are_removed() {
        assert_none_is_left(stop_below);
    }

    fn assert_none_is_left(before: impl Fn(u32)) {
        let mut keeper = Command::new("python3");
        keeper.args(["-c", KEEPER, PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.spawn().unwrap();
        let mut path = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut path).unwrap();
        let path = Path::new(path.trim());
        assert!(path.exists(), "{} is the file of a semaphore", path.display());
        before(keeper.id());
        kill_below(keeper.id(), Duration::from_secs(10));
        let is_left = path.exists();
        drop(keeper.stdin.take());
        keeper.wait().unwrap();
        assert!(!is_left, "{} is left", path.display());
    }
}
