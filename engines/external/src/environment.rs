//! The variables a product is started with. What the harness does not pass on is not there: no proxies, no keys, no settings of
//! whoever runs it.

use crate::catalog::Product;
use std::env;
use std::ffi::OsString;
use std::path::Path;

/// Where and within what a product is started.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// An empty folder of its own.
    pub scratch: &'a Path,
    /// How many tasks it may run at a time.
    pub slots: u32,
    /// Whether it is connected to a cluster that may be on other machines.
    pub attached: bool,
}

/// Pools of threads that libraries size by the machine unless they are told otherwise.
const THREADS: [&str; 7] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "TOKIO_WORKER_THREADS",
];
/// Nothing is reported to anybody, and Python behaves the same each time.
const ALWAYS: [(&str, &str); 6] = [
    ("DO_NOT_TRACK", "1"),
    ("SCARF_NO_ANALYTICS", "true"),
    ("PYTHONHASHSEED", "0"),
    ("PYTHONNOUSERSITE", "1"),
    ("PYTHONUNBUFFERED", "1"),
    ("NO_PROXY", "*"),
];
/// Servers that a product starts for itself are heard on this machine only.
const LOOPBACK: [(&str, &str); 1] = [("SPARK_LOCAL_IP", "127.0.0.1")];

/// The variables for a driver in the virtual environment `venv`, whose modules are found in `drivers`.
pub(crate) fn variables(
    product: &Product,
    venv: Option<&Path>,
    drivers: Option<&Path>,
    around: Surroundings<'_>,
) -> Vec<(OsString, OsString)> {
    let mut all: Vec<(OsString, OsString)> = Vec::new();
    let mut set = |name: &str, value: OsString| all.push((name.into(), value));
    for (name, value) in ALWAYS {
        set(name, value.into());
    }
    for name in THREADS {
        set(name, around.slots.to_string().into());
    }
    if !around.attached {
        for (name, value) in LOOPBACK {
            set(name, value.into());
        }
    }
    // Caches and settings of the user would make two runs differ.
    set("HOME", around.scratch.into());
    set("TMPDIR", around.scratch.into());
    if let Some(drivers) = drivers {
        set("PYTHONPATH", drivers.into());
    }
    if let Some(venv) = venv {
        let bin = venv.join("bin");
        set("VIRTUAL_ENV", venv.into());
        set("PYSPARK_PYTHON", bin.join("python").into());
        set("PYSPARK_DRIVER_PYTHON", bin.join("python").into());
        let mut path = bin.into_os_string();
        if let Some(rest) = env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        set("PATH", path);
    }
    for (name, value) in &product.environment {
        set(name, value.into());
    }
    all
}
