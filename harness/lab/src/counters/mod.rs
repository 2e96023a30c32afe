//! Counters of the operating system, read by the parent: the same ground truth for every engine.
//!
//! `read_bytes` and `write_bytes` are storage level (`/proc/PID/io`): a warm query reads 0 bytes. A counter that this system
//! does not have, or that could not be read, is absent and never 0. Stalls and network bytes are not a process's own: stalls
//! are the control group's or the machine's, and an interface counts for everybody in its namespace.

mod foreign;
mod interference;
mod memory;
mod network;
mod pressure;
mod system;
mod tree;
mod usage;

pub use interference::Interference;
pub use tree::process_tree;
pub(crate) use tree::stat_after_command;
pub use usage::{Usage, tree_cpu_ns};

use crate::machine::Cgroup;
use bench_record::Pressure;
use foreign::Processes;
use memory::PeakWatch;
pub(crate) use memory::{held_by, resident_of};
use network::Interfaces;
use system::SystemReading;
use usage::{TreeReading, cpu_ns, increase, reset_peaks};

/// An open measurement over the process tree of one engine.
#[derive(Debug)]
pub struct Window {
    root: u32,
    cgroup: Cgroup,
    tree: TreeReading,
    peak: Option<PeakWatch>,
    processes: Processes,
    own_cpu_ns: Option<u64>,
    interfaces: Option<Interfaces>,
    pressure: Option<Pressure>,
    system: SystemReading,
}

impl Window {
    /// Starts measuring the tree below `root`; its peak memory starts over.
    #[must_use]
    pub fn open(root: u32, cgroup: &Cgroup) -> Self {
        Self::begin(root, cgroup, &process_tree(root), None)
    }

    /// The same of an engine that consists of several processes, or may: their memory is looked at all along.
    #[must_use]
    pub fn open_for_many(root: u32, cgroup: &Cgroup) -> Self {
        let tree = process_tree(root);
        Self::begin(root, cgroup, &tree, PeakWatch::start(root, &tree))
    }

    fn begin(root: u32, cgroup: &Cgroup, pids: &[u32], peak: Option<PeakWatch>) -> Self {
        reset_peaks(pids);
        let tree = TreeReading::take(pids);
        let processes = Processes::read();
        let own_cpu_ns = cpu_ns(std::process::id());
        let (interfaces, pressure) = (Interfaces::take(pids), pressure::take(cgroup));
        // Last, so that the harness's own reading of files is not taken for foreign work.
        let system = SystemReading::take(cgroup);
        Self { root, cgroup: cgroup.clone(), tree, peak, processes, own_cpu_ns, interfaces, pressure, system }
    }

    /// What was used since, and by whom else. Of a tree that died meanwhile nothing is known.
    #[must_use]
    pub fn close(self) -> (Usage, Interference) {
        let (me, before) = (std::process::id(), &self.system);
        let system = SystemReading::take(&self.cgroup);
        let pressure = pressure::until(self.pressure, pressure::take(&self.cgroup));
        let mut ours = process_tree(self.root);
        let interfaces = self.interfaces.zip(Interfaces::take(&ours));
        let network = interfaces.and_then(|(before, after)| before.until(&after));
        let after = TreeReading::take(&ours);
        let mut usage = Usage { pressure, network, ..self.tree.until(after) };
        if let Some(watch) = self.peak {
            // Seen together, or by the kernel of the largest of them alone: whichever is more.
            let seen = watch.seen();
            usage.rss_bytes_peak = seen.bytes.max(after.rss_bytes_peak_of_one);
            // Whoever waits for its children has all that they used in their lives; of others it is lost, also what counted before.
            let waited_for = increase(self.tree.reaped_cpu_ns, after.reaped_cpu_ns).unwrap_or(0);
            let lost = seen.used_by_ended(&ours).saturating_sub(waited_for);
            usage.cpu_ns = increase(self.tree.cpu_ns, after.cpu_ns.map(|ns| ns.saturating_add(lost)));
            let ended = self.tree.reaped_cpu_ns != after.reaped_cpu_ns
                || !after.all_peaks_are_known
                || seen.processes.keys().any(|p| !ours.contains(p));
            // The kernel's peaks are of counters that lag behind by some pages; what was seen was there.
            let bound = after.rss_bytes_peak.map(|sum| sum.max(usage.rss_bytes_peak.unwrap_or(0)));
            usage.rss_bytes_bound = bound.filter(|_| !ended);
        }
        let own = if self.root == me { Some(0) } else { increase(self.own_cpu_ns, cpu_ns(me)) };
        ours.push(me);
        let (processes, kernel) = (Processes::read(), foreign::kernel_threads());
        let kernel_cpu_ns = (!kernel.is_empty()).then(|| self.processes.used(&processes, |pid| kernel.contains(&pid)));
        let busy = increase(before.busy_ns, system.busy_ns);
        let interference = Interference {
            other_cpu_ns: busy
                .zip(usage.cpu_ns)
                .zip(own)
                .map(|((busy, tree), own)| busy.saturating_sub(tree).saturating_sub(own))
                .map(|others| others.saturating_sub(kernel_cpu_ns.unwrap_or(0))),
            seen_cpu_ns: self.processes.used(&processes, |pid| !ours.contains(&pid) && !kernel.contains(&pid)),
            kernel_cpu_ns,
            steal_ns: increase(before.steal_ns, system.steal_ns),
            throttled_ns: increase(before.throttled_ns, system.throttled_ns),
            memory_stall_ns: increase(before.memory_stall_ns, system.memory_stall_ns),
            wall_ns: u64::try_from(system.at.duration_since(before.at).as_nanos()).unwrap_or(u64::MAX),
            cores: system.cores,
        };
        (usage, interference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// A foreign process that keeps a core busy until it is dropped.
    struct Hog(std::process::Child);

    impl Hog {
        fn start() -> Self {
            let script = "echo busy; while :; do :; done";
            let mut child = Command::new("/bin/sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
            Self(child)
        }
    }

    impl Drop for Hog {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_foreign_core_shows_in_a_trial_too_short_for_the_machine_s_totals() {
        let hog = Hog::start();
        // A tree that does nothing: any process will do that only waits for its input.
        let mut idle = Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let cgroup = Cgroup::default();
        // A busy machine may give the hog nothing for a while, so a few windows are opened.
        let seen = (0..200).any(|_| {
            let window = Window::open(idle.id(), &cgroup);
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(8) {
                std::thread::yield_now();
            }
            let (_, interference) = window.close();
            interference.seen_cpu_ns > 4_000_000 && !interference.reasons().is_empty()
        });
        drop(hog);
        idle.kill().unwrap();
        idle.wait().unwrap();
        assert!(seen, "a core that others kept busy went unnoticed");
    }

    #[test]
    fn cpu_time_of_a_child_that_nobody_waits_for_counts() {
        // A parent that ignores its children's end is never told of their time, nor of what they had used before.
        let script = "import os, signal, time\n\
                      def burn(end):\n while time.process_time() < end: pass\n\
                      signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
                      (ready, is_ready), (go, goes) = os.pipe(), os.pipe()\n\
                      if os.fork() == 0:\n burn(0.3)\n os.write(is_ready, b'x')\n os.read(go, 1)\n burn(0.6)\n os._exit(0)\n\
                      os.read(ready, 1)\nprint(flush=True)\ninput()\n\
                      os.write(goes, b'x')\ntime.sleep(1.5)\nprint(flush=True)\ninput()";
        let used = usage_of("python3", script).cpu_ns.unwrap();
        assert!((150_000_000..450_000_000).contains(&used), "{used} ns of 300 ms");
    }

    fn bound_of_two(script: &str) -> Usage {
        usage_of("/bin/sh", script)
    }

    /// What is counted of a program with a child, which says a line, reads one within the window, and says another.
    fn usage_of(program: &str, script: &str) -> Usage {
        let mut root =
            Command::new(program).args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(root.stdout.take().unwrap());
        let mut hear = || out.read_line(&mut String::new()).unwrap();
        hear();
        let window = Window::open_for_many(root.id(), &Cgroup::default());
        root.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        hear();
        let (usage, _) = window.close();
        crate::offspring::kill_below(root.id(), Duration::from_secs(5));
        root.kill().unwrap();
        root.wait().unwrap();
        usage
    }

    #[test]
    fn memory_of_several_processes_has_a_bound_unless_one_of_them_ended() {
        let usage = bound_of_two("sleep 60 & echo ready; read a; echo done; read b");
        let (peak, bound) = (usage.rss_bytes_peak.unwrap(), usage.rss_bytes_bound.unwrap());
        assert!(bound >= peak, "{bound} is less than was seen: {peak}");
        let ended = bound_of_two("sleep 60 & echo ready; read a; kill $!; wait; echo done; read b");
        assert_eq!(ended.rss_bytes_bound, None, "nobody knows the peak of a process that is gone");
        let unreaped = bound_of_two("sleep 60 & p=$!; echo ready; read a; kill -9 $p; sleep 0.2; echo done; read b");
        assert_eq!(unreaped.rss_bytes_bound, None, "nor of one that was not waited for yet");
    }
}
