//! The command line as the record keeps it: it can be given again, from any folder and in any environment.

use crate::cli::cluster::ClusterKind;
use crate::cli::compare::{BookName, Written};
use crate::cli::run::RunArgs;
use anyhow::{Context, Result, anyhow, bail};
use bench_reports::cost::built_in;
use clap::Args;
use std::any::TypeId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The option that says where tables lie; the environment can say so too.
const DATA: &str = "--data";
/// The option that says where products are installed, likewise.
const ENGINES: &str = "--engines-dir";

/// This process's command line with absolute paths, and with the folder of the tables even if the environment named it.
///
/// # Errors
/// A word or path that is not UTF-8: the record is JSON and could not hold it.
pub(super) fn of_this_run(data: &Path, engines: &Path) -> Result<Vec<String>> {
    repeatable(std::env::args_os().skip(1), data, engines)
}

/// A resumed run reads the tables that it was started with. What the environment says is for new runs; what the command line
/// says would be ignored, and is refused instead.
///
/// # Errors
/// The command line names a folder of tables.
pub(super) fn refuse_folder_options() -> Result<()> {
    if std::env::args_os().any(|word| names(&word.to_string_lossy(), DATA)) {
        bail!("{DATA} cannot be used with --resume: the run goes on with the tables it was started with");
    }
    Ok(())
}

fn repeatable(words: impl Iterator<Item = OsString>, data: &Path, engines: &Path) -> Result<Vec<String>> {
    let options = options();
    let kind = |name: &str| options.iter().find(|(option, _)| option == name).map(|(_, kind)| *kind);
    let mut line = vec!["bench".to_owned()];
    let mut expected = None;
    for word in words {
        let word = utf8(word)?;
        let assigned = word.split_once('=').and_then(|(name, value)| Some((name, value, kind(name)?)));
        let kept = match (expected.take(), assigned) {
            (Some(kind), _) => keep(kind, &word)?,
            (None, Some((name, value, kind))) => format!("{name}={}", keep(kind, value)?),
            (None, None) => {
                expected = kind(&word);
                word
            }
        };
        line.push(kept);
    }
    for (option, folder) in [(DATA, data), (ENGINES, engines)] {
        if !line.iter().any(|word| names(word, option)) {
            line.extend([option.to_owned(), absolute(folder)?]);
        }
    }
    Ok(line)
}

/// Whether a word gives this option.
fn names(word: &str, option: &str) -> bool {
    word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

/// What an option's value depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The current folder.
    Path,
    /// The current folder, if it names a file of hosts.
    Cluster,
    /// The current folder, unless it names a price book that is built in.
    Book,
    /// The current folder, after the name of a format.
    Written,
}

/// Every option of `bench run` whose value depends on the current folder, by its definition.
fn options() -> Vec<(String, Kind)> {
    let command = RunArgs::augment_args(clap::Command::new("run"));
    let of_argument = |argument: &clap::Arg| {
        let of_type = argument.get_value_parser().type_id();
        let kinds = [
            (TypeId::of::<PathBuf>(), Kind::Path),
            (TypeId::of::<ClusterKind>(), Kind::Cluster),
            (TypeId::of::<BookName>(), Kind::Book),
            (TypeId::of::<Written>(), Kind::Written),
        ];
        let (_, kind) = kinds.into_iter().find(|(known, _)| of_type == *known)?;
        Some((format!("--{}", argument.get_long()?), kind))
    };
    command.get_arguments().filter_map(of_argument).collect()
}

/// A value as it means the same in any folder.
fn keep(kind: Kind, value: &str) -> Result<String> {
    let is_path = match kind {
        Kind::Path => true,
        Kind::Cluster => matches!(value.parse(), Ok(ClusterKind::Hosts(_))),
        Kind::Book => built_in(value).is_none(),
        Kind::Written => false,
    };
    match value.split_once('=').filter(|_| kind == Kind::Written) {
        Some((format, file)) => Ok(format!("{format}={}", absolute(file)?)),
        None if is_path => absolute(value),
        None => Ok(value.to_owned()),
    }
}

fn absolute(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    let absolute = std::path::absolute(path).with_context(|| format!("cannot resolve `{}`", path.display()))?;
    utf8(absolute.into_os_string())
}

fn utf8(word: OsString) -> Result<String> {
    word.into_string().map_err(|word| {
        anyhow!("`{}` is not UTF-8, and the record of a run could not hold it; rename it", word.to_string_lossy())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn kept(line: &str, data: &str) -> Vec<String> {
        let mut kept =
            repeatable(line.split_whitespace().map(OsString::from), Path::new(data), Path::new("/e")).unwrap();
        // Where products are installed is always said, and said last.
        assert_eq!(kept.split_off(kept.len() - 2), ["--engines-dir", "/e"]);
        kept
    }

    #[test]
    fn a_kept_command_line_does_not_depend_on_the_folder_it_was_given_in() {
        let here = std::env::current_dir().unwrap();
        let at = |name: &str| here.join(name).display().to_string();
        let line = kept("run --suite smoke --out results/a --workload-dir=own --data=tables -q", "tables");
        let own = format!("--workload-dir={}", at("own"));
        let data = format!("--data={}", at("tables"));
        assert_eq!(line, ["bench", "run", "--suite", "smoke", "--out", &at("results/a"), &own, &data, "-q"]);
        // What came from the environment or by default is spelled out.
        assert_eq!(kept("run --suite smoke", "tables"), ["bench", "run", "--suite", "smoke", "--data", &at("tables")]);
        assert_eq!(kept("run --data /d", "/d"), ["bench", "run", "--data", "/d"]);
        let hosts = kept("run --cluster hosts.toml --data=/d", "/d");
        assert_eq!(hosts, ["bench", "run", "--cluster", &at("hosts.toml"), "--data=/d"]);
        assert_eq!(kept("run --cluster local --data=/d", "/d"), ["bench", "run", "--cluster", "local", "--data=/d"]);
        let told = kept("run --prices aws --write md=v.md --write=json=/v.json --data=/d", "/d");
        let file = format!("md={}", at("v.md"));
        assert_eq!(told, ["bench", "run", "--prices", "aws", "--write", &file, "--write=json=/v.json", "--data=/d"]);
        let own = kept("run --prices=mine.toml --data=/d", "/d");
        assert_eq!(own, ["bench", "run", &format!("--prices={}", at("mine.toml")), "--data=/d"]);
    }

    #[test]
    fn every_option_that_depends_on_the_current_folder_is_known() {
        let mut names: Vec<String> = options().into_iter().map(|(name, _)| name).collect();
        names.sort();
        let known = [
            "--against",
            "--allow",
            "--cluster",
            "--data",
            "--engines-dir",
            "--out",
            "--prices",
            "--resume",
            "--workload-dir",
            "--write",
        ];
        assert_eq!(names, known);
    }

    #[test]
    fn words_that_are_no_text_are_refused_before_any_work() {
        let words = ["run".into(), OsString::from_vec(b"--out=\xff".to_vec())];
        let said = repeatable(words.into_iter(), Path::new("d"), Path::new("e")).unwrap_err().to_string();
        assert!(said.contains("is not UTF-8"), "{said}");
    }
}
