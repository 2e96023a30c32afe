//! What a user wants computed, and how its answer is checked. A program never asks where it runs.

use crate::digest::Digest;
use crate::graph::Graph;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A kind of work: decides which engines can run it and where it stands in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// SQL text.
    Sql,
    /// Dataframe programs.
    Dataframe,
    /// Zero-work task graphs: what the runtime itself costs.
    Overhead,
}

impl Family {
    /// Every family, in report order.
    pub const ALL: [Self; 3] = [Self::Sql, Self::Dataframe, Self::Overhead];
    /// Its name on the command line, in records and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Dataframe => "dataframe",
            Self::Overhead => "overhead",
        }
    }
}

/// A named program on named data with a check of its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Its name, such as `tpch-q01`.
    pub name: String,
    /// Its family.
    pub family: Family,
    /// One line on what it does.
    pub title: String,
    /// What to compute.
    pub program: Program,
    /// The dataset it reads; none for zero-work graphs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// How its answer is checked.
    pub check: Check,
}

/// What to compute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// A query over tables.
    Query(Query),
    /// A ready graph of kernel calls.
    Graph(Graph),
}

/// The form that a program is written in: what an engine may lack as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// SQL text.
    Sql,
    /// Dataframe steps.
    Frame,
    /// A graph of kernel calls.
    Graph,
}

impl Program {
    /// The form it is written in.
    #[must_use]
    pub const fn form(&self) -> Form {
        match self {
            Self::Query(query) => query.form(),
            Self::Graph(_) => Form::Graph,
        }
    }
}

impl Query {
    /// The form it is written in.
    #[must_use]
    pub const fn form(&self) -> Form {
        match self {
            Self::Sql(_) => Form::Sql,
            Self::Frame(_) => Form::Frame,
        }
    }
}

/// A query over tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// SQL text.
    Sql(String),
    /// Dataframe steps, applied in order.
    Frame(Vec<Step>),
}

/// One dataframe step. Expressions are SQL expressions over the current columns, as in Spark's `expr`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Start from a table.
    Scan(String),
    /// Keep the rows for which the expression is true.
    Filter(String),
    /// Keep and compute columns: expressions, optionally `AS name`.
    Select(Vec<String>),
    /// One row per distinct combination of `by`, with aggregates.
    Group(Aggregate),
    /// Join with another table (`steps` may prepare it first).
    Join {
        /// The other table.
        table: String,
        /// Equal columns: `left = right` pairs, or one name for both.
        on: Vec<(String, String)>,
        /// Which rows survive.
        #[serde(default)]
        how: JoinKind,
        /// Steps applied to the other table before joining.
        #[serde(default)]
        steps: Vec<Step>,
    },
    /// Order the rows.
    Sort(Vec<SortKey>),
    /// Keep the first rows.
    Limit(u64),
    /// Add window columns: expressions with an OVER clause, `AS name`.
    Window(Vec<String>),
    /// Keep one of equal rows.
    Distinct,
    /// One column per listed value of `column`, aggregated from `value`.
    Pivot {
        /// The columns that stay.
        by: Vec<String>,
        /// The column whose values become columns.
        column: String,
        /// Those values, as SQL literals.
        values: Vec<String>,
        /// The aggregate, such as `sum(v1)`, applied where `column` equals the value.
        value: String,
    },
}

/// A grouped aggregation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// Grouping expressions; none aggregates the whole.
    #[serde(default)]
    pub by: Vec<String>,
    /// Aggregate expressions, `AS name`.
    pub agg: Vec<String>,
}

/// Which rows a join keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinKind {
    /// Matching pairs.
    #[default]
    Inner,
    /// Every left row, with NULLs where nothing matches.
    Left,
    /// Left rows with a match.
    Semi,
    /// Left rows without one.
    Anti,
}

/// One key of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SortKey {
    /// The column's name in the result.
    pub column: String,
    /// Largest first.
    #[serde(default)]
    pub descending: bool,
    /// NULLs before values.
    #[serde(default)]
    pub nulls_first: bool,
}

/// How an answer is checked.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Columns compared within a tolerance although their type is exact (a decimal average, say), with their relative
    /// tolerance. Floating-point columns are approximate without being listed; listing one sets its tolerance.
    pub approx: BTreeMap<String, f64>,
    /// The order the rows must have, if the program asks for one.
    pub order_by: Vec<SortKey>,
    /// The program cuts rows off after ordering and several rows may tie at the cut: rows equal to the last one in
    /// `order_by` are compared by those columns only.
    pub ties_at_cut: bool,
    /// The expected answer, by whom and how it was made, if it is known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<(Digest, String)>,
}

impl Check {
    /// The relative tolerance of approximate columns that name none.
    pub const DEFAULT_TOLERANCE: f64 = 1e-9;
}
