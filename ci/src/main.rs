//! `cargo ci`: every check this repository makes of itself, behind one door.
//!
//! | module | idea |
//! |---|---|
//! | `check` | a named check, and running several without stopping at the first failure |
//! | `cargo` | checks that cargo itself makes: fmt, clippy, docs, tests |
//! | `packages` | what `cargo metadata` says, reduced to what is asked here |
//! | `licences` | whether every dependency's licence is acceptable, from `licences.toml` |
//! | `layers` | whether dependencies point only where `layers.toml` lets them, and tests share the build of runs |
//! | `unused` | whether every declared dependency is named in the sources |
//! | `source` | Rust text with comments and strings blanked out, and where its tests are |
//! | `tidy` | rules of house style, and whether generated text is fresh |

mod cargo;
mod check;
mod layers;
mod licences;
mod packages;
mod source;
mod tidy;
mod unused;

use check::{Check, Ground};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Every check, in the order in which failures are cheapest to find.
const CHECKS: &[Check] =
    &[cargo::FMT, layers::LAYERS, licences::LICENCES, tidy::TIDY, cargo::TESTS, cargo::CLIPPY, cargo::DOCS];

/// Checks that are made only where they are named.
const ON_REQUEST: &[Check] = &[cargo::PRODUCTS];

/// Runs this repository's checks [default: all but products] and says at the end which failed.
///
/// Run it before every change is handed over. Exit code 0 means that all passed, 1 that one failed.
#[derive(Debug, Parser)]
#[command(name = "cargo ci", bin_name = "cargo ci", max_term_width = 100)]
struct Arguments {
    /// Runs these checks only: fmt, layers, licences, tidy, tests, clippy, docs, products.
    #[arg(value_name = "CHECK", value_parser = check_names())]
    checks: Vec<String>,
    /// The same, separated by commas. For scripts.
    #[arg(long, value_name = "CHECKS", value_delimiter = ',', value_parser = check_names())]
    only: Vec<String>,
    /// Leaves these checks out, separated by commas.
    #[arg(long, value_name = "CHECKS", value_delimiter = ',', value_parser = check_names())]
    skip: Vec<String>,
    /// Mends what a machine can mend: formatting, and generated text in documents.
    #[arg(long)]
    fix: bool,
}

fn check_names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(CHECKS.iter().chain(ON_REQUEST).map(|check| check.name))
}

impl Arguments {
    /// The checks to make, in order.
    fn wanted(&self) -> Vec<&'static Check> {
        let named = |list: &[String], check: &Check| list.iter().any(|one| one == check.name);
        let asked = |check: &Check| named(&self.checks, check) || named(&self.only, check);
        let all = self.checks.is_empty() && self.only.is_empty();
        let wanted =
            CHECKS.iter().filter(|check| all || asked(check)).chain(ON_REQUEST.iter().filter(|check| asked(check)));
        wanted.filter(|check| !named(&self.skip, check)).collect()
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().unwrap_or(root);
    let ground = Ground { root, fix: arguments.fix };
    if check::run_all(&arguments.wanted(), &ground) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let wanted: Vec<_> = arguments.wanted().into_iter().map(|check| check.name).collect();
        assert_eq!(wanted, expected, "{line}");
    }

    #[test]
    fn checks_are_chosen_by_name() {
        check("ci", &["fmt", "layers", "licences", "tidy", "tests", "clippy", "docs"]);
        check("ci --skip tests,clippy,docs", &["fmt", "layers", "licences", "tidy"]);
        check("ci tidy --fix", &["tidy"]);
        check("ci --only fmt,docs --skip docs", &["fmt"]);
        check("ci products tidy", &["tidy", "products"]);
        assert!(Arguments::try_parse_from(["ci", "everything"]).is_err());
    }
}
