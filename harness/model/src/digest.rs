//! The fingerprint of an answer: exact where values are exact, tolerant where they are floating point.

use crate::block::Checksum;
use serde::{Deserialize, Serialize};

/// The fingerprint of a result as a multiset of rows.
///
/// Exactly comparable columns (integers, decimals without trailing zeros, text, dates, booleans) go into one
/// order-independent checksum. An approximate column is summarised by its non-null count and three sums that survive
/// rounding: of the values, of their magnitudes, and of the values weighted by a hash of the row's exact columns, which
/// ties each value to its row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// How many rows.
    pub rows: u64,
    /// Names of the columns compared exactly, in order.
    pub exact_columns: Vec<String>,
    /// The checksum over the exact columns.
    pub exact: Checksum,
    /// The columns compared within a tolerance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approx: Vec<ColumnDigest>,
}

/// An approximate column's part of a [`Digest`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDigest {
    /// The column's name.
    pub name: String,
    /// How many values are neither NULL nor NaN.
    pub count: u64,
    /// How many values are NaN or infinite.
    #[serde(default)]
    pub non_finite: u64,
    /// Sum of the finite values.
    pub sum: f64,
    /// Sum of their magnitudes: the scale that the tolerance refers to.
    pub magnitude: f64,
    /// Sum of each value times a weight in [0.5, 1.5) drawn from its row's exact columns.
    pub weighted: f64,
}
