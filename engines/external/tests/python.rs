//! Claims of the drivers, which are written in Python: those that need the standard library only, and those of every product that is
//! installed in `BENCH_ENGINES`. What is not installed is passed over; what is installed and broken fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn external() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the test files of a folder; at least one test must be among them.
#[track_caller]
fn run(python: &Path, folder: &str, pattern: &str) {
    let (drivers, folder) = (external().join("python"), external().join(folder));
    let mut command = Command::new(python);
    command.args(["-m", "unittest", "discover", "-p", pattern, "-s"]).arg(&folder);
    // What Python would leave beside its programs would be packed into this one.
    command.env("PYTHONPATH", drivers).env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = command.output().unwrap_or_else(|e| panic!("{} does not run: {e}", python.display()));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{} {}: {}\n{said}", python.display(), folder.display(), ran.status);
    assert!(said.contains("Ran ") && !said.contains("Ran 0 tests"), "{}: {said}", folder.display());
}

/// The Python of a product's environment, if it is installed.
fn installed(product: &str) -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("BENCH_ENGINES")?).join(product).join("venv/bin/python");
    python.is_file().then_some(python)
}

#[test]
fn what_all_drivers_share_keeps_its_claims() {
    run(Path::new("python3"), "tests", "test_*.py");
}

#[test]
fn whoever_fits_packages_to_an_older_c_library_needs_none_and_keeps_its_claims() {
    run(Path::new("python3"), "python/glibc_fit/tests", "test_*.py");
}

#[test]
fn whoever_watches_ray_needs_no_packages_and_keeps_its_claims() {
    run(Path::new("python3"), "python/ray/tests", "test_watchdog.py");
}

#[test]
fn whoever_reads_the_traces_of_products_needs_no_packages_and_keeps_its_claims() {
    for folder in ["python/spark/tests", "python/dask_cluster/tests", "python/ray_cluster/tests"] {
        run(Path::new("python3"), folder, "test_task_spans.py");
    }
}

#[test]
fn the_drivers_of_installed_products_keep_their_claims() {
    let suites = [
        ("dask", "python/dask/tests"),
        ("ray", "python/ray/tests"),
        ("spark", "python/spark/tests"),
        ("sail", "python/sail/tests"),
        ("ballista", "python/ballista/tests"),
        ("dask-datafusion", "python/datafusion_kernel/tests"),
        ("polars", "python/polars/tests"),
        ("datafusion-py", "python/datafusion-py/tests"),
    ];
    for (product, folder) in suites {
        assert!(external().join(folder).is_dir(), "{folder} is gone");
        if let Some(python) = installed(product) {
            run(&python, folder, "test_*.py");
        }
    }
}

#[test]
fn every_folder_of_tests_is_one_that_is_run() {
    let text = include_str!("python.rs");
    let mut found = 0;
    for entry in external().join("python").read_dir().unwrap().flatten() {
        let tests = entry.path().join("tests");
        let is_suite = |name: &str| name.starts_with("test_") && name.ends_with(".py");
        let names = tests.read_dir().into_iter().flatten().flatten().map(|e| e.file_name());
        if names.filter(|name| name.to_str().is_some_and(is_suite)).count() > 0 {
            let folder = format!("\"python/{}/tests\"", entry.file_name().to_string_lossy());
            assert!(text.contains(&folder), "{folder} is never run");
            found += 1;
        }
    }
    assert!(found >= 11, "{found} folders of tests");
}
