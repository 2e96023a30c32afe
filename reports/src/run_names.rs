//! What runs are called: the least of each folder's path that tells it from all others.

use crate::plain::plain;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The names of all runs that one command was given. A name is the shortest end of the folder's path that no other folder's path
/// ends with: `run`, and where two folders are called that, `a/run` and `b/run`. Names are unlike each other as they are shown, and
/// follow from the paths alone.
#[derive(Clone, Debug, Default)]
pub struct RunNames {
    by_folder: BTreeMap<PathBuf, String>,
}

/// Equal are those that call their runs the same: where the folders are, no report says.
impl PartialEq for RunNames {
    fn eq(&self, other: &Self) -> bool {
        self.by_folder.values().eq(other.by_folder.values())
    }
}

impl RunNames {
    /// Names for these folders.
    pub fn of<'p>(folders: impl IntoIterator<Item = &'p Path>) -> Self {
        let folders: BTreeSet<&Path> = folders.into_iter().collect();
        let mut open: Vec<(&Path, Vec<String>)> = folders.into_iter().map(|f| (f, parts(f))).collect();
        let mut by_folder = BTreeMap::new();
        let longest = open.iter().map(|(_, parts)| parts.len()).max().unwrap_or_default();
        for length in 1..=longest {
            let mut shared: BTreeMap<String, usize> = BTreeMap::new();
            open.iter().for_each(|(_, parts)| *shared.entry(end(parts, length)).or_default() += 1);
            open.retain(|(folder, parts)| {
                let name = end(parts, length);
                let is_alone = shared.get(&name) == Some(&1);
                if is_alone {
                    by_folder.insert((*folder).to_owned(), name);
                }
                !is_alone
            });
        }
        // Paths that differ, and look the same: only in characters that are not shown.
        let mut taken: BTreeSet<String> = by_folder.values().cloned().collect();
        for (folder, parts) in open {
            let plain = end(&parts, parts.len());
            let numbered = (1usize..).map(|n| if n == 1 { plain.clone() } else { format!("{plain} ({n})") });
            let name = numbered.into_iter().find(|name| !taken.contains(name)).unwrap_or_default();
            taken.insert(name.clone());
            by_folder.insert(folder.to_owned(), name);
        }
        Self { by_folder }
    }

    /// What the run of a folder is called; of one that was not among them, its whole path.
    #[must_use]
    pub fn name(&self, folder: &Path) -> String {
        self.by_folder.get(folder).cloned().unwrap_or_else(|| end(&parts(folder), usize::MAX))
    }
}

/// A path's parts as they are shown; the root of an absolute one is empty.
fn parts(folder: &Path) -> Vec<String> {
    let shown = |part: Component<'_>| match part {
        Component::RootDir => String::new(),
        other => plain(&other.as_os_str().to_string_lossy()),
    };
    let all: Vec<Component<'_>> = folder.components().collect();
    // `./run` is `run`; `.` alone has no other name.
    let skipped = usize::from(all.len() > 1 && all.first() == Some(&Component::CurDir));
    all.into_iter().skip(skipped).map(shown).collect()
}

/// The last so many parts.
fn end(parts: &[String], length: usize) -> String {
    let from = parts.len().saturating_sub(length);
    match parts.get(from..) {
        Some([root]) if root.is_empty() => "/".to_owned(),
        some => some.unwrap_or_default().join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(folders: &[&str], wanted: &[&str]) {
        let names = RunNames::of(folders.iter().map(Path::new));
        let found: Vec<String> = folders.iter().map(|f| names.name(Path::new(f))).collect();
        assert_eq!(found, wanted);
        let mut other_way_round: Vec<&Path> = folders.iter().map(Path::new).collect();
        other_way_round.reverse();
        assert_eq!(RunNames::of(other_way_round).by_folder, names.by_folder, "the order given decides nothing");
    }

    #[test]
    fn a_run_is_called_by_as_much_of_its_path_as_tells_it_apart() {
        check(&["results/one", "/somewhere/two/", "./three"], &["one", "two", "three"]);
        check(&["a/run", "b/run", "b/other"], &["a/run", "b/run", "other"]);
        check(&["x/a/run", "y/a/run", "y/b/run"], &["x/a/run", "y/a/run", "b/run"]);
        check(&["run", "a/run", "/run", "/z/a/run"], &["run", "a/run", "/run", "z/a/run"]);
        check(&[".", "../.."], &[".", ".."]);
    }

    #[test]
    fn names_that_look_the_same_are_numbered() {
        check(&["run\u{202e}", "run", "run (2)"], &["run (3)", "run", "run (2)"]);
    }

    #[test]
    fn a_folder_that_was_not_named_is_called_by_its_path() {
        assert_eq!(RunNames::default().name(Path::new("a\n/run")), "a /run");
    }
}
