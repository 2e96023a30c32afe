//! What has to be on this machine before a product can be.

use crate::catalog::{Fitted, Product};
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The least Python that drivers run on.
const PYTHON: (u32, u32) = (3, 11);
/// Names another Python to make virtual environments with.
pub(crate) const PYTHON_VARIABLE: &str = "BENCH_PYTHON";

/// The Python that virtual environments are made with.
///
/// # Errors
/// There is none, or it is too old, and what to do.
pub(crate) fn python() -> Result<OsString, String> {
    let program = env::var_os(PYTHON_VARIABLE).unwrap_or_else(|| "python3".into());
    let shown = program.to_string_lossy().into_owned();
    let next = format!("install Python {}.{} or newer, or name one in {PYTHON_VARIABLE}", PYTHON.0, PYTHON.1);
    let said = output(&program, &["-c", "import sys, ensurepip; print(*sys.version_info[:2])"]);
    let said =
        said.ok_or_else(|| format!("needs Python, and `{shown}` with its module `ensurepip` does not run: {next}"))?;
    let mut numbers = said.split_ascii_whitespace().filter_map(|n| n.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= PYTHON => Ok(program),
        _ => Err(format!(
            "needs Python {}.{}, and `{shown}` is {}: {next}",
            PYTHON.0,
            PYTHON.1,
            said.trim().replace(' ', ".")
        )),
    }
}

/// How a product's packages run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packages<'a> {
    /// As they were published.
    Published,
    /// One of them fitted to a C library that is older than the one it was published for.
    Fitted(&'a Fitted),
}

/// Whether a product could run here once it is installed, and how.
///
/// # Errors
/// What is missing, and what to do.
pub(crate) fn check(product: &Product) -> Result<Packages<'_>, String> {
    let packages = match &product.glibc {
        None => Packages::Published,
        Some(least) => {
            let said = output(&"getconf".into(), &["GNU_LIBC_VERSION"]);
            let fitted = product.fitted.as_ref().filter(|fitted| fitted.machine == env::consts::ARCH);
            enough_glibc(least, fitted, said.as_deref())?
        }
    };
    product.java.map_or(Ok(()), enough_java)?;
    Ok(packages)
}

/// Where not even fitting helps, nothing can be done but another system: compiling a product instead would make another one of it.
fn enough_glibc<'a>(least: &str, fitted: Option<&'a Fitted>, said: Option<&str>) -> Result<Packages<'a>, String> {
    let here = said.and_then(|said| said.trim().strip_prefix("glibc "));
    let is_enough = |least: &str| here.is_some_and(|here| version(here) >= version(least));
    match fitted {
        _ if is_enough(least) => Ok(Packages::Published),
        Some(fitted) if is_enough(&fitted.glibc) => Ok(Packages::Fitted(fitted)),
        _ => {
            let least = fitted.map_or(least, |fitted| &fitted.glibc);
            Err(format!("needs glibc {least}, here {}", here.unwrap_or("another C library")))
        }
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn enough_java(least: u32) -> Result<(), String> {
    let program =
        env::var_os("JAVA_HOME").map_or_else(|| PathBuf::from("java"), |home| PathBuf::from(home).join("bin/java"));
    let shown = program.display();
    let next = format!("install Java {least} or newer, and point JAVA_HOME at it");
    let said = Command::new(&program).arg("-version").stdin(Stdio::null()).output().ok();
    let said = said.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
    match java_version(&said) {
        Some(version) if version >= least => Ok(()),
        Some(version) => Err(format!("needs Java {least}, and `{shown}` is {version}: {next}")),
        None => Err(format!("needs Java {least}, and `{shown}` does not run: {next}")),
    }
}

/// The major version in what `java -version` prints: `openjdk version "17.0.9" 2023-10-17`; `1.8` is 8.
fn java_version(said: &str) -> Option<u32> {
    let (_, rest) = said.split_once("version \"")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next()?.ok()?, numbers.next()) {
        (1, Some(Ok(old))) => Some(old),
        (major, _) => Some(major),
    }
}

fn output(program: &OsString, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_c_library_that_is_too_old_is_said_beforehand() {
        let said = |here: Option<&str>| enough_glibc("2.39", None, here).err();
        assert_eq!(said(Some("glibc 2.36\n")).as_deref(), Some("needs glibc 2.39, here 2.36"));
        assert_eq!(said(Some("glibc 2.9\n")).as_deref(), Some("needs glibc 2.39, here 2.9"));
        assert_eq!((said(Some("glibc 2.39\n")), said(Some("glibc 3.0"))), (None, None));
        assert_eq!(said(None).as_deref(), Some("needs glibc 2.39, here another C library"));
    }

    #[test]
    fn what_can_be_fitted_is_so_only_between_the_two_versions() {
        let fitted = Fitted { package: "p".into(), machine: "x86_64".into(), glibc: "2.34".into() };
        let here = |here: Option<&str>| enough_glibc("2.39", Some(&fitted), here);
        for old in ["glibc 2.34\n", "glibc 2.36\n", "glibc 2.38\n"] {
            assert_eq!(here(Some(old)), Ok(Packages::Fitted(&fitted)), "{old}");
        }
        assert_eq!(here(Some("glibc 2.39\n")), Ok(Packages::Published), "as its makers meant it, where that works");
        assert_eq!(here(Some("glibc 2.33\n")), Err("needs glibc 2.34, here 2.33".to_owned()));
        assert_eq!(here(None), Err("needs glibc 2.34, here another C library".to_owned()));
    }

    #[test]
    fn versions_of_java_are_read_old_and_new() {
        for (said, version) in [
            ("openjdk version \"17.0.9\" 2023-10-17\nOpenJDK Runtime", Some(17)),
            ("openjdk version \"21\" 2023-09-19", Some(21)),
            ("java version \"1.8.0_392\"", Some(8)),
            ("Picked up _JAVA_OPTIONS: -Xmx1g\nopenjdk version \"25-ea\"", Some(25)),
            ("no such file", None),
        ] {
            assert_eq!(java_version(said), version, "{said}");
        }
    }
}
