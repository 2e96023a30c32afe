//! The processes below a process, itself included.

use std::fs;

/// `root` and its living descendants, parents before children. Empty once `root` is gone.
///
/// A child that detached itself from its parent (double fork) is not found; its CPU time then counts as foreign, which
/// marks the trial as contaminated rather than hiding the cost.
#[must_use]
pub fn process_tree(root: u32) -> Vec<u32> {
    if fs::metadata(format!("/proc/{root}")).is_err() {
        return Vec::new();
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        next += 1;
        for child in children(pid) {
            if !found.contains(&child) {
                found.push(child);
            }
        }
    }
    found
}

/// Children of every thread of a process, from the kernel's own list.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut found = Vec::new();
    for thread in threads.flatten() {
        let list = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        found.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    found
}
