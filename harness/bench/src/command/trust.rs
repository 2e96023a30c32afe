//! What a folder of results may not decide by itself: which programs are started.

use crate::cli::engines::EnginesDir;
use crate::engines;
use anyhow::{Result, bail};
use clap::{Args, Command, FromArgMatches};
use std::fs;
use std::path::{Path, PathBuf};

/// Refuses to take products from where a record says, unless whoever asks says the same: what lies there is started, and results may
/// be somebody else's. From a folder that is not there nothing is, and engines of this build need none.
///
/// # Errors
/// Another folder than `own`.
pub(super) fn refuse_products_of_others(engines: &[String], recorded: &Path, own: &Path) -> Result<()> {
    if has_product(engines) && is_anothers(recorded, own) {
        bail!(
            "this run took its products from {}, and what lies there would be started; if you trust it, add --engines-dir {}",
            recorded.display(),
            recorded.display()
        );
    }
    Ok(())
}

/// The command that continues a run, with what [`refuse_products_of_others`] asks for where nobody said it in the environment.
pub(super) fn resume_line(folder: &Path, engines: &[String], recorded: &Path) -> String {
    let line = format!("bench run --resume {}", folder.display());
    let is_said = !has_product(engines) || by_default().is_some_and(|own| !is_anothers(recorded, &own));
    if is_said { line } else { format!("{line} --engines-dir {}", recorded.display()) }
}

/// Whether a product is among the engines asked for; nobody asked for is every engine of this build.
fn has_product(engines: &[String]) -> bool {
    engines.iter().any(|name| !engines::is_of_this_build(name))
}

fn is_anothers(recorded: &Path, own: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    real(recorded).is_some_and(|there| real(own) != Some(there))
}

/// Where products are looked for when the command line does not say it.
fn by_default() -> Option<PathBuf> {
    let matches = EnginesDir::augment_args(Command::new("bench")).try_get_matches_from(["bench"]).ok()?;
    EnginesDir::from_arg_matches(&matches).ok().map(|dir| dir.root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_a_record_are_taken_from_there_only_if_the_user_names_the_same_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = root.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let (recorded, own) = (folder("recorded"), folder("own"));
        let asked = ["stagedag".to_owned(), "duckdb".to_owned()];
        let refuse = |recorded: &Path, own: &Path| refuse_products_of_others(&asked, recorded, own);
        let said = refuse(&recorded, &own).unwrap_err().to_string();
        assert!(said.contains(&format!("add --engines-dir {}", recorded.display())), "{said}");
        refuse(&recorded, &own.join("../recorded")).unwrap();
        refuse(&root.path().join("missing"), &own).unwrap();
        refuse_products_of_others(&asked[..1], &recorded, &own).unwrap();
        refuse_products_of_others(&["all".to_owned()], &recorded, &own).unwrap_err();
        let line = |engines: &[String], recorded: &Path| resume_line(Path::new("out"), engines, recorded);
        assert!(line(&asked, &recorded).ends_with(&format!("--engines-dir {}", recorded.display())));
        assert_eq!(line(&asked, &root.path().join("missing")), "bench run --resume out");
        assert_eq!(line(&[], &recorded), "bench run --resume out");
    }
}
