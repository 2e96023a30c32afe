//! Two digests side by side: equal, or the first difference in words.

use bench_model::{Check, ColumnDigest, Digest};

/// How an answer differs from what was expected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Mismatch {
    /// Another number of rows.
    #[error("{actual} rows instead of {expected}")]
    Rows {
        /// Rows of the expected answer.
        expected: u64,
        /// Rows of this one.
        actual: u64,
    },
    /// Another number of columns.
    #[error("{actual} columns instead of {expected}")]
    Columns {
        /// Columns of the expected answer.
        expected: usize,
        /// Columns of this one.
        actual: usize,
    },
    /// A column is floating point on one side and exact on the other.
    #[error(
        "approximate columns are [{actual}] but [{expected}] are expected: list the column under `approx` in the \
         workload's check, or cast it"
    )]
    Kinds {
        /// Approximate columns of the expected answer.
        expected: String,
        /// Approximate columns of this one.
        actual: String,
    },
    /// Some value of the exactly compared columns differs.
    #[error(
        "values differ in the exact columns [{columns}] (checksum {actual:.16} instead of {expected:.16}); to see \
         which, run it again with --keep-results, on an engine you trust too, and compare the files"
    )]
    Exact {
        /// The columns, by their expected names.
        columns: String,
        /// The expected checksum.
        expected: String,
        /// This one's checksum.
        actual: String,
    },
    /// An approximate column has another number of values, NULLs or non-finite values.
    #[error(
        "column `{column}` has {actual} finite and {actual_non_finite} other numbers instead of {expected} and \
         {expected_non_finite}"
    )]
    Count {
        /// The column, by its expected name.
        column: String,
        /// Finite values expected.
        expected: u64,
        /// Non-finite values expected.
        expected_non_finite: u64,
        /// Finite values found.
        actual: u64,
        /// Non-finite values found.
        actual_non_finite: u64,
    },
    /// A sum over an approximate column is off by more than its tolerance.
    #[error(
        "the {what} of column `{column}` is {actual:e} instead of {expected:e}: off by {error:.1e} of its magnitude, \
         {tolerance:.1e} is allowed"
    )]
    Approx {
        /// The column, by its expected name.
        column: String,
        /// Which sum.
        what: &'static str,
        /// The expected sum.
        expected: f64,
        /// This one's sum.
        actual: f64,
        /// The difference, relative to the column's magnitude.
        error: f64,
        /// The relative tolerance.
        tolerance: f64,
    },
    /// Rows are not in the order that the check demands.
    #[error("row {row} is out of order: rows must be ordered by {order_by}")]
    Order {
        /// The first row that sorts before its predecessor, counted from 0.
        row: u64,
        /// The order.
        order_by: String,
    },
    /// The check orders by a column that the answer does not have.
    #[error("the check orders by `{column}`, but the answer has only: {has}")]
    NoColumn {
        /// The column.
        column: String,
        /// The columns there are.
        has: String,
    },
    /// A column's type cannot be digested.
    #[error("column `{column}` cannot be digested: {why}")]
    Type {
        /// The column.
        column: String,
        /// Why.
        why: String,
    },
}

/// Whether `actual` is the expected answer. Columns correspond by position; messages use the expected names.
///
/// # Errors
/// The first difference, in an order that helps: shape, then exact values, then approximate ones.
pub fn compare(expected: &Digest, actual: &Digest, check: &Check) -> Result<(), Mismatch> {
    let columns = |d: &Digest| d.exact_columns.len() + d.approx.len();
    if columns(expected) != columns(actual) {
        return Err(Mismatch::Columns { expected: columns(expected), actual: columns(actual) });
    }
    if expected.rows != actual.rows {
        return Err(Mismatch::Rows { expected: expected.rows, actual: actual.rows });
    }
    if expected.approx.len() != actual.approx.len() {
        let names = |d: &Digest| d.approx.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Mismatch::Kinds { expected: names(expected), actual: names(actual) });
    }
    // Counts first: a NULL in an approximate column changes the exact checksum as well, and this says it better.
    for (expected, actual) in expected.approx.iter().zip(&actual.approx) {
        compare_counts(expected, actual)?;
    }
    if expected.exact != actual.exact {
        return Err(Mismatch::Exact {
            columns: expected.exact_columns.join(", "),
            expected: expected.exact.to_string(),
            actual: actual.exact.to_string(),
        });
    }
    for (expected, actual) in expected.approx.iter().zip(&actual.approx) {
        compare_sums(expected, actual, tolerance(check, &expected.name, &actual.name))?;
    }
    Ok(())
}

fn compare_counts(expected: &ColumnDigest, actual: &ColumnDigest) -> Result<(), Mismatch> {
    if (expected.count, expected.non_finite) == (actual.count, actual.non_finite) {
        return Ok(());
    }
    Err(Mismatch::Count {
        column: expected.name.clone(),
        expected: expected.count,
        expected_non_finite: expected.non_finite,
        actual: actual.count,
        actual_non_finite: actual.non_finite,
    })
}

fn compare_sums(expected: &ColumnDigest, actual: &ColumnDigest, tolerance: f64) -> Result<(), Mismatch> {
    let magnitude = expected.magnitude.max(actual.magnitude);
    // The largest weight is 1.5, so noise in the values can be that much larger in the weighted sum.
    let sums = [
        ("sum", expected.sum, actual.sum, 1.0),
        ("sum of magnitudes", expected.magnitude, actual.magnitude, 1.0),
        ("row-weighted sum (values moved between rows?)", expected.weighted, actual.weighted, 1.5),
    ];
    for (what, expected_sum, actual_sum, factor) in sums {
        // Compensated sums of the same values in another order may still differ in their last bits.
        let allowed = magnitude * (tolerance * factor).max(4.0 * f64::EPSILON);
        let difference = (expected_sum - actual_sum).abs();
        if difference > allowed || difference.is_nan() {
            return Err(Mismatch::Approx {
                column: expected.name.clone(),
                what,
                expected: expected_sum,
                actual: actual_sum,
                error: difference / magnitude,
                tolerance: tolerance * factor,
            });
        }
    }
    Ok(())
}

/// The column's own tolerance under its expected name, else under its actual one, else the default.
fn tolerance(check: &Check, expected: &str, actual: &str) -> f64 {
    let of = |name: &str| check.approx.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)).map(|(_, t)| *t);
    of(expected).or_else(|| of(actual)).unwrap_or(Check::DEFAULT_TOLERANCE)
}
