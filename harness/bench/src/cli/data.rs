//! `bench data`.

use super::place::{DataDir, Output};
use super::value::{Scale, Share, Slots};
use clap::{Args, Subcommand, ValueEnum};

/// Makes, lists, verifies and removes the tables that suites read.
///
/// `bench run` makes what it needs by itself; these commands are for preparing a machine, for other scales and for
/// skewed keys.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    pub(crate) what: DataWhat,
}

/// What to do with tables.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub(crate) enum DataWhat {
    Make(MakeArgs),
    /// Lists the table sets in the data folder: scale, rows, bytes and whether they were verified.
    List {
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Reads tables back and compares every file with its checksum.
    Verify {
        /// Verifies these table sets [default: all].
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        output: Output,
    },
    /// Removes table sets, finished or not.
    Rm {
        /// Removes these table sets. `bench data list` shows their names.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        #[command(flatten)]
        data: DataDir,
    },
}

/// Makes the tables of a suite, or one table set at any scale and skew.
///
/// The same arguments make the same bytes on any machine with any number of threads. Interrupted work is continued;
/// nothing unfinished is ever taken for finished.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct MakeArgs {
    /// Makes every table set of this suite. `bench list suites` shows all.
    #[arg(value_name = "SUITE", required_unless_present = "tables")]
    pub(crate) suite: Option<String>,
    /// Makes one table set: tpch for SQL, groupby for group-by and join questions.
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "suite")]
    pub(crate) tables: Option<Tables>,
    /// Makes the table set this large; 1 stands for a gigabyte of text.
    #[arg(long, value_name = "FACTOR", conflicts_with = "suite", default_value = "1")]
    pub(crate) scale: Scale,
    /// Spreads the keys of the groupby tables like this [default: uniform]. Skew shows how an engine copes with one busy
    /// partition; the suites skew-smoke and skew measure it.
    #[arg(long, value_enum, value_name = "SKEW", conflicts_with = "suite")]
    pub(crate) skew: Option<Skew>,
    /// Makes this share of the groupby tables' keys NULL, from 0 to 0.5 in steps of 0.01 [default: 0].
    #[arg(long, value_name = "SHARE", conflicts_with = "suite")]
    pub(crate) null_share: Option<Share>,
    /// Draws the groupby tables from this seed [default: 1]. Another seed shows what depends on the very values.
    #[arg(long, value_name = "N", conflicts_with = "suite")]
    pub(crate) seed: Option<u64>,
    /// Generates with this many threads [default: the cores this process may use].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<Slots>,
    #[command(flatten)]
    pub(crate) data: DataDir,
}

/// A kind of table set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tables {
    /// Eight tables derived from TPC-H.
    Tpch,
    /// A group-by table and four join tables in the shape of the db-benchmark.
    Groupby,
}

/// How often each key occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Skew {
    /// Every key equally often.
    Uniform,
    /// Zipf's law with exponent 0.8.
    #[value(name = "zipf0.8")]
    Zipf08,
    /// Zipf's law with exponent 1.2.
    #[value(name = "zipf1.2")]
    Zipf12,
    /// Half of all rows have one key.
    #[value(name = "hot")]
    HotKey,
}
