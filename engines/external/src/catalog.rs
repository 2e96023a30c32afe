//! The products as data: those of this program, and those that a user adds in `engines.toml` of the engines folder.

use crate::error::ExternalError;
use bench_model::{Family, Switch, SwitchDefault};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroU16;
use std::path::Path;

/// The products of this program.
const BUILT_IN: &str = include_str!("../engines.toml");
/// The file of an engines folder that adds a user's own.
pub(crate) const OWN: &str = "engines.toml";
/// The configuration of a product as it comes, held to the limits of the comparison.
pub const DEFAULT: &str = "default";
/// That of a product as its makers advise.
pub const TUNED: &str = "tuned";
/// The one switch of every product: its configurations lie beside its driver.
pub static CONFIG: [Switch; 1] =
    [Switch { name: "config", default: SwitchDefault::Name(DEFAULT), help: "Settings, each with reason and source" }];

/// Where a product's driver comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This program holds it, and it is installed into a virtual environment.
    BuiltIn,
    /// A user's command line that speaks the protocol.
    Command(Vec<String>),
}

/// An option that may reach a cluster that runs already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttachOption {
    /// The configuration: its settings are those of a session, not of the cluster's processes.
    Config,
    /// The limit of memory.
    Memory,
}

/// A package that lacks nothing but optional functions where the C library is older than the one it was published for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// Its name.
    pub package: String,
    /// The kind of machine for which that is known, as in names of wheels.
    pub machine: String,
    /// The least version of glibc that has all that is not optional.
    pub glibc: String,
}

/// One product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name on the command line and in records.
    pub name: String,
    /// What it is, in one line.
    pub about: String,
    /// Families it has programs for.
    pub families: Vec<Family>,
    /// The least version of Java it needs, if any.
    pub java: Option<u32>,
    /// The least version of the C library that its packages run with, as `major.minor`, if they say.
    pub glibc: Option<String>,
    /// What can be fitted to an older one.
    pub fitted: Option<Fitted>,
    /// Why only one of it can run on a machine at a time, if that is so.
    pub one_at_a_time: Option<String>,
    /// The port that it listens on whatever it is told, if there is one.
    pub port: Option<NonZeroU16>,
    /// Whether its processes are stopped while it waits for its turn: else they would work in everybody else's.
    pub stands_still: bool,
    /// The beginnings of addresses of clusters it can be connected to.
    pub attach: Vec<String>,
    /// The beginnings of addresses of clusters of which one client takes all slots, so that another one would wait for it.
    pub attach_alone: Vec<String>,
    /// The beginnings of addresses at which it starts the cluster itself, on this machine.
    pub attach_here: Vec<String>,
    /// Which of its options take effect on a cluster that it is connected to.
    pub attach_takes: Vec<AttachOption>,
    /// Variables it is started with besides.
    pub environment: BTreeMap<String, String>,
    /// Where its driver comes from.
    pub source: Source,
}

/// Every product, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog(Vec<Product>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    engine: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    about: String,
    families: Vec<Family>,
    #[serde(default)]
    java: Option<u32>,
    #[serde(default)]
    glibc: Option<String>,
    #[serde(default)]
    fitted: Option<Fitted>,
    #[serde(default)]
    one_at_a_time: Option<String>,
    #[serde(default)]
    port: Option<NonZeroU16>,
    #[serde(default)]
    stands_still: bool,
    #[serde(default)]
    attach: Vec<String>,
    #[serde(default)]
    attach_alone: Vec<String>,
    #[serde(default)]
    attach_here: Vec<String>,
    #[serde(default)]
    attach_takes: Vec<AttachOption>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    command: Vec<String>,
}

impl Catalog {
    /// The products of this program and those of `folder`, none of which may be called like one of `taken`.
    ///
    /// # Errors
    /// A file that is no catalogue, or a name that is taken.
    pub fn open(folder: &Path, taken: &[&str]) -> Result<Self, ExternalError> {
        let mut products = parse(BUILT_IN, Path::new("engines/external/engines.toml"), false, taken)?;
        let path = folder.join(OWN);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let known: Vec<&str> = products.iter().map(|p| p.name.as_str()).chain(taken.iter().copied()).collect();
                let own = parse(&text, &path, true, &known)?;
                products.extend(own);
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(ExternalError::io("read", path)(e)),
        }
        Ok(Self(products))
    }

    /// Every product, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Product> {
        self.0.iter()
    }

    /// The product of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Product> {
        self.0.iter().find(|product| product.name == name)
    }

    /// The product of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &str) -> Result<&Product, ExternalError> {
        self.find(name).ok_or_else(|| {
            let known: Vec<&str> = self.iter().map(|p| p.name.as_str()).collect();
            ExternalError::Unknown { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

fn parse(text: &str, path: &Path, own: bool, taken: &[&str]) -> Result<Vec<Product>, ExternalError> {
    let wrong = |why: String| ExternalError::Catalog { path: path.to_owned(), why };
    let file: File = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
    let mut products: Vec<Product> = Vec::new();
    for entry in file.engine {
        let name = entry.name;
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !is_name {
            return Err(wrong(format!("`{name}` is no name; use a-z, 0-9 and -")));
        }
        if taken.contains(&name.as_str()) || products.iter().any(|p| p.name == name) {
            return Err(wrong(format!("`{name}` is the name of another engine; choose one of your own")));
        }
        if entry.families.is_empty() {
            return Err(wrong(format!("`{name}` has no families; give some of sql, dataframe")));
        }
        let source = match (own, entry.command.is_empty()) {
            (false, true) => Source::BuiltIn,
            (true, false) => Source::Command(entry.command),
            _ => {
                return Err(wrong(format!(
                    "`{name}` needs `command`, the words of a command line that speaks the protocol"
                )));
            }
        };
        products.push(Product {
            name,
            about: entry.about,
            families: entry.families,
            java: entry.java,
            glibc: entry.glibc,
            fitted: entry.fitted,
            one_at_a_time: entry.one_at_a_time,
            port: entry.port,
            stands_still: entry.stands_still,
            attach: entry.attach,
            attach_alone: entry.attach_alone,
            attach_here: entry.attach_here,
            attach_takes: entry.attach_takes,
            environment: entry.environment,
            source,
        });
    }
    Ok(products)
}

impl Product {
    /// Whether it can be connected to a cluster of that address.
    #[must_use]
    pub fn can_attach(&self, address: &str) -> bool {
        self.attach.iter().any(|start| address.len() > start.len() && address.starts_with(start.as_str()))
    }

    /// Whether the cluster of that address is of processes that it starts itself: they are counted, and bound to CPUs, as all others that it starts.
    #[must_use]
    pub fn starts_at(&self, address: &str) -> bool {
        self.attach_here.iter().any(|start| address.starts_with(start.as_str()))
    }

    /// Whether only one client at a time gets anything of the cluster at that address.
    #[must_use]
    pub fn is_alone_at(&self, address: &str) -> bool {
        self.attach_alone.iter().any(|start| address.starts_with(start.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers;

    #[test]
    fn every_product_has_a_driver_with_locked_packages_and_two_configurations() {
        let catalog = Catalog::open(Path::new("/nonexistent"), &[]).unwrap();
        assert!(catalog.iter().count() >= 10);
        for product in catalog.iter() {
            for file in ["driver.py", "requirements.txt", "default.toml", "tuned.toml"] {
                let path = format!("{}/{file}", product.name);
                assert!(drivers::text(&path).is_some(), "{path} is missing");
            }
            let locked = drivers::text(&format!("{}/requirements.txt", product.name)).unwrap_or_default();
            assert!(locked.contains("--hash=sha256:"), "{}: packages without hashes", product.name);
            assert!(!locked.contains("index-url"), "{}: an index is the user's choice", product.name);
        }
    }

    #[test]
    fn a_user_adds_engines_under_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| fs::write(folder.path().join(OWN), text).unwrap();
        let entry = |name: &str, rest: &str| {
            format!("[[engine]]\nname = \"{name}\"\nabout = \"\"\nfamilies = [\"sql\"]\n{rest}\n")
        };
        write(&entry("mine", "command = [\"/opt/mine\", \"--serve\"]"));
        let catalog = Catalog::open(folder.path(), &["actor"]).unwrap();
        let command = vec!["/opt/mine".to_owned(), "--serve".to_owned()];
        assert_eq!(catalog.find("mine").unwrap().source, Source::Command(command));
        for (text, why) in [
            (entry("spark", "command = [\"x\"]"), "another engine"),
            (entry("actor", "command = [\"x\"]"), "another engine"),
            (entry("mine", ""), "needs `command`"),
            (entry("../x", "command = [\"x\"]"), "is no name"),
            (entry("mine", "speed = 1"), "unknown field"),
        ] {
            write(&text);
            let said = Catalog::open(folder.path(), &["actor"]).unwrap_err().to_string();
            assert!(said.contains(why) && said.contains("engines.toml"), "{said}");
        }
    }

    #[test]
    fn the_pages_name_only_addresses_that_are_taken() {
        let catalog = Catalog::open(Path::new("/nonexistent"), &[]).unwrap();
        let pages = [
            include_str!("../../../docs/products.md"),
            include_str!("../../../docs/products/spark.md"),
            include_str!("../../../docs/products/sail.md"),
            include_str!("../../../docs/products/ballista.md"),
            include_str!("../../../docs/products/dask.md"),
            include_str!("../../../docs/products/ray.md"),
        ];
        let mut found = 0;
        for told in pages.iter().flat_map(|page| page.split("`--attach ").skip(1)) {
            let told = told.split(['`', ' ', '\n']).next().unwrap_or_default();
            let (name, address) = told.split_once('=').unwrap_or_else(|| panic!("`--attach {told}` names no product"));
            assert!(catalog.get(name).unwrap().can_attach(address), "`--attach {told}` would be refused");
            found += 1;
        }
        assert!(found >= 5, "{found} addresses");
    }

    #[test]
    fn clusters_are_told_by_their_addresses() {
        let catalog = Catalog::open(Path::new("/nonexistent"), &[]).unwrap();
        let can = |name: &str, address: &str| catalog.find(name).unwrap().can_attach(address);
        assert!(can("spark", "spark://host:7077") && can("dask", "tcp://host:8786") && can("ray", "ray://host:10001"));
        let starts = |name: &str, address: &str| catalog.find(name).unwrap().starts_at(address);
        assert!(starts("spark", "local-cluster[2,1,1024]") && !starts("spark", "spark://host:7077"));
        assert!(
            can("ray", "gcs://host:6379")
                && !can("spark", "spark://")
                && !can("spark", "tcp://host")
                && !can("duckdb", "tcp://host")
        );
        assert!(catalog.get("sparc").unwrap_err().to_string().contains("known: spark, "));
    }
}
