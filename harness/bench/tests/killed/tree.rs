//! The processes below another one, as the system tells.

use std::fs;

/// A process that was seen. Its number may be somebody else's later: together with when it started it never is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) pid: u32,
    /// In ticks since the system started.
    started: u64,
    /// What the system calls it.
    pub(crate) name: String,
    /// Its command line, words separated by blanks.
    pub(crate) command: String,
    /// What it and children it has waited for have used, in ticks of a hundredth of a second.
    cpu_ticks: u64,
    pub(crate) parent: u32,
}

impl Seen {
    /// A living process; `None` if there is none of this number, or it has ended and nobody has waited for it.
    fn look(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may contain blanks and parentheses: what counts starts after its last one.
        let (front, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        if matches!(fields[0], "Z" | "X") {
            return None;
        }
        let number = |at: usize| fields[at].parse::<u64>().unwrap();
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Self {
            pid,
            started: number(19),
            name: front.split_once('(')?.1.to_owned(),
            command: String::from_utf8_lossy(&command).replace('\0', " "),
            cpu_ticks: (11..15).map(number).sum(),
            parent: u32::try_from(number(1)).unwrap(),
        })
    }

    pub(crate) fn lives(&self) -> bool {
        Self::look(self.pid).is_some_and(|now| now.started == self.started)
    }
}

/// Every living process below `root`, `root` not included.
pub(crate) fn below(root: u32) -> Vec<Seen> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut others: Vec<Seen> = pids.filter_map(Seen::look).collect();
    let (mut found, mut parents) = (Vec::new(), vec![root]);
    while let Some(parent) = parents.pop() {
        let (children, rest): (Vec<Seen>, Vec<Seen>) = others.into_iter().partition(|p| p.parent == parent);
        parents.extend(children.iter().map(|child| child.pid));
        found.extend(children);
        others = rest;
    }
    found
}

/// What all of them have used, in ticks.
pub(crate) fn cpu_ticks(of: &[Seen]) -> u64 {
    of.iter().map(|process| process.cpu_ticks).sum()
}
