//! `bench engines`, and how runs choose products.

use super::place::{DataDir, Output};
use super::value::ValueError;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::str::FromStr;

/// Where products are installed.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnginesDir {
    /// Keeps installed products in this folder, a few hundred MiB each; its engines.toml adds engines of your own.
    #[arg(
        long = "engines-dir",
        value_name = "DIR",
        env = "BENCH_ENGINES",
        hide_env_values = true,
        default_value = "bench-engines"
    )]
    pub(crate) root: PathBuf,
}

/// How products take part in a run.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Products {
    /// Runs each product in these configurations, default or tuned or both, as columns of their own [default: default].
    /// `docs/products.md` says what is in them; --set NAME.config=tuned does it for one product.
    #[arg(long, value_name = "C,D", value_delimiter = ',')]
    pub(crate) configs: Vec<Config>,
    /// Connects a product to its own running cluster instead of starting one here, such as spark=spark://host:7077; may be
    /// repeated. That is how work of production size is measured.
    #[arg(long, value_name = "NAME=ADDRESS")]
    pub(crate) attach: Vec<Attach>,
    #[command(flatten)]
    pub(crate) folder: EnginesDir,
}

/// A configuration of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Config {
    /// As it comes, held to the limits of the comparison.
    Default,
    /// As its makers advise.
    Tuned,
}

impl Config {
    /// Its name as a setting.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Tuned => "tuned",
        }
    }
}

/// A product and the address of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attach {
    /// Which product.
    pub(crate) engine: String,
    /// Checked against the product's kinds of addresses when the product is known.
    pub(crate) address: String,
}

impl FromStr for Attach {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let parts = text.split_once('=').filter(|(engine, address)| !engine.is_empty() && !address.is_empty());
        let (engine, address) = parts.ok_or(ValueError::Attach)?;
        Ok(Self { engine: engine.to_owned(), address: address.to_owned() })
    }
}

/// Installs, lists, checks and removes the products that styles are compared with.
///
/// Each gets a virtual environment of its own with exactly the packages of a list in this build, checked by their hashes. Only
/// `install` reaches for the network. Without any product everything else still works.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnginesArgs {
    #[command(subcommand)]
    pub(crate) what: EnginesWhat,
}

/// What to do with products.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum EnginesWhat {
    /// Installs products; `all` installs every one that this machine can have.
    Install {
        /// Installs these products. `bench engines list` shows them.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        #[command(flatten)]
        folder: EnginesDir,
    },
    /// Lists the products: installed with their packages, or missing and why.
    List {
        #[command(flatten)]
        folder: EnginesDir,
        #[command(flatten)]
        output: Output,
    },
    /// Removes what is installed of products.
    Remove {
        /// Removes these products.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        #[command(flatten)]
        folder: EnginesDir,
    },
    /// Checks that a driver keeps to the engine protocol: each request, each kind of refusal, cancelling, and that nothing it
    /// starts outlives it.
    ///
    /// For whoever writes a driver: `bench engines check -- COMMAND...` checks any command line. docs/engine-protocol.md is what it
    /// is held to.
    Check {
        /// Checks this product's driver.
        #[arg(value_name = "NAME", required_unless_present = "command", conflicts_with = "command")]
        name: Option<String>,
        /// Checks this command line instead.
        #[arg(value_name = "COMMAND", last = true)]
        command: Vec<String>,
        #[command(flatten)]
        folder: EnginesDir,
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
}
