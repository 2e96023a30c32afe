//! What is installed where.
//!
//! ```text
//! ENGINES/engines.toml               a user's own engines (optional)
//! ENGINES/drivers-HASH/              the drivers of one build
//! ENGINES/NAME/installed.json        says what is installed; written last
//! ENGINES/NAME/venv/                 the virtual environment
//! ENGINES/NAME.lock                  held while somebody installs or removes it
//! ```

use crate::catalog::{Product, Source};
use crate::drivers;
use crate::environment::{Surroundings, variables};
use crate::error::ExternalError;
use crate::fit::FITTED;
use crate::needs::{self, Packages};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use twox_hash::XxHash3_64;

/// The file that makes an installation one.
const MARK: &str = "installed.json";

/// A folder of installed products.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// What the mark of an installation says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    /// Of the list of packages with their hashes.
    pub(crate) requirements: String,
    /// The packages that were asked for, `name==version` each.
    pub(crate) packages: Vec<String>,
    /// Which of them was fitted to this system's C library, and to which version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fitted: Option<String>,
}

/// How a product stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// It can be started.
    Installed {
        /// Its packages, `name==version` each; none for a user's own command.
        packages: Vec<String>,
        /// A package that is not as it was published: it was fitted to an older C library.
        #[serde(skip_serializing_if = "Option::is_none")]
        fitted: Option<String>,
    },
    /// It cannot, and what to do.
    Missing {
        /// Why not.
        why: String,
    },
}

/// How a product's driver is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The command line.
    pub argv: Vec<OsString>,
    /// The variables it needs.
    pub environment: Vec<(OsString, OsString)>,
}

impl Store {
    /// The folder need not exist yet.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        // A virtual environment is found by its absolute path.
        Self { root: std::path::absolute(root).unwrap_or_else(|_| root.to_owned()) }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How a product stands here and now.
    #[must_use]
    pub fn state(&self, product: &Product) -> State {
        match self.installed(product) {
            Ok(mark) => State::Installed { packages: mark.packages, fitted: mark.fitted },
            Err(why) => State::Missing { why },
        }
    }

    fn installed(&self, product: &Product) -> Result<Mark, String> {
        if product.source != Source::BuiltIn {
            return Ok(Mark::default());
        }
        // First: to install what cannot run here would be in vain.
        let how = needs::check(product)?;
        let command = format!("bench engines install {}", product.name);
        let mark = match fs::read(self.folder(product).join(MARK)) {
            Ok(bytes) => serde_json::from_slice::<Mark>(&bytes).ok(),
            Err(_) if self.folder(product).exists() => return Err(format!("not fully installed ({command})")),
            Err(_) => return Err(format!("not installed ({command})")),
        };
        let mark = mark.filter(|mark| mark.requirements == requirements(product));
        let mark = mark.ok_or_else(|| format!("installed for another build ({command})"))?;
        // One that is fitted runs on newer systems too.
        if matches!(how, Packages::Fitted(_)) && mark.fitted.is_none() {
            return Err(format!("installed for another system ({command})"));
        }
        Ok(mark)
    }

    /// How to start its driver.
    ///
    /// # Errors
    /// Why it cannot be, and what to do.
    pub fn command(&self, product: &Product, around: Surroundings<'_>) -> Result<Command, String> {
        self.installed(product)?;
        if let Source::Command(words) = &product.source {
            let environment = variables(product, None, None, around);
            return Ok(Command { argv: words.iter().map(OsString::from).collect(), environment });
        }
        let folder = drivers::unpack(&self.root).map_err(|e| e.to_string())?;
        let venv = self.folder(product).join("venv");
        let driver = folder.join(&product.name).join("driver.py");
        let argv = vec![venv.join("bin/python").into(), driver.into()];
        Ok(Command { argv, environment: variables(product, Some(&venv), Some(&folder), around) })
    }

    /// Removes what is installed of a product; false if nothing was.
    ///
    /// # Errors
    /// Files that cannot be removed, or somebody who installs it.
    pub fn remove(&self, product: &Product) -> Result<bool, ExternalError> {
        if product.source != Source::BuiltIn {
            return Err(ExternalError::NothingToInstall(product.name.clone()));
        }
        if !self.folder(product).exists() {
            return Ok(false);
        }
        let _lock = self.lock(product)?;
        self.clear(product)?;
        Ok(true)
    }

    /// The mark goes first: what is half removed does not look installed.
    pub(crate) fn clear(&self, product: &Product) -> Result<(), ExternalError> {
        let folder = self.folder(product);
        for (path, removed) in
            [(folder.join(MARK), fs::remove_file(folder.join(MARK))), (folder.clone(), fs::remove_dir_all(&folder))]
        {
            match removed {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(ExternalError::io("remove", path)(e)),
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) fn mark(&self, product: &Product, mark: &Mark) -> Result<(), ExternalError> {
        let folder = self.folder(product);
        let (draft, path) = (folder.join(".installed"), folder.join(MARK));
        let text = serde_json::to_vec_pretty(mark).unwrap_or_default();
        fs::write(&draft, text).map_err(ExternalError::io("write", &draft))?;
        fs::rename(&draft, &path).map_err(ExternalError::io("write", &path))
    }

    pub(crate) fn folder(&self, product: &Product) -> PathBuf {
        self.root.join(&product.name)
    }

    /// Whoever installs or removes it is alone with it. Ends with the process, however that ends.
    pub(crate) fn lock(&self, product: &Product) -> Result<File, ExternalError> {
        self.locked(product, File::try_lock)
    }

    /// Keeps a product as it is for as long as the file lives: nobody can install or remove it meanwhile, and everybody can use it.
    /// A user's own command is nobody's to keep.
    ///
    /// # Errors
    /// Somebody installs or removes it, or the folder cannot be written.
    pub fn hold(&self, product: &Product) -> Result<Option<File>, ExternalError> {
        match product.source {
            Source::BuiltIn => self.locked(product, File::try_lock_shared).map(Some),
            Source::Command(_) => Ok(None),
        }
    }

    fn locked(
        &self,
        product: &Product,
        lock: impl FnOnce(&File) -> Result<(), TryLockError>,
    ) -> Result<File, ExternalError> {
        fs::create_dir_all(&self.root).map_err(ExternalError::io("make the folder", &self.root))?;
        let path = self.root.join(format!("{}.lock", product.name));
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(ExternalError::io("open", &path))?;
        match lock(&file) {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(ExternalError::Busy(product.name.clone())),
            Err(TryLockError::Error(e)) => Err(ExternalError::io("lock", path)(e)),
        }
    }
}

/// What identifies the packages of a product.
pub(crate) fn requirements(product: &Product) -> String {
    let text = |file: &str| drivers::text(&format!("{}/{file}", product.name)).unwrap_or_default();
    format!("{:016x}", XxHash3_64::oneshot([text("requirements.txt"), text(FITTED)].concat().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Fitted};

    fn product(name: &str) -> Product {
        Catalog::open(Path::new("/nonexistent"), &[]).unwrap().get(name).unwrap().clone()
    }

    fn around(scratch: &Path) -> Surroundings<'_> {
        Surroundings { scratch, slots: 3, attached: false }
    }

    #[test]
    fn only_a_whole_installation_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (store, duckdb) = (Store::new(folder.path()), product("duckdb"));
        let why = |store: &Store| match store.state(&duckdb) {
            State::Missing { why } => why,
            State::Installed { .. } => String::new(),
        };
        assert_eq!(why(&store), "not installed (bench engines install duckdb)");
        fs::create_dir_all(store.folder(&duckdb).join("venv")).unwrap();
        assert_eq!(why(&store), "not fully installed (bench engines install duckdb)");
        let mark = |requirements: String| Mark { requirements, packages: vec!["duckdb==2".into()], fitted: None };
        store.mark(&duckdb, &mark("0".into())).unwrap();
        assert_eq!(why(&store), "installed for another build (bench engines install duckdb)");
        store.mark(&duckdb, &mark(requirements(&duckdb))).unwrap();
        assert_eq!(store.state(&duckdb), State::Installed { packages: vec!["duckdb==2".into()], fitted: None });
        assert!(store.remove(&duckdb).unwrap() && !store.remove(&duckdb).unwrap());
        assert_eq!(why(&store), "not installed (bench engines install duckdb)");
    }

    #[test]
    fn what_was_fitted_is_said_and_what_was_not_does_not_count_where_it_has_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let (store, ballista) = (Store::new(folder.path()), product("ballista"));
        // A system that is older than any that it was published for, and new enough for what is fitted.
        let old = Product {
            glibc: Some("9.9".into()),
            fitted: Some(Fitted {
                package: "ballista".into(),
                machine: std::env::consts::ARCH.into(),
                glibc: "0.1".into(),
            }),
            ..ballista
        };
        fs::create_dir_all(store.folder(&old)).unwrap();
        let mark = |fitted: Option<&str>| Mark {
            requirements: requirements(&old),
            fitted: fitted.map(str::to_owned),
            ..Mark::default()
        };
        let identity = |store: &Store| store.identity(&old, "default").into_iter().find(|(name, _)| name == "fitted");
        store.mark(&old, &mark(None)).unwrap();
        let why = "installed for another system (bench engines install ballista)".to_owned();
        assert_eq!((store.state(&old), identity(&store)), (State::Missing { why }, None));
        store.mark(&old, &mark(Some("ballista for glibc 0.1"))).unwrap();
        let fitted = Some("ballista for glibc 0.1".to_owned());
        assert_eq!(store.state(&old), State::Installed { packages: vec![], fitted: fitted.clone() });
        assert_eq!(identity(&store).map(|(_, value)| value), fitted, "it is another engine than the published one");
        let new = Product { glibc: Some("0.1".into()), ..old.clone() };
        assert!(matches!(store.state(&new), State::Installed { .. }), "the system was brought up to date since");
    }

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (store, duckdb) = (Store::new(folder.path()), product("duckdb"));
        fs::create_dir_all(store.folder(&duckdb)).unwrap();
        let lock = store.lock(&duckdb).unwrap();
        assert!(matches!(store.remove(&duckdb), Err(ExternalError::Busy(_))));
        drop(lock);
        assert!(store.remove(&duckdb).unwrap());
    }

    #[test]
    fn what_is_in_use_is_neither_installed_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (store, duckdb) = (Store::new(folder.path()), product("duckdb"));
        fs::create_dir_all(store.folder(&duckdb)).unwrap();
        let users = [store.hold(&duckdb).unwrap(), store.hold(&duckdb).unwrap()];
        assert!(users.iter().all(Option::is_some), "two runs may measure it at once");
        assert!(matches!(store.remove(&duckdb), Err(ExternalError::Busy(_))));
        let installed = store.install(&duckdb, &[], &std::sync::atomic::AtomicBool::new(false), &|_| {});
        assert!(matches!(installed, Err(ExternalError::Busy(_))), "{installed:?}");
        drop(users);
        let alone = soon(|| store.lock(&duckdb));
        assert!(matches!(store.hold(&duckdb), Err(ExternalError::Busy(_))));
        drop(alone);
        assert!(soon(|| store.remove(&duckdb)));
    }

    /// What is free once nobody else has the lock: a process that another test starts has all files of this one, until its program begins.
    fn soon<T>(attempt: impl Fn() -> Result<T, ExternalError>) -> T {
        let begun = std::time::Instant::now();
        loop {
            match attempt() {
                Err(ExternalError::Busy(_)) if begun.elapsed().as_secs() < 5 => std::thread::yield_now(),
                other => return other.unwrap(),
            }
        }
    }

    #[test]
    fn a_driver_is_started_by_its_own_python_within_its_limits() {
        let folder = tempfile::tempdir().unwrap();
        let (store, duckdb) = (Store::new(folder.path()), product("duckdb"));
        assert!(store.command(&duckdb, around(folder.path())).is_err());
        fs::create_dir_all(store.folder(&duckdb)).unwrap();
        store.mark(&duckdb, &Mark { requirements: requirements(&duckdb), ..Mark::default() }).unwrap();
        let command = store.command(&duckdb, around(Path::new("/s"))).unwrap();
        assert_eq!(command.argv[0], folder.path().join("duckdb/venv/bin/python"));
        assert!(Path::new(&command.argv[1]).is_file());
        let value = |name: &str| command.environment.iter().find(|(n, _)| n == name).map(|(_, v)| v.to_str().unwrap());
        assert_eq!((value("OMP_NUM_THREADS"), value("HOME")), (Some("3"), Some("/s")));
        assert_eq!(value("SPARK_LOCAL_IP"), Some("127.0.0.1"));
        assert!(value("PYTHONPATH").is_some_and(|path| path.contains("drivers-")));
    }

    #[test]
    fn a_user_s_own_engine_needs_no_installation() {
        let folder = tempfile::tempdir().unwrap();
        let own = Product { source: Source::Command(vec!["/opt/mine".into()]), ..product("duckdb") };
        let store = Store::new(folder.path());
        assert_eq!(store.command(&own, around(folder.path())).unwrap().argv, ["/opt/mine"]);
        assert!(matches!(store.remove(&own), Err(ExternalError::NothingToInstall(_))));
    }
}
