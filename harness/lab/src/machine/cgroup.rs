//! The control group this process lives in: version, CPU quota, memory limit, throttling.

use std::fs;
use std::path::{Path, PathBuf};

/// The control groups that confine this process, found through `/proc/self`. Children inherit them.
#[derive(Clone, Debug, Default)]
pub struct Cgroup {
    /// Folders from the group up to the root of its hierarchy: a limit on any of them binds.
    cpu: Vec<PathBuf>,
    memory: Vec<PathBuf>,
    v2: bool,
    /// The innermost folder of the unified hierarchy, whoever has the controllers.
    unified: Option<PathBuf>,
}

impl Cgroup {
    /// The groups of this process; empty where none are mounted.
    #[must_use]
    pub fn of_self() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
    }

    fn parse(groups: &str, mounts: &str) -> Self {
        let v1_cpu = folders(groups, mounts, Some("cpu"));
        let v1_memory = folders(groups, mounts, Some("memory"));
        let all_unified = folders(groups, mounts, None);
        let unified = all_unified.first().cloned();
        // On a hybrid machine the limits are where the controllers are: v1, with v2 mounted for nothing but names.
        if v1_cpu.is_empty() && v1_memory.is_empty() {
            return Self { v2: unified.is_some(), cpu: all_unified.clone(), memory: all_unified, unified };
        }
        Self { cpu: v1_cpu, memory: v1_memory, v2: false, unified }
    }

    /// `v1`, `v2` or `none`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        match (self.v2, self.cpu.is_empty() && self.memory.is_empty()) {
            (true, _) => "v2",
            (false, false) => "v1",
            (false, true) => "none",
        }
    }

    /// How many cores' worth of time the group may use; unlimited if absent.
    #[must_use]
    pub fn quota_cores(&self) -> Option<f64> {
        self.cpu.iter().filter_map(|folder| if self.v2 { quota_v2(folder) } else { quota_v1(folder) }).reduce(f64::min)
    }

    /// How many bytes the group may hold; unlimited if absent.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        self.memory.iter().filter_map(|folder| self.memory_limit_of(folder)).min()
    }

    fn memory_limit_of(&self, folder: &Path) -> Option<u64> {
        let limit = number(&folder.join(if self.v2 { "memory.max" } else { "memory.limit_in_bytes" }));
        // v1 writes "unlimited" as the largest page-aligned number.
        limit.filter(|bytes| *bytes < 1 << 60)
    }

    /// How many bytes the group may still take, if it has a limit; what it keeps of files can be dropped and does not count as taken.
    #[must_use]
    pub fn memory_available_bytes(&self) -> Option<u64> {
        let usage = if self.v2 { "memory.current" } else { "memory.usage_in_bytes" };
        let left = self.memory.iter().filter_map(|folder| {
            let limit = self.memory_limit_of(folder)?;
            let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
            let taken = number(&folder.join(usage))?.saturating_sub(of_files(&stat, self.v2));
            Some(limit.saturating_sub(taken))
        });
        left.min()
    }

    /// The folder whose files tell how long the group's tasks have stalled. Version 1 has none, nor has a kernel without
    /// pressure stall information. The root of all groups is none either: its files are about the whole machine.
    #[must_use]
    pub fn pressure_folder(&self) -> Option<&Path> {
        let is_told = |folder: &&Path| folder.join("cpu.pressure").exists() && folder.join("cgroup.type").exists();
        self.unified.as_deref().filter(is_told)
    }

    /// For how long the group has been kept from running by its quota, in nanoseconds, since it was made.
    #[must_use]
    pub fn throttled_ns(&self) -> Option<u64> {
        let stat = fs::read_to_string(self.cpu.first()?.join("cpu.stat")).ok()?;
        let field = |name: &str| {
            stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<u64>().ok())
        };
        field("throttled_usec").map(|us| us.saturating_mul(1_000)).or_else(|| field("throttled_time"))
    }
}

/// The folders of one controller (v1) or of the unified hierarchy (`None`), innermost first.
fn folders(groups: &str, mounts: &str, controller: Option<&str>) -> Vec<PathBuf> {
    let path = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let wanted = match controller {
            Some(name) => controllers.split(',').any(|c| c == name),
            None => controllers.is_empty(),
        };
        wanted.then_some(path)
    });
    let mount = mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let kind = right.next()?;
        let options = right.nth(1)?;
        let wanted = match controller {
            Some(name) => kind == "cgroup" && options.split(',').any(|o| o == name),
            None => kind == "cgroup2",
        };
        wanted.then_some((root, PathBuf::from(point)))
    });
    let (Some(path), Some((root, point))) = (path, mount) else { return Vec::new() };
    // Inside a container the mount shows a subtree: its root is cut off the path.
    let inside = path.strip_prefix(root.trim_end_matches('/')).unwrap_or(path).trim_start_matches('/');
    let innermost = point.join(inside);
    let innermost = if innermost.is_dir() { innermost } else { point.clone() };
    innermost.ancestors().take_while(|folder| folder.starts_with(&point)).map(Path::to_path_buf).collect()
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn quota_v1(folder: &Path) -> Option<f64> {
    // -1 stands for no quota and does not parse as unsigned.
    let quota = number(&folder.join("cpu.cfs_quota_us"))?;
    let period = number(&folder.join("cpu.cfs_period_us"))?;
    (period > 0).then(|| quota as f64 / period as f64)
}

fn quota_v2(folder: &Path) -> Option<f64> {
    let text = fs::read_to_string(folder.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<f64>().ok()?, period.parse::<f64>().ok()?);
    (period > 0.0).then(|| quota / period)
}

/// What a group and those below it keep of files.
fn of_files(stat: &str, v2: bool) -> u64 {
    let fields = if v2 { ["active_file", "inactive_file"] } else { ["total_active_file", "total_inactive_file"] };
    let field =
        |name: &str| stat.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<u64>().ok());
    fields.into_iter().filter_map(field).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_files_is_that_of_the_group_and_those_below_it() {
        assert_eq!(
            of_files("cache 9\nactive_file 1\ninactive_file 2\ntotal_active_file 30\ntotal_inactive_file 12\n", false),
            42
        );
        assert_eq!(of_files("anon 5\nactive_file 1\ninactive_file 2\n", true), 3);
        assert_eq!(of_files("", true), 0);
    }

    #[test]
    fn groups_are_found_below_their_mounts_and_limits_bind_from_above() {
        let base = tempfile::tempdir().unwrap();
        let point = base.path().join("cg");
        let inner = point.join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("cpu.max"), "max 100000\n").unwrap();
        fs::write(point.join("a/cpu.max"), "150000 100000\n").unwrap();
        fs::write(inner.join("memory.max"), "1048576\n").unwrap();
        fs::write(inner.join("cpu.stat"), "usage_usec 5\nthrottled_usec 7\n").unwrap();
        let mounts = format!("30 1 0:26 /pod {} rw - cgroup2 cgroup2 rw\n", point.display());
        let group = Cgroup::parse("0::/pod/a/b\n", &mounts);
        assert_eq!(group.version(), "v2");
        assert_eq!(group.quota_cores(), Some(1.5));
        assert_eq!(group.memory_limit_bytes(), Some(1 << 20));
        assert_eq!(group.throttled_ns(), Some(7_000));
    }

    #[test]
    fn stalls_are_those_of_the_own_group_and_never_of_the_root_of_all_groups() {
        let base = tempfile::tempdir().unwrap();
        let point = base.path().join("cg");
        let inner = point.join("a");
        fs::create_dir_all(&inner).unwrap();
        for file in [point.join("cpu.pressure"), inner.join("cpu.pressure"), inner.join("cgroup.type")] {
            fs::write(file, "some avg10=0.00 total=1\n").unwrap();
        }
        let mounts = format!("30 1 0:26 / {} rw - cgroup2 cgroup2 rw\n", point.display());
        assert_eq!(Cgroup::parse("0::/a\n", &mounts).pressure_folder(), Some(inner.as_path()));
        assert_eq!(Cgroup::parse("0::/\n", &mounts).pressure_folder(), None);
        fs::remove_file(inner.join("cpu.pressure")).unwrap();
        assert_eq!(Cgroup::parse("0::/a\n", &mounts).pressure_folder(), None);
    }

    #[test]
    fn a_machine_without_groups_has_no_limits() {
        let group = Cgroup::parse("", "");
        assert_eq!((group.version(), group.quota_cores(), group.memory_limit_bytes()), ("none", None, None));
    }
}
