//! How long tasks waited for a resource: the kernel's pressure stall information (PSI).

use super::usage::increase;
use crate::machine::Cgroup;
use bench_record::{Pressure, PressureOf};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the machine as a whole tells.
const MACHINE: &str = "/proc/pressure";

/// Totals since the control group was made, or since the machine started; none where neither tells. The group that harness
/// and engines share is asked first, for the machine's totals hold everybody's stalls.
pub(super) fn take(cgroup: &Cgroup) -> Option<Pressure> {
    match cgroup.pressure_folder() {
        Some(folder) => of_files(PressureOf::Cgroup, |resource| folder.join(format!("{resource}.pressure"))),
        None => of_files(PressureOf::Machine, |resource| Path::new(MACHINE).join(resource)),
    }
}

fn of_files(of: PressureOf, file: impl Fn(&str) -> PathBuf) -> Option<Pressure> {
    let totals = |resource: &str| {
        let text = fs::read_to_string(file(resource)).unwrap_or_default();
        (stalled_ns(&text, "some"), stalled_ns(&text, "full"))
    };
    let ((cpu_some_ns, cpu_full_ns), (memory_some_ns, memory_full_ns), (io_some_ns, io_full_ns)) =
        (totals("cpu"), totals("memory"), totals("io"));
    // Of a whole machine the kernel writes a zero there that means nothing: some task always has the CPU.
    let cpu_full_ns = cpu_full_ns.filter(|_| of == PressureOf::Cgroup);
    let told = [cpu_some_ns, memory_some_ns, memory_full_ns, io_some_ns, io_full_ns];
    told.iter().any(Option::is_some).then_some(Pressure {
        of,
        cpu_some_ns,
        cpu_full_ns,
        memory_some_ns,
        memory_full_ns,
        io_some_ns,
        io_full_ns,
    })
}

/// What was added from one reading to a later one of the same scope.
pub(super) fn until(before: Option<Pressure>, after: Option<Pressure>) -> Option<Pressure> {
    let (before, after) = (before?, after?);
    (before.of == after.of).then(|| Pressure {
        of: before.of,
        cpu_some_ns: increase(before.cpu_some_ns, after.cpu_some_ns),
        cpu_full_ns: increase(before.cpu_full_ns, after.cpu_full_ns),
        memory_some_ns: increase(before.memory_some_ns, after.memory_some_ns),
        memory_full_ns: increase(before.memory_full_ns, after.memory_full_ns),
        io_some_ns: increase(before.io_some_ns, after.io_some_ns),
        io_full_ns: increase(before.io_full_ns, after.io_full_ns),
    })
}

/// The total of one line of a pressure file, which is in microseconds.
pub(super) fn stalled_ns(pressure: &str, which: &str) -> Option<u64> {
    let line = pressure.lines().find(|line| line.split(' ').next() == Some(which))?;
    let (_, total) = line.rsplit_once("total=")?;
    total.trim().parse::<u64>().ok().map(|us| us.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn stalls_are_read_in_microseconds_per_line() {
        assert_eq!((stalled_ns(FILE, "some"), stalled_ns(FILE, "full")), (Some(9_000), Some(5_000)));
        assert_eq!(stalled_ns("some avg10=0.00 total=9\n", "full"), None);
        assert_eq!(stalled_ns("full total=many\n", "full"), None);
    }

    #[test]
    fn a_resource_that_nobody_tells_about_is_absent_and_not_zero() {
        let none = folder(&[]);
        assert_eq!(of_files(PressureOf::Machine, |r| none.path().join(r)), None);
        let memory = folder(&[("memory", FILE)]);
        let told = of_files(PressureOf::Machine, |r| memory.path().join(r)).unwrap();
        assert_eq!((told.memory_some_ns, told.memory_full_ns), (Some(9_000), Some(5_000)));
        assert_eq!((told.cpu_some_ns, told.io_some_ns, told.io_full_ns), (None, None, None));
    }

    #[test]
    fn the_meaningless_zero_of_a_whole_machine_is_not_kept() {
        let cpu = folder(&[("cpu", FILE)]);
        let of = |of| of_files(of, |r| cpu.path().join(r)).unwrap().cpu_full_ns;
        assert_eq!((of(PressureOf::Machine), of(PressureOf::Cgroup)), (None, Some(5_000)));
    }

    #[test]
    fn what_was_added_is_known_only_within_one_scope() {
        let cpu = folder(&[("cpu", FILE)]);
        let group = of_files(PressureOf::Cgroup, |r| cpu.path().join(r));
        let machine = of_files(PressureOf::Machine, |r| cpu.path().join(r));
        let more = group.map(|p| Pressure { cpu_some_ns: Some(12_000), ..p });
        assert_eq!(until(group, more).unwrap().cpu_some_ns, Some(3_000));
        assert_eq!(until(group, more).unwrap().io_some_ns, None);
        assert_eq!((until(group, machine), until(None, group)), (None, None));
    }
}
