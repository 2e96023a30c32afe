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

/// The same from what every process of the machine says of its parent. Of a tree with hundreds of threads it takes a small part of the
/// time: nothing is read for each thread.
pub(super) fn process_tree_by_parents(root: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut others: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found: Vec<u32> = others.iter().map(|(pid, _)| *pid).filter(|pid| *pid == root).collect();
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        next += 1;
        let (children, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(|(_, parent)| *parent == pid);
        found.extend(children.into_iter().map(|(child, _)| child));
        others = rest;
    }
    found
}

fn parent(pid: u32) -> Option<u32> {
    stat_after_command(pid)?.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// What the system says of a process behind its command: its state, its parent and counters (proc(5), from the third field on). The command
/// may contain spaces and parentheses, and ends with the last one.
pub(crate) fn stat_after_command(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.trim_start().to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn both_ways_of_finding_a_tree_find_the_same() {
        let script = "sh -c 'sleep 60 & sleep 60 & echo ready; wait' & wait";
        let mut root = Command::new("/bin/sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(root.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let sets = [process_tree(root.id()), process_tree_by_parents(root.id())].map(BTreeSet::from_iter);
        crate::offspring::kill_below(root.id(), std::time::Duration::from_secs(5));
        root.kill().unwrap();
        root.wait().unwrap();
        assert_eq!((&sets[0], sets[0].len()), (&sets[1], 4));
        assert_eq!(process_tree_by_parents(root.id()), Vec::<u32>::new(), "it is gone");
    }
}
