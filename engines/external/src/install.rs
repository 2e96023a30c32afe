//! A virtual environment with exactly the packages of a product's list, each checked against its hash.
//!
//! Only these steps reach for the network, with the settings of whoever runs them (`pip.conf`, proxies). Arguments are words:
//! no shell is involved.

use crate::catalog::{Product, Source};
use crate::drivers;
use crate::error::ExternalError;
use crate::needs;
use crate::store::{Mark, Store, requirements};
use std::ffi::OsString;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a waiting installer looks at its interrupt flag.
const INTERRUPT_LATENCY: Duration = Duration::from_millis(100);
/// How much of the end of what a step printed is told when it fails.
const WORDS_CHARS: usize = 2000;

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
        needs::check(product).map_err(lacks)?;
        let python = needs::python().map_err(lacks)?;
        let _lock = self.lock(product)?;
        if matches!(self.state(product), crate::State::Installed { .. }) {
            return Ok(false);
        }
        self.clear(product)?;
        let folder = self.folder(product);
        fs::create_dir_all(&folder).map_err(ExternalError::io("make the folder", &folder))?;
        let list = folder.join("requirements.txt");
        let text = drivers::text(&format!("{}/requirements.txt", product.name)).unwrap_or_default();
        fs::write(&list, text).map_err(ExternalError::io("write", &list))?;
        let venv = folder.join("venv");
        let step = Step { store: self, product, keeper, stop };
        tell("making the virtual environment");
        step.run("venv", &[python, "-m".into(), "venv".into(), venv.clone().into()])?;
        tell("installing the packages");
        let mut pip: Vec<OsString> = vec![venv.join("bin/python").into()];
        pip.extend(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"].map(OsString::from));
        pip.extend(["--require-hashes", "--no-deps", "-r"].map(OsString::from));
        pip.push(list.into());
        step.run("pip", &pip)?;
        self.mark(product, &Mark { requirements: requirements(product), packages: packages(product) })?;
        Ok(true)
    }
}

/// The packages that a product's list was made from, at the versions it locks.
fn packages(product: &Product) -> Vec<String> {
    let file = |name: &str| drivers::text(&format!("{}/{name}", product.name)).unwrap_or_default();
    let normal = |name: &str| name.trim().to_ascii_lowercase().replace('_', "-");
    let asked: Vec<String> = file("requirements.in")
        .lines()
        .filter(|line| !line.trim_start().starts_with(['#', '-']))
        .map(|line| normal(line.split(['=', '<', '>', '~', '[', ';', ' ']).next().unwrap_or_default()))
        .collect();
    let locked = file("requirements.txt").lines().filter_map(|line| line.split_ascii_whitespace().next());
    let pinned = locked.filter(|word| word.contains("==") && !word.starts_with('-'));
    let wanted = pinned.filter(|word| word.split("==").next().is_some_and(|name| asked.contains(&normal(name))));
    wanted.map(str::to_owned).collect()
}

struct Step<'a> {
    store: &'a Store,
    product: &'a Product,
    keeper: &'a [OsString],
    stop: &'a AtomicBool,
}

impl Step<'_> {
    /// Runs one step to its end; everything it prints goes to a file, of which the end is told if it fails.
    fn run(&self, name: &'static str, argv: &[OsString]) -> Result<(), ExternalError> {
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
                // The keeper is told through its parent's death or this signal; its children go with it.
                let _ = child.kill();
                let _ = child.wait();
                return Err(ExternalError::Interrupted);
            }
            std::thread::sleep(INTERRUPT_LATENCY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;
    use std::path::Path;

    #[test]
    fn what_is_told_as_installed_is_what_was_asked_for_at_the_locked_version() {
        let catalog = Catalog::open(Path::new("/nonexistent"), &[]).unwrap();
        let told = packages(catalog.get("datafusion-py").unwrap());
        assert!(told.contains(&"datafusion==55.0.0".to_owned()) && told.len() == 2, "{told:?}");
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
