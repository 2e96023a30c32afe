//! What the processes of an engine hold.

use crate::counters::process_tree;
use bench_model::Bytes;
use std::{fs, io};

/// Resident memory of a process and all below it. A page that several of them map counts once, a share for each (`Pss`): the
/// processes of one engine share their program, and stores in shared memory. Absent unless every one of them tells.
pub(super) fn held_by(root: u32) -> Option<Bytes> {
    let tree = process_tree(root);
    if tree.is_empty() {
        return None;
    }
    let mut all = Bytes::ZERO;
    for pid in tree {
        match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
            Ok(text) => all += proportional(&text)?,
            // It ended since it was listed, and what it held with it; nobody may have taken leave of it yet.
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) || e.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    Some(all)
}

/// The line `Pss:  1234 kB`.
fn proportional(text: &str) -> Option<Bytes> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Bytes::new(kib.checked_mul(1024)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_holds_at_least_what_it_has_just_written() {
        let before = held_by(std::process::id()).unwrap();
        let written = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = held_by(std::process::id()).unwrap();
        assert!(after.get() >= before.get() + (48 << 20), "{before} then {after}");
        drop(written);
    }

    #[test]
    fn what_is_not_told_is_not_taken_for_nothing() {
        assert_eq!(held_by(u32::MAX), None);
        assert_eq!(proportional("Rss:  12 kB\nPss:   7 kB\nPss_Anon: 3 kB\n"), Some(Bytes::new(7 << 10)));
        assert_eq!(proportional("Rss:  12 kB\n"), None);
        assert_eq!(proportional("Pss:  many kB\n"), None);
    }
}
