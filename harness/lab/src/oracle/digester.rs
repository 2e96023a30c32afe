//! From batches to a digest, one batch at a time.

use super::canonical::{self, NULL, ROW_START, fold, mix, widen};
use super::compare::Mismatch;
use super::order::OrderCheck;
use super::sums::ColumnSums;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};
use arrow::error::ArrowError;
use bench_model::{Check, Checksum, ColumnDigest, Digest};

/// The digest of a whole answer.
///
/// # Errors
/// The rows are not in the order that `check` demands, or a column cannot be digested.
///
/// ```
/// use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
/// use bench_lab::oracle::{compare, digest};
/// use bench_model::Check;
/// use std::sync::Arc;
///
/// let narrow: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
/// let wide: ArrayRef = Arc::new(Int64Array::from(vec![3, 1, 2]));
/// let narrow = RecordBatch::try_from_iter([("n", narrow)])?;
/// let wide = RecordBatch::try_from_iter([("count", wide)])?;
/// let check = Check::default();
/// let expected = digest(&narrow.schema(), &[narrow], &check)?;
/// let actual = digest(&wide.schema(), &[wide], &check)?;
/// assert_eq!(compare(&expected, &actual, &check), Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn digest(schema: &Schema, batches: &[RecordBatch], check: &Check) -> Result<Digest, Mismatch> {
    let mut digester = Digester::new(schema, check)?;
    for batch in batches {
        digester.push(batch)?;
    }
    digester.finish()
}

/// How one column takes part.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Exact,
    /// Index into the sums.
    Approx(usize),
}

/// Digests an answer that arrives batch by batch, in the engine's row order.
pub struct Digester {
    names: Vec<String>,
    parts: Vec<Part>,
    rows: u64,
    exact: Checksum,
    sums: Vec<ColumnSums>,
    order: OrderCheck,
    ties_at_cut: bool,
    /// The trailing rows that tie with the last one seen, held back until it is known whether they end the answer.
    held: Vec<RecordBatch>,
    states: Vec<u64>,
}

impl Digester {
    /// A digester for answers with these columns.
    ///
    /// # Errors
    /// `check` orders by a column that the answer does not have.
    pub fn new(schema: &Schema, check: &Check) -> Result<Self, Mismatch> {
        let order = OrderCheck::new(schema, &check.order_by)?;
        let mut approx = 0;
        let parts = schema.fields().iter().map(|field| {
            if !is_approximate(field.name(), field.data_type(), check) {
                return Part::Exact;
            }
            approx += 1;
            Part::Approx(approx - 1)
        });
        let parts = parts.collect();
        Ok(Self {
            names: schema.fields().iter().map(|f| f.name().clone()).collect(),
            parts,
            rows: 0,
            exact: Checksum::default(),
            sums: vec![ColumnSums::default(); approx],
            ties_at_cut: check.ties_at_cut && !order.is_empty(),
            order,
            held: Vec::new(),
            states: Vec::new(),
        })
    }

    /// Adds the next rows of the answer.
    ///
    /// # Errors
    /// They are out of order, have other columns than announced, or cannot be digested.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), Mismatch> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if batch.num_columns() != self.parts.len() {
            return Err(Mismatch::Columns { expected: self.parts.len(), actual: batch.num_columns() });
        }
        let ties = self.order.push(batch)?;
        if !self.ties_at_cut {
            return self.absorb(batch, false);
        }
        if !ties.continues {
            self.release()?;
        }
        let cut = ties.from;
        if cut > 0 {
            self.absorb(&batch.slice(0, cut), false)?;
        }
        self.held.push(batch.slice(cut, batch.num_rows() - cut));
        Ok(())
    }

    /// The digest of everything pushed.
    ///
    /// # Errors
    /// The rows held back cannot be digested.
    pub fn finish(mut self) -> Result<Digest, Mismatch> {
        for batch in std::mem::take(&mut self.held) {
            self.absorb(&batch, true)?;
        }
        let mut exact_columns = Vec::new();
        let mut approx = Vec::new();
        for (name, part) in self.names.into_iter().zip(&self.parts) {
            match part {
                Part::Exact => exact_columns.push(name),
                Part::Approx(index) => approx.push(summary(name, self.sums[*index])),
            }
        }
        Ok(Digest { rows: self.rows, exact_columns, exact: self.exact, approx })
    }

    /// The rows held back turned out not to be the last ones.
    fn release(&mut self) -> Result<(), Mismatch> {
        for batch in std::mem::take(&mut self.held) {
            self.absorb(&batch, false)?;
        }
        Ok(())
    }

    /// Digests rows; of rows `at_cut` only the columns they are ordered by.
    fn absorb(&mut self, batch: &RecordBatch, at_cut: bool) -> Result<(), Mismatch> {
        self.rows += batch.num_rows() as u64;
        let mut states = std::mem::take(&mut self.states);
        states.clear();
        states.resize(batch.num_rows(), ROW_START);
        let mut approx: Vec<(usize, ArrayRef)> = Vec::new();
        for (at, column) in batch.columns().iter().enumerate() {
            let named = |source| Mismatch::Type { column: self.names[at].clone(), why: text_of(&source) };
            if at_cut && !self.order.contains(at) {
                mix(&mut states, None, |_| NULL);
                continue;
            }
            match self.parts[at] {
                Part::Exact => canonical::mix_column(&mut states, column).map_err(named)?,
                Part::Approx(index) => {
                    let values = as_floats(column).map_err(named)?;
                    mix_classes(&mut states, &values);
                    approx.push((index, values));
                }
            }
        }
        for &row in &states {
            self.exact = self.exact.merge(Checksum(widen(row)));
        }
        for (index, values) in approx {
            add_values(&mut self.sums[index], &values, &states);
        }
        self.states = states;
        Ok(())
    }
}

/// Whether a column is compared within a tolerance: by its type, by the check, or because the expected digest does.
fn is_approximate(name: &str, data_type: &DataType, check: &Check) -> bool {
    let data_type = match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    };
    data_type.is_floating()
        || check.approx.keys().any(|column| column.eq_ignore_ascii_case(name))
        || check
            .expected
            .as_ref()
            .is_some_and(|(digest, _)| digest.approx.iter().any(|c| c.name.eq_ignore_ascii_case(name)))
}

fn as_floats(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let column = canonical::plain(column)?;
    match column.data_type() {
        DataType::Float64 => Ok(column),
        numeric if numeric.is_numeric() || numeric.is_null() => cast(&column, &DataType::Float64),
        other => Err(ArrowError::CastError(format!("{other} is not a number and cannot be approximate"))),
    }
}

/// Ties what kind of value an approximate column has (a number, NULL, NaN, an infinity) to its row, exactly.
fn mix_classes(states: &mut [u64], values: &ArrayRef) {
    let array = values.as_primitive::<Float64Type>();
    let floats = array.values().as_ref();
    mix(states, array.nulls(), |i| {
        let x = floats[i];
        if x.is_finite() {
            1
        } else if x.is_nan() {
            2
        } else if x > 0.0 {
            3
        } else {
            4
        }
    });
}

fn add_values(sums: &mut ColumnSums, values: &ArrayRef, states: &[u64]) {
    let array = values.as_primitive::<Float64Type>();
    let mut local = *sums;
    match array.nulls() {
        None => array.values().iter().zip(states).for_each(|(x, row)| local.add(*x, fold(*row, ROW_START))),
        Some(nulls) => array.values().iter().zip(states).zip(nulls.iter()).for_each(|((x, row), valid)| {
            if valid {
                local.add(*x, fold(*row, ROW_START));
            }
        }),
    }
    *sums = local;
}

fn summary(name: String, sums: ColumnSums) -> ColumnDigest {
    ColumnDigest {
        name,
        count: sums.count,
        non_finite: sums.non_finite,
        sum: sums.sum.value(),
        magnitude: sums.magnitude.value(),
        weighted: sums.weighted.value(),
    }
}

/// An Arrow error without its variant prefix noise is still text for people.
pub(super) fn text_of(error: &ArrowError) -> String {
    error.to_string()
}
