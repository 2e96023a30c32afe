//! `bench engines`, and how runs choose products.

use super::cluster::Nodes;
use super::place::{DataDir, Output};
use super::value::{Slots, ValueError};
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
    /// Runs each product in these configurations, such as default,tuned, as columns of their own [default: default].
    /// `bench list engines` names those of each, docs/products.md says what they are; --set NAME.config=tuned chooses for one
    /// product.
    #[arg(long, value_name = "C,D", value_delimiter = ',')]
    pub(crate) configs: Vec<String>,
    /// Connects a product to its own running cluster instead of starting one here, such as spark=spark://host:7077; may be
    /// repeated. That is how work of production size is measured. How large the cluster is has to be said, and goes into the
    /// record.
    #[arg(long, value_name = "NAME=ADDRESS", requires_all = ["attach_nodes", "attach_slots"])]
    pub(crate) attach: Vec<Attach>,
    /// Says how many machines the attached cluster has, 1 to 200.
    #[arg(long, value_name = "N", requires = "attach")]
    pub(crate) attach_nodes: Option<Nodes>,
    /// Says how many tasks run at a time on each machine of the attached cluster.
    #[arg(long, value_name = "N", requires = "attach")]
    pub(crate) attach_slots: Option<Slots>,
    #[command(flatten)]
    pub(crate) folder: EnginesDir,
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
        if holds_secret(address) {
            return Err(ValueError::Secret);
        }
        Ok(Self { engine: engine.to_owned(), address: address.to_owned() })
    }
}

/// Whether an address says who connects, or has parameters, of which any may be a secret: `sc://host:1/;token=...`. That the connection
/// is to be encrypted is none.
fn holds_secret(address: &str) -> bool {
    let mut parts = address.split(';');
    let place = parts.next().unwrap_or_default();
    place.contains('@') || place.contains('?') || parts.any(|part| !part.is_empty() && !part.starts_with("use_ssl="))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_secret_is_refused_before_it_is_recorded() {
        let parsed = |text: &str| text.parse::<Attach>().map(|a| a.address).map_err(|e| e.to_string());
        for plain in ["sc://host:15002", "sc://host:15002/;use_ssl=true", "local-cluster[2,1,1024]"] {
            assert_eq!(parsed(&format!("sail={plain}")), Ok(plain.to_owned()));
        }
        for secret in [
            "sc://h:1/;token=s3cret",
            "sc://h:1/;use_ssl=true;x-key=s3cret",
            "ray://me:s3cret@h:1",
            "tcp://h:1?k=s3cret",
        ] {
            let said = parsed(&format!("sail={secret}")).unwrap_err();
            assert!(said.contains("no token") && !said.contains("s3cret"), "{said}");
        }
    }
}
