//! The products, and a provider of engines that knows them beside those of this build.

use crate::cli::engines::EnginesDir;
use crate::engines;
use anyhow::{Context, Result};
use bench_external::{Catalog, KeptPort, Product, Source, Store, Surroundings};
use bench_lab::hosted::{HostedEngine, HostedProvider, Origin};
use bench_lab::live::{EngineProvider, EngineSpec, Failure, LiveEngine};
use bench_model::{Capabilities, ClusterSpec, NodeLimits};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

/// Stands for every engine and product there is.
pub(crate) const ALL: &str = "all";

/// What can be installed, and what is.
#[derive(Clone, Debug)]
pub(crate) struct Products {
    pub(crate) catalog: Catalog,
    pub(crate) store: Store,
}

impl Products {
    /// The products of this program and of a folder.
    ///
    /// # Errors
    /// A folder whose catalogue is wrong.
    pub(crate) fn open(folder: &EnginesDir) -> Result<Self> {
        let mut taken = engines::NAMES.to_vec();
        taken.push(ALL);
        Ok(Self { catalog: Catalog::open(&folder.root, &taken)?, store: Store::new(&folder.root) })
    }

    /// What a product can do, as every engine tells it.
    pub(crate) fn capabilities(product: &Product) -> Capabilities {
        Capabilities {
            families: product.families.clone(),
            switches: &bench_external::CONFIG,
            distributed: false,
            slots_max: None,
            about: "a product",
        }
    }

    /// The names of all engines: those of this build, then the products.
    pub(crate) fn names(&self) -> Vec<&str> {
        engines::NAMES.into_iter().chain(self.catalog.iter().map(|p| p.name.as_str())).collect()
    }

    /// How a product's driver is started in this folder, and kept.
    ///
    /// # Errors
    /// Why it cannot be, and what to do.
    pub(crate) fn host(&self, product: &Product, spec: &EngineSpec, scratch: &Path) -> Result<HostedEngine, Failure> {
        // Whether its cluster is another one's, who started it, wherever that is.
        let attached = spec.cluster.is_elsewhere();
        let around = Surroundings { scratch, slots: spec.slots, attached };
        let command = self.store.command(product, around).map_err(Failure::NotReady)?;
        let keeper = keeper().map_err(|e| Failure::Harness(format!("{e:#}")))?;
        let argv = keeper.into_iter().chain(command.argv).collect();
        // A driver of one's own may take part under several names.
        let name = (product.source == Source::BuiltIn).then(|| product.name.clone());
        let stands_still = product.stands_still && !attached;
        let limits = match &spec.cluster {
            ClusterSpec::Emulated { limits, .. } => *limits,
            _ => NodeLimits::default(),
        };
        // A node's quota takes the place of its slots' CPUs, for styles and products alike.
        let cpus = (!attached && limits.cpu_milli.is_none()).then_some(spec.slots.saturating_mul(spec.cluster.nodes()));
        let (environment, origin) = (command.environment, Origin::Foreign);
        Ok(HostedEngine { name, argv, environment, origin, cpus, stands_still, limits, is_attached: attached })
    }
}

/// What is put in front of a command line so that nothing it starts outlives it.
///
/// # Errors
/// The path of the running program is unknown.
pub(crate) fn keeper() -> Result<Vec<OsString>> {
    let program = std::env::current_exe().context("cannot find this program")?;
    Ok(vec![program.into(), "engine-keeper".into(), "--".into()])
}

/// What is kept for a product until the run is over.
struct Held {
    #[expect(dead_code, reason = "it is locked for as long as the file is open")]
    lock: Option<File>,
    port: Option<KeptPort>,
}

/// Starts engines of this build as this program and products as their drivers.
pub(crate) struct Provider {
    here: HostedProvider,
    products: Products,
    /// Keeps each product that has taken part from being installed or removed, and its port from being taken, until the run is over.
    held: Mutex<BTreeMap<String, Held>>,
}

impl Provider {
    /// Scratch folders are made below `scratch`.
    ///
    /// # Errors
    /// The path of the running program is unknown.
    pub(crate) fn new(products: Products, scratch: PathBuf) -> Result<Self> {
        let here = HostedProvider::this_program(scratch).context("cannot find this program")?;
        Ok(Self { here, products, held: Mutex::default() })
    }

    /// The products that it knows.
    pub(crate) fn products(&self) -> &Products {
        &self.products
    }

    fn hold(&self, product: &Product, cluster: &ClusterSpec) -> Result<(), Failure> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = match held.entry(product.name.clone()) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(free) => {
                let lock = self.products.store.hold(product).map_err(|e| Failure::NotReady(e.to_string()))?;
                free.insert(Held { lock, port: None })
            }
        };
        // One elsewhere listens there. Where it cannot be kept, because somebody has it, the product itself says so when it starts.
        let port = product.port.filter(|_| !cluster.is_elsewhere());
        held.port = held.port.take().or_else(|| port.and_then(|port| KeptPort::keep(port).ok()));
        Ok(())
    }

    /// Whether an engine is a product: one that does not start is no reason to stop a run.
    pub(crate) fn is_product(&self, name: &str) -> bool {
        self.products.catalog.find(name).is_some()
    }
}

impl EngineProvider for Provider {
    fn start(&self, engine: &EngineSpec, stop: &AtomicBool) -> Result<Box<dyn LiveEngine>, Failure> {
        match self.products.catalog.find(&engine.name) {
            None => self.here.start(engine, stop),
            Some(product) => {
                self.hold(product, &engine.cluster)?;
                self.here.start_as(engine, |scratch| self.products.host(product, engine, scratch), stop)
            }
        }
    }
}
