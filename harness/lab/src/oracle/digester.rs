//! From batches to a digest: the order of rows is checked one batch after the other, values are hashed on all cores.

use super::canonical::{self, NULL, ROW_START, fold, mix, widen};
use super::compare::Mismatch;
use super::order::OrderCheck;
use super::sums::ColumnSums;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};
use arrow::error::ArrowError;
use bench_model::{Check, Checksum, ColumnDigest, Digest};
use rayon::prelude::*;

/// Rows that one core digests at a time. Sums are merged piece by piece in the order of the rows, so that the digest of the
/// same batches is the same to the bit on any number of cores.
const PIECE_ROWS: usize = 1 << 16;

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
    digester.push(batches)?;
    digester.finish()
}

/// How one column takes part.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Exact,
    /// Index into the sums.
    Approx(usize),
}

/// Digests an answer that arrives in the engine's row order, some batches at a time.
pub struct Digester {
    names: Vec<String>,
    parts: Vec<Part>,
    total: Partial,
    order: OrderCheck,
    ties_at_cut: bool,
    /// The trailing rows that tie with the last one seen, held back until it is known whether they end the answer.
    held: Vec<RecordBatch>,
}

/// What some of the rows add to the digest.
#[derive(Clone)]
struct Partial {
    rows: u64,
    exact: Checksum,
    sums: Vec<ColumnSums>,
}

/// Rows whose place in the answer is known; of rows at the cut only the columns they are ordered by count.
struct Piece {
    rows: RecordBatch,
    at_cut: bool,
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
            total: Partial::nothing(approx),
            ties_at_cut: check.ties_at_cut && !order.is_empty(),
            order,
            held: Vec::new(),
        })
    }

    /// Adds the next rows of the answer. The more of them at once, the more cores have something to do.
    ///
    /// # Errors
    /// They are out of order, have other columns than announced, or cannot be digested.
    pub fn push(&mut self, batches: &[RecordBatch]) -> Result<(), Mismatch> {
        let mut pieces = Vec::new();
        for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
            self.place(batch, &mut pieces)?;
        }
        self.absorb(&pieces)
    }

    /// The digest of everything pushed.
    ///
    /// # Errors
    /// The rows held back cannot be digested.
    pub fn finish(mut self) -> Result<Digest, Mismatch> {
        let mut pieces = Vec::new();
        cut(std::mem::take(&mut self.held), true, &mut pieces);
        self.absorb(&pieces)?;
        let mut exact_columns = Vec::new();
        let mut approx = Vec::new();
        for (name, part) in self.names.into_iter().zip(&self.parts) {
            match part {
                Part::Exact => exact_columns.push(name),
                Part::Approx(index) => approx.push(summary(name, self.total.sums[*index])),
            }
        }
        Ok(Digest { rows: self.total.rows, exact_columns, exact: self.total.exact, approx })
    }

    /// Checks where the next rows stand, and adds those whose place is known to `pieces`.
    fn place(&mut self, batch: &RecordBatch, pieces: &mut Vec<Piece>) -> Result<(), Mismatch> {
        if batch.num_columns() != self.parts.len() {
            return Err(Mismatch::Columns { expected: self.parts.len(), actual: batch.num_columns() });
        }
        let ties = self.order.push(batch)?;
        if !self.ties_at_cut {
            cut([batch.clone()], false, pieces);
            return Ok(());
        }
        if !ties.continues {
            // The rows held back turned out not to be the last ones.
            cut(std::mem::take(&mut self.held), false, pieces);
        }
        cut([batch.slice(0, ties.from)], false, pieces);
        self.held.push(batch.slice(ties.from, batch.num_rows() - ties.from));
        Ok(())
    }

    fn absorb(&mut self, pieces: &[Piece]) -> Result<(), Mismatch> {
        let partials: Vec<Partial> = match pieces {
            [] => return Ok(()),
            [piece] => vec![self.partial(&mut Vec::new(), piece)?],
            _ => {
                let partials = pieces.par_iter().map_init(Vec::new, |states, piece| self.partial(states, piece));
                partials.collect::<Result<_, _>>()?
            }
        };
        partials.iter().for_each(|partial| self.total.merge(partial));
        Ok(())
    }

    /// Digests a piece; `states` is memory to work in.
    fn partial(&self, states: &mut Vec<u64>, piece: &Piece) -> Result<Partial, Mismatch> {
        let mut partial = Partial::nothing(self.total.sums.len());
        partial.rows = piece.rows.num_rows() as u64;
        states.clear();
        states.resize(piece.rows.num_rows(), ROW_START);
        let mut approx: Vec<(usize, ArrayRef)> = Vec::new();
        for (at, column) in piece.rows.columns().iter().enumerate() {
            let named = |source| Mismatch::Type { column: self.names[at].clone(), why: text_of(&source) };
            if piece.at_cut && !self.order.contains(at) {
                mix(states, None, |_| NULL);
                continue;
            }
            match self.parts[at] {
                Part::Exact => canonical::mix_column(states, column).map_err(named)?,
                Part::Approx(index) => {
                    let values = as_floats(column).map_err(named)?;
                    mix_classes(states, &values);
                    approx.push((index, values));
                }
            }
        }
        for &row in states.iter() {
            partial.exact = partial.exact.merge(Checksum(widen(row)));
        }
        for (index, values) in approx {
            add_values(&mut partial.sums[index], &values, states);
        }
        Ok(partial)
    }
}

impl Partial {
    fn nothing(approx: usize) -> Self {
        Self { rows: 0, exact: Checksum::default(), sums: vec![ColumnSums::default(); approx] }
    }

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.exact = self.exact.merge(other.exact);
        self.sums.iter_mut().zip(&other.sums).for_each(|(sums, more)| sums.merge(more));
    }
}

/// Cuts batches into pieces of at most [`PIECE_ROWS`] rows.
fn cut(batches: impl IntoIterator<Item = RecordBatch>, at_cut: bool, pieces: &mut Vec<Piece>) {
    for batch in batches {
        let rows = batch.num_rows();
        let slices = (0..rows).step_by(PIECE_ROWS).map(|from| batch.slice(from, PIECE_ROWS.min(rows - from)));
        pieces.extend(slices.map(|rows| Piece { rows, at_cut }));
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
