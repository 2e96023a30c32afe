//! Control groups of emulated nodes: a CPU quota and a memory limit.

use bench_model::{Bytes, NodeLimits};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How the names of all groups begin; the number of the process that made them follows.
const PREFIX: &str = "bench-";
/// How often a quota is refilled. The kernel's default of 100 ms lets a node with a quarter of a core freeze for 76 ms.
const PERIOD_US: u64 = 20_000;

/// How long the last threads of a group may take to be gone.
const EMPTY_PATIENCE: Duration = Duration::from_millis(500);

/// Where groups can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hierarchy {
    /// One folder per controller.
    V1 { cpu: PathBuf, memory: PathBuf },
    /// One folder for both.
    V2(PathBuf),
}

/// The groups of one node. Dropping it removes them; the node's process must have ended by then.
#[derive(Debug)]
pub(crate) struct NodeGroup {
    hierarchy: Hierarchy,
}

impl NodeGroup {
    /// Makes the groups of a node with these limits, or nothing if there is no limit.
    ///
    /// # Errors
    /// The machine has no control groups, or this user may not make any.
    pub(crate) fn make(node: &str, limits: &NodeLimits) -> Result<Option<Self>, String> {
        if limits.cpu_milli.is_none() && limits.memory.is_none() {
            return Ok(None);
        }
        let roots =
            roots().ok_or("no control groups are mounted here, so a node cannot be limited; see `bench doctor`")?;
        remove_leftovers(&roots);
        let name = format!("{PREFIX}{}-{node}", std::process::id());
        let hierarchy = match roots {
            Hierarchy::V1 { cpu, memory } => Hierarchy::V1 { cpu: cpu.join(&name), memory: memory.join(&name) },
            Hierarchy::V2(root) => Hierarchy::V2(root.join(&name)),
        };
        let group = Self { hierarchy };
        for folder in group.folders() {
            fs::create_dir_all(folder).map_err(|e| refused(folder, &e))?;
        }
        if let Some(milli) = limits.cpu_milli {
            group.set_cpu(milli)?;
        }
        if let Some(memory) = limits.memory {
            group.set_memory(memory)?;
        }
        Ok(Some(group))
    }

    fn folders(&self) -> Vec<&Path> {
        match &self.hierarchy {
            Hierarchy::V1 { cpu, memory } => vec![cpu, memory],
            Hierarchy::V2(folder) => vec![folder],
        }
    }

    /// Puts a process and its future children under the limits.
    ///
    /// # Errors
    /// The machine refuses.
    pub(super) fn adopt(&self, pid: u32) -> Result<(), String> {
        self.folders().into_iter().try_for_each(|folder| write(&folder.join("cgroup.procs"), &pid.to_string()))
    }

    /// Puts a process where it would be without these limits.
    ///
    /// # Errors
    /// The machine refuses.
    pub(super) fn release(&self, pid: u32) -> Result<(), String> {
        let mut parents = self.folders().into_iter().filter_map(Path::parent);
        parents.try_for_each(|folder| write(&folder.join("cgroup.procs"), &pid.to_string()))
    }

    /// Arranges that a child is under the limits before it becomes the program.
    pub(crate) fn enter_with(&self, command: &mut Command) {
        // A path with a zero byte cannot have been made.
        let file = |folder: &Path| CString::new(folder.join("cgroup.procs").as_os_str().as_bytes()).unwrap_or_default();
        let files: Vec<CString> = self.folders().into_iter().map(file).collect();
        #[expect(unsafe_code, reason = "a group is entered between fork and exec")]
        // SAFETY: the closure only makes system calls that are safe after fork, on strings that it owns, and allocates
        // nothing.
        unsafe {
            command.pre_exec(move || {
                for file in &files {
                    let file = libc::open(file.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
                    // To the kernel 0 is whoever writes it.
                    if file < 0 || libc::write(file, c"0".as_ptr().cast(), 1) != 1 {
                        return Err(io::Error::last_os_error());
                    }
                    libc::close(file);
                }
                Ok(())
            });
        }
    }

    /// How many of its processes the kernel has killed because they needed more memory than the limit; none if it does not say.
    pub(crate) fn killed_for_memory(&self) -> Option<u64> {
        let file = match &self.hierarchy {
            Hierarchy::V1 { memory, .. } => memory.join("memory.oom_control"),
            Hierarchy::V2(folder) => folder.join("memory.events"),
        };
        let counts = fs::read_to_string(file).ok()?;
        counts.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
    }

    /// Limits CPU time to so many thousandths of a core, at least [`NodeLimits::CPU_MILLI_MIN`].
    ///
    /// # Errors
    /// The machine refuses.
    pub(super) fn set_cpu(&self, milli: u32) -> Result<(), String> {
        let quota = u64::from(milli) * PERIOD_US / 1000;
        match &self.hierarchy {
            Hierarchy::V1 { cpu, .. } => {
                write(&cpu.join("cpu.cfs_period_us"), &PERIOD_US.to_string())?;
                write(&cpu.join("cpu.cfs_quota_us"), &quota.to_string())
            }
            Hierarchy::V2(folder) => write(&folder.join("cpu.max"), &format!("{quota} {PERIOD_US}")),
        }
    }

    /// Limits memory, page cache included. A process that needs more is killed.
    ///
    /// # Errors
    /// The machine refuses.
    pub(super) fn set_memory(&self, memory: Bytes) -> Result<(), String> {
        match &self.hierarchy {
            Hierarchy::V1 { memory: folder, .. } => {
                write(&folder.join("memory.limit_in_bytes"), &memory.get().to_string())
            }
            Hierarchy::V2(folder) => write(&folder.join("memory.max"), &memory.get().to_string()),
        }
    }
}

impl Drop for NodeGroup {
    fn drop(&mut self) {
        let by = Instant::now() + EMPTY_PATIENCE;
        for folder in self.folders() {
            // Threads of a killed process may still be on their way out. What even then is not empty is removed by whoever comes after this
            // process.
            while fs::remove_dir(folder).is_err_and(|e| e.kind() == io::ErrorKind::ResourceBusy) && Instant::now() < by
            {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// Where this process may make groups: below the ones it is in.
fn roots() -> Option<Hierarchy> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = |wanted: &str| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            controllers.split(',').any(|c| c == wanted).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let mounted = |path: PathBuf| path.join("cgroup.procs").exists().then_some(path);
    let v1 = |controller: &str| mounted(Path::new("/sys/fs/cgroup").join(controller).join(own(controller)?));
    if let (Some(cpu), Some(memory)) = (v1("cpu").or_else(|| v1_joint(&own)), v1("memory")) {
        return Some(Hierarchy::V1 { cpu, memory });
    }
    let unified = mounted(Path::new("/sys/fs/cgroup").join(own("")?))?;
    let delegated = fs::read_to_string(unified.join("cgroup.subtree_control")).ok()?;
    ["cpu", "memory"].iter().all(|c| delegated.split(' ').any(|d| d.trim() == *c)).then_some(Hierarchy::V2(unified))
}

/// Where `cpu` is mounted together with `cpuacct`.
fn v1_joint(own: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let path = Path::new("/sys/fs/cgroup/cpu,cpuacct").join(own("cpu")?);
    path.join("cgroup.procs").exists().then_some(path)
}

/// Removes groups whose makers are gone. True if none of them is left: ones that still hold a process refuse.
pub(super) fn remove_groups_of_the_dead() -> bool {
    roots().is_none_or(|roots| remove_leftovers(&roots))
}

fn remove_leftovers(roots: &Hierarchy) -> bool {
    let folders = match roots {
        Hierarchy::V1 { cpu, memory } => vec![cpu, memory],
        Hierarchy::V2(root) => vec![root],
    };
    let mut all = true;
    for entry in folders.into_iter().filter_map(|f| fs::read_dir(f).ok()).flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.split_once('-')).map(|(pid, _)| pid.to_owned());
        if maker.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()) {
            all &= fs::remove_dir(entry.path()).is_ok();
        }
    }
    all
}

fn write(file: &Path, value: &str) -> Result<(), String> {
    fs::write(file, value).map_err(|e| refused(file, &e))
}

fn refused(path: &Path, error: &io::Error) -> String {
    format!("cannot set {}: {error}; run as root or with delegated control groups, see `bench doctor`", path.display())
}
