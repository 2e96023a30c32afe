//! Claims about engines of somebody else's on one emulated node: all that they start is under its limits.

use super::{HELLO, NEVER, STARTED, setup, shell, told_by, workload};
use bench_lab::cluster::ClusterAbilities;
use bench_lab::hosted::HostedEngine;
use bench_lab::live::Failure;
use bench_model::{Bytes, NodeLimits};
use std::path::Path;

/// Half a core and 64 MiB, or nothing where no control groups can be made.
fn limited() -> Option<NodeLimits> {
    if !ClusterAbilities::probe().node_limits {
        eprintln!("NOT TESTED: no control groups can be made here");
        return None;
    }
    Some(NodeLimits { cpu_milli: Some(500), memory: Some(Bytes::new(64 << 20)), rate_mbit: None })
}

#[test]
fn a_product_on_an_emulated_node_and_its_children_are_in_a_control_group_that_goes_with_them() {
    let Some(limits) = limited() else { return };
    let command = "sh -c 'grep bench- /proc/self/cgroup' | tr '\\n' ' '";
    let told = told_by(command, |host| HostedEngine { limits, ..host });
    // Each is `NUMBER:CONTROLLERS:PATH`.
    let groups: Vec<Vec<&str>> = told.split_whitespace().map(|line| line.splitn(3, ':').collect()).collect();
    let name = format!("bench-{}-engine-", std::process::id());
    assert!(!groups.is_empty() && groups.iter().all(|group| group[2].contains(&name)), "{told}");
    for group in groups {
        let root = Path::new("/sys/fs/cgroup").join(group[1]);
        let folder = root.join(group[2].trim_start_matches('/'));
        assert!(folder.parent().unwrap().join("cgroup.procs").exists(), "not where groups are: {}", folder.display());
        assert!(!folder.exists(), "left: {}", folder.display());
    }
}

#[test]
fn a_product_that_needs_more_memory_than_its_node_has_is_out_of_memory() {
    let Some(limits) = limited() else { return };
    // The shell that reads requests lives; what it starts needs 200 MB, and is killed.
    let text = format!(
        "read -r a; echo '{HELLO}'; read -r a; echo '{STARTED}'; read -r a; head -c 200000000 /dev/zero | tail > /dev/null; \
         echo '{{\"id\":3,\"body\":{{\"failed\":{{\"kind\":\"failed\",\"message\":\"a worker ended\"}}}}}}'; cat >/dev/null"
    );
    let scratch = tempfile::tempdir().unwrap();
    let mut session = HostedEngine { limits, ..shell(&text) }.start(&setup(scratch.path(), false), &NEVER).unwrap();
    let failure = session.run(&workload(), &crate::limits()).unwrap_err();
    let said = failure.to_string();
    assert!(matches!(failure, Failure::OutOfMemory(_)), "{said}");
    assert!(
        said.contains("killed a process of it for want of memory: its node has 67108864 bytes (a worker ended)"),
        "{said}"
    );
    assert!(!session.is_alive());
}
