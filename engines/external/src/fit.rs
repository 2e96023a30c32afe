//! A package that was published for a newer C library than this system has, though it could do without: fetched as all others are, fitted
//! by `python/glibc_fit`, and held against the hash that the result has to have. It is said wherever the product is named.

use crate::catalog::Fitted;
use crate::drivers;
use crate::error::ExternalError;
use crate::install::{Step, listed, pip};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The list beside a product's requirements with the hash of what comes out.
pub(crate) const FITTED: &str = "fitted.txt";
/// What fits a wheel.
const PROGRAM: &str = "glibc_fit/fit.py";

impl Fitted {
    /// What is told of an installation that has it.
    pub(crate) fn told(&self) -> String {
        format!("{} for glibc {}", self.package, self.glibc)
    }

    /// How names of wheels call systems with that glibc.
    fn platform(&self, glibc: &str) -> String {
        format!("manylinux_{}_{}", glibc.replace('.', "_"), self.machine)
    }
}

/// Installs a package fitted to this system. `list` asks for the package as it was published.
///
/// # Errors
/// Which step failed: a wheel that is not the locked one, that cannot be fitted, or that comes out with another hash.
pub(crate) fn install_fitted(
    step: &Step<'_>,
    python: &OsString,
    fitted: &Fitted,
    list: &str,
) -> Result<(), ExternalError> {
    let product = step.product;
    let folder = step.store.folder(product);
    let (published, done) = (folder.join("published"), folder.join("fitted"));
    for place in [&published, &done] {
        fs::create_dir_all(place).map_err(ExternalError::io("make the folder", place))?;
    }
    let list = listed(&folder.join("published.txt"), list)?;
    let least = product.glibc.as_deref().unwrap_or_default();
    let (platform, into) = (fitted.platform(least), published.display().to_string());
    step.run("pip-download", &pip(python, "download", &["--platform", &platform, "--dest", &into], &list))?;
    let wheel = only_file(&published)?;
    let program = drivers::unpack(step.store.root())?.join(PROGRAM);
    let mut words = vec![python.clone(), program.into(), wheel.into(), done.clone().into()];
    words.extend(["--published", least, "--fitted", &fitted.glibc].map(OsString::from));
    step.run("fit", &words)?;
    let text = drivers::text(&format!("{}/{FITTED}", product.name)).unwrap_or_default();
    let (list, from) = (listed(&folder.join(FITTED), text)?, done.display().to_string());
    step.run("pip-fitted", &pip(python, "install", &["--no-index", "--find-links", &from], &list))?;
    // They are installed now, and large.
    for place in [published, done] {
        fs::remove_dir_all(&place).map_err(ExternalError::io("remove", &place))?;
    }
    Ok(())
}

/// The one file of a folder.
fn only_file(folder: &Path) -> Result<PathBuf, ExternalError> {
    let unread = |source| ExternalError::io("read", folder)(source);
    let files = fs::read_dir(folder).map_err(unread)?.map(|entry| entry.map(|e| e.path()));
    let mut files: Vec<PathBuf> = files.collect::<Result<_, _>>().map_err(unread)?;
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(file),
        _ => Err(unread(std::io::Error::other("it was to hold one wheel"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::{apart, locked};
    use crate::{Catalog, Product, Store};
    use std::sync::atomic::AtomicBool;

    fn ballista() -> Product {
        Catalog::open(Path::new("/nonexistent"), &[]).unwrap().get("ballista").unwrap().clone()
    }

    #[test]
    fn what_is_fitted_is_the_locked_version_with_one_hash_of_its_own() {
        let product = ballista();
        let fitted = product.fitted.as_ref().unwrap();
        let text = drivers::text(&format!("ballista/{FITTED}")).unwrap();
        let (published, _) = apart(drivers::text("ballista/requirements.txt").unwrap(), &fitted.package);
        assert_eq!(locked(text).collect::<Vec<_>>(), locked(&published).collect::<Vec<_>>());
        let hash = |text: &str| text.split("--hash=sha256:").skip(1).map(|h| h[..64].to_owned()).collect::<Vec<_>>();
        assert_eq!(hash(text).len(), 1);
        assert!(!hash(&published).contains(&hash(text)[0]), "it is not what was published");
    }

    /// Runs the installation with a shell script in place of every step; what was run, a line each.
    fn ran(script: &str) -> (Result<(), ExternalError>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let (product, store) = (ballista(), Store::new(&folder.path().join("store")));
        let log = folder.path().join("log");
        let script = format!("echo \"$@\" >> {}; {script}", log.display());
        let keeper: [OsString; 4] = ["/bin/sh".into(), "-c".into(), script.into(), "sh".into()];
        let stop = AtomicBool::new(false);
        let step = Step { store: &store, product: &product, keeper: &keeper, stop: &stop };
        let fitted = product.fitted.as_ref().unwrap();
        let done = install_fitted(&step, &"python".into(), fitted, "ballista==1 --hash=sha256:00\n");
        let left: Vec<bool> = ["published", "fitted"].map(|at| store.folder(&product).join(at).exists()).into();
        assert_eq!(left, [done.is_err(); 2], "wheels are removed once they are installed");
        let said = fs::read_to_string(log).unwrap();
        (done, said.lines().map(|line| line.replace(&folder.path().display().to_string(), "")).collect())
    }

    #[test]
    fn a_package_is_fetched_by_its_hash_fitted_and_held_against_the_hash_that_comes_out() {
        let fetches = "case \"$*\" in *download*) touch \"${14}/some.whl\";; esac";
        let (done, said) = ran(fetches);
        done.unwrap();
        let checked = "--disable-pip-version-check --no-input --require-hashes --no-deps --only-binary :all:";
        let at = "/store/ballista";
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(
            said[0],
            format!(
                "python -m pip download {checked} --platform manylinux_2_39_x86_64 --dest {at}/published -r {at}/published.txt"
            )
        );
        let fitted = format!("{PROGRAM} {at}/published/some.whl {at}/fitted --published 2.39 --fitted 2.34");
        assert!(said[1].starts_with("python /store/drivers-") && said[1].ends_with(&fitted), "{}", said[1]);
        assert_eq!(
            said[2],
            format!("python -m pip install {checked} --no-index --find-links {at}/fitted -r {at}/fitted.txt")
        );
    }

    #[test]
    fn a_wheel_that_cannot_be_fitted_is_not_installed() {
        let refuses =
            "case \"$*\" in *download*) touch \"${14}/some.whl\";; *fit.py*) echo it needs more; exit 1;; esac";
        let (done, said) = ran(refuses);
        let why = done.unwrap_err().to_string();
        assert!(why.contains("installing `ballista`: fit ended with exit status: 1: it needs more"), "{why}");
        assert_eq!(said.len(), 2);
        let (done, said) = ran("true");
        assert!(done.unwrap_err().to_string().contains("it was to hold one wheel"));
        assert_eq!(said.len(), 1, "nothing was fetched");
    }
}
