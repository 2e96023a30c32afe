//! A virtual environment with exactly the packages of a product's list, each checked against its hash.
//!
//! Nothing else is fetched or run: packages come ready to use, but for those of [`FROM_SOURCE`], which are built with tools that are
//! locked as well. Only these steps reach for the network, with the settings of whoever runs them (`pip.conf`, proxies). Arguments are words:
//! no shell is involved.

use crate::catalog::{Product, Source};
use crate::drivers;
use crate::error::ExternalError;
use crate::fit::install_fitted;
use crate::lock::{apart, locked, name_of};
use crate::needs::{self, Packages};
use crate::store::{Mark, Store, requirements};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a waiting installer looks at its interrupt flag.
const INTERRUPT_LATENCY: Duration = Duration::from_millis(100);
/// How much of the end of what a step printed is told when it fails.
const WORDS_CHARS: usize = 2000;

/// How long a step that is told to end may take: its keeper kills what it has started.
const END_PATIENCE: Duration = Duration::from_secs(15);
/// Packages of which their makers publish the source only.
const FROM_SOURCE: [&str; 2] = ["pyspark", "pyspark-client"];
/// What builds them.
const BUILD_TOOLS: &str = "build-requirements.txt";

/// What is told while it goes on.
pub type Progress<'a> = &'a dyn Fn(&str);

impl Store {
    /// Installs a product; false if it is installed already. `keeper` is put in front of each command line: it ends what it runs
    /// when this process ends.
    ///
    /// # Errors
    /// What is missing on this machine, or which step failed. Nothing is installed then.
    pub fn install(
        &self,
        product: &Product,
        keeper: &[OsString],
        stop: &AtomicBool,
        tell: Progress<'_>,
    ) -> Result<bool, ExternalError> {
        if product.source != Source::BuiltIn {
            return Err(ExternalError::NothingToInstall(product.name.clone()));
        }
        let lacks = |why: String| ExternalError::Needs(format!("`{}` {why}", product.name));
        let how = needs::check(product).map_err(lacks)?;
        let python = needs::python().map_err(lacks)?;
        let _lock = self.lock(product)?;
        if matches!(self.state(product), crate::State::Installed { .. }) {
            return Ok(false);
        }
        self.clear(product)?;
        let folder = self.folder(product);
        fs::create_dir_all(&folder).map_err(ExternalError::io("make the folder", &folder))?;
        let text = drivers::text(&format!("{}/requirements.txt", product.name)).unwrap_or_default();
        let venv = folder.join("venv");
        let step = Step { store: self, product, keeper, stop };
        tell("making the virtual environment");
        step.run("venv", &[python, "-m".into(), "venv".into(), venv.clone().into()])?;
        let python = venv.join("bin/python").into_os_string();
        if locked(text).any(|(name, _)| FROM_SOURCE.contains(&name.as_str())) {
            tell("installing what builds packages");
            let tools = listed(&folder.join(BUILD_TOOLS), drivers::text(BUILD_TOOLS).unwrap_or_default())?;
            step.run("build-tools", &pip(&python, "install", &[], &tools))?;
        }
        let list = match how {
            Packages::Published => text.to_owned(),
            Packages::Fitted(fitted) => {
                let (one, others) = apart(text, &fitted.package);
                tell(&format!("fitting {} to glibc {}", fitted.package, fitted.glibc));
                install_fitted(&step, &python, fitted, &one)?;
                others
            }
        };
        tell("installing the packages");
        let list = listed(&folder.join("requirements.txt"), &list)?;
        let source = FROM_SOURCE.join(",");
        step.run("pip", &pip(&python, "install", &["--no-binary", &source, "--no-build-isolation"], &list))?;
        let fitted = match how {
            Packages::Published => None,
            Packages::Fitted(fitted) => Some(fitted.told()),
        };
        self.mark(product, &Mark { requirements: requirements(product), packages: packages(product), fitted })?;
        Ok(true)
    }
}

/// The file of a list of packages.
pub(crate) fn listed(path: &Path, text: &str) -> Result<PathBuf, ExternalError> {
    fs::write(path, text).map_err(ExternalError::io("write", path))?;
    Ok(path.to_owned())
}

/// What `pip` is told to do with exactly the packages of a list, each checked against its hash and ready to use, but for what `more`
/// says.
pub(crate) fn pip(python: &OsString, what: &str, more: &[&str], list: &Path) -> Vec<OsString> {
    let mut words = vec![python.clone()];
    words.extend(["-m", "pip", what, "--disable-pip-version-check", "--no-input"].map(OsString::from));
    words.extend(["--require-hashes", "--no-deps", "--only-binary", ":all:"].map(OsString::from));
    words.extend(more.iter().map(OsString::from));
    words.extend(["-r".into(), list.as_os_str().to_owned()]);
    words
}

/// The packages that a product's list was made from, at the versions it locks.
fn packages(product: &Product) -> Vec<String> {
    let file = |name: &str| drivers::text(&format!("{}/{name}", product.name)).unwrap_or_default();
    let asked: Vec<String> = file("requirements.in")
        .lines()
        .filter(|line| !line.trim_start().starts_with(['#', '-']))
        .map(name_of)
        .collect();
    let wanted = locked(file("requirements.txt")).filter(|(name, _)| asked.contains(name));
    wanted.map(|(_, word)| word.to_owned()).collect()
}

/// Where and how the steps of an installation are run.
pub(crate) struct Step<'a> {
    pub(crate) store: &'a Store,
    pub(crate) product: &'a Product,
    pub(crate) keeper: &'a [OsString],
    pub(crate) stop: &'a AtomicBool,
}

impl Step<'_> {
    /// Runs one step to its end; everything it prints goes to a file, of which the end is told if it fails.
    ///
    /// # Errors
    /// How it ended, or that it was interrupted.
    pub(crate) fn run(&self, name: &'static str, argv: &[OsString]) -> Result<(), ExternalError> {
        let path = self.store.folder(self.product).join(format!("{name}.log"));
        let log = File::create(&path).map_err(ExternalError::io("write", &path))?;
        let errors = log.try_clone().map_err(ExternalError::io("write", &path))?;
        let failed = |how: String| {
            let text = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let from = text.char_indices().rev().nth(WORDS_CHARS).map_or(0, |(at, _)| at);
            let words = text.get(from..).unwrap_or_default().trim().to_owned();
            ExternalError::Step { name: self.product.name.clone(), step: name, how, words }
        };
        let mut words = self.keeper.iter().chain(argv);
        let program = words.next().ok_or_else(|| failed("has no command".to_owned()))?;
        let mut command = Command::new(program);
        // Variables of an activated environment would lead the steps astray.
        command.args(words).env_remove("PYTHONPATH").env_remove("PYTHONHOME").env_remove("VIRTUAL_ENV");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut child = command.spawn().map_err(|e| failed(format!("cannot be started ({e})")))?;
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(_)) if self.stop.load(Ordering::Relaxed) => return Err(ExternalError::Interrupted),
                Ok(Some(status)) => return Err(failed(format!("ended with {status}"))),
                Ok(None) => {}
                Err(e) => return Err(failed(format!("cannot be waited for ({e})"))),
            }
            if self.stop.load(Ordering::Relaxed) {
                end(&mut child);
                return Err(ExternalError::Interrupted);
            }
            std::thread::sleep(INTERRUPT_LATENCY);
        }
    }
}

/// Tells a keeper to end, so that it can end what it keeps: killed at once, it would leave its children to write on. By force after
/// a while.
fn end(child: &mut Child) {
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).stderr(Stdio::null()).status();
    let deadline = Instant::now() + END_PATIENCE;
    while told.as_ref().is_ok_and(|told| told.success()) && Instant::now() < deadline {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(INTERRUPT_LATENCY),
            Ok(Some(_)) | Err(_) => return,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    #[test]
    fn what_is_told_as_installed_is_what_was_asked_for_at_the_locked_version() {
        let catalog = Catalog::open(Path::new("/nonexistent"), &[]).unwrap();
        let told = packages(catalog.get("datafusion-py").unwrap());
        assert!(told.contains(&"datafusion==55.0.0".to_owned()) && told.len() == 2, "{told:?}");
    }

    #[test]
    fn only_packages_that_exist_as_source_alone_are_built_and_with_locked_tools() {
        let words = pip(&"python".into(), "install", &["--no-binary", "a,b"], Path::new("list"));
        let said: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
        assert!(
            said.windows(2).any(|w| w == ["--only-binary", ":all:"]) && said.contains(&"--require-hashes"),
            "{said:?}"
        );
        let tools = drivers::text(BUILD_TOOLS).unwrap();
        assert_eq!(locked(tools).map(|(name, _)| name).collect::<Vec<_>>(), ["packaging", "setuptools", "wheel"]);
        assert_eq!(tools.matches("--hash=sha256:").count(), 3);
        let catalog = Catalog::open(Path::new("/nonexistent"), &[]).unwrap();
        let built = |product: &&Product| {
            let text = drivers::text(&format!("{}/requirements.txt", product.name)).unwrap_or_default();
            locked(text).any(|(name, _)| FROM_SOURCE.contains(&name.as_str()))
        };
        assert_eq!(catalog.iter().filter(built).map(|p| p.name.as_str()).collect::<Vec<_>>(), ["spark", "sail"]);
    }

    #[test]
    fn an_interrupted_step_is_told_to_end_and_takes_its_children_along() {
        let folder = tempfile::tempdir().unwrap();
        let (begun, ended) = (folder.path().join("begun"), folder.path().join("ended"));
        let catalog = Catalog::open(Path::new("/nonexistent"), &[]).unwrap();
        let (store, product) = (Store::new(&folder.path().join("store")), catalog.get("polars").unwrap());
        // A keeper that is killed at once could end nothing.
        let script = format!(
            "trap 'kill $!; echo > {}; exit 1' TERM; sleep 60 & echo > {}; wait",
            ended.display(),
            begun.display()
        );
        let keeper: [OsString; 4] = ["/bin/sh".into(), "-c".into(), script.into(), "sh".into()];
        let stop = AtomicBool::new(false);
        let stopped = std::thread::scope(|threads| {
            threads.spawn(|| {
                while !begun.exists() {
                    std::thread::yield_now();
                }
                stop.store(true, Ordering::Relaxed);
            });
            store.install(product, &keeper, &stop, &|_| {})
        });
        assert!(matches!(stopped, Err(ExternalError::Interrupted)), "{stopped:?}");
        assert!(ended.exists(), "it was not asked");
    }

    #[test]
    fn a_step_that_fails_says_why_and_leaves_nothing_that_looks_installed() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(Path::new("/nonexistent"), &[]).unwrap();
        let (store, product) = (Store::new(folder.path()), catalog.get("polars").unwrap());
        // In place of a keeper: whatever is to be run, this is.
        let keeper = ["/bin/sh", "-c", "echo no room; exit 7", "sh"].map(OsString::from);
        let failed = store.install(product, &keeper, &AtomicBool::new(false), &|_| {}).unwrap_err();
        let said = failed.to_string();
        assert!(said.starts_with("installing `polars`: venv ended with exit status: 7: no room"), "{said}");
        assert!(matches!(store.state(product), crate::State::Missing { .. }));
        let stopped = store.install(product, &["/bin/sleep".into(), "60".into()], &AtomicBool::new(true), &|_| {});
        // `sleep` takes no words: it ends at once, or is stopped.
        assert!(matches!(stopped, Err(ExternalError::Interrupted)), "{stopped:?}");
    }
}
