//! Whether rows come in the order the program asked for, and which of the last rows tie.

use super::canonical::plain;
use super::compare::Mismatch;
use super::digester::text_of;
use arrow::array::{Array, ArrayRef, AsArray, DynComparator, RecordBatch, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Float64Type, Schema};
use bench_model::SortKey;
use std::cmp::Ordering;

/// Checks adjacent rows, across batches too. Text is ordered by its bytes; `-0.0` equals `0.0`; NaN is above every number.
pub(super) struct OrderCheck {
    keys: Vec<Key>,
    /// The key columns of the previous non-empty batch, and the index of its last row.
    last: Option<(Vec<ArrayRef>, usize)>,
    seen: u64,
}

struct Key {
    column: usize,
    name: String,
    options: SortOptions,
}

/// Which rows of a batch tie with its last row.
pub(super) struct Ties {
    /// The first of the rows that tie with the last one.
    pub(super) from: usize,
    /// Whether the last row of the previous batch ties with them too.
    pub(super) continues: bool,
}

impl OrderCheck {
    pub(super) fn new(schema: &Schema, order_by: &[SortKey]) -> Result<Self, Mismatch> {
        let keys = order_by.iter().map(|key| {
            let found = schema.fields().iter().position(|f| f.name().eq_ignore_ascii_case(&key.column));
            let column = found.ok_or_else(|| Mismatch::NoColumn {
                column: key.column.clone(),
                has: schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(", "),
            })?;
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            Ok(Key { column, name: key.column.clone(), options })
        });
        Ok(Self { keys: keys.collect::<Result<_, Mismatch>>()?, last: None, seen: 0 })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn contains(&self, column: usize) -> bool {
        self.keys.iter().any(|key| key.column == column)
    }

    /// Checks the next non-empty batch.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<Ties, Mismatch> {
        let rows = batch.num_rows();
        if self.keys.is_empty() {
            return Ok(Ties { from: 0, continues: false });
        }
        let mut columns = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            let typed = |source| Mismatch::Type { column: key.name.clone(), why: text_of(&source) };
            columns.push(plain(batch.column(key.column)).map_err(typed)?);
        }
        let within = self.comparators(&columns, &columns)?;
        let mut from = 0;
        for row in 1..rows {
            match compare_rows(&within, row - 1, row) {
                Ordering::Less => from = row,
                Ordering::Equal => {}
                Ordering::Greater => return Err(self.violation(self.seen + row as u64)),
            }
        }
        let mut continues = false;
        if let Some((previous, last)) = &self.last {
            match compare_rows(&self.comparators(previous, &columns)?, *last, 0) {
                Ordering::Less => {}
                Ordering::Equal => continues = from == 0,
                Ordering::Greater => return Err(self.violation(self.seen)),
            }
        }
        self.seen += rows as u64;
        self.last = Some((columns, rows - 1));
        Ok(Ties { from, continues })
    }

    fn comparators(&self, left: &[ArrayRef], right: &[ArrayRef]) -> Result<Vec<DynComparator>, Mismatch> {
        self.keys
            .iter()
            .zip(left.iter().zip(right))
            .map(|(key, (left, right))| {
                let (left, right) = (one_zero(left), one_zero(right));
                make_comparator(&left, &right, key.options)
                    .map_err(|source| Mismatch::Type { column: key.name.clone(), why: text_of(&source) })
            })
            .collect()
    }

    fn violation(&self, row: u64) -> Mismatch {
        let order_by = self.keys.iter().map(|k| {
            let direction = if k.options.descending { " desc" } else { "" };
            let nulls = if k.options.nulls_first { " nulls first" } else { "" };
            format!("{}{direction}{nulls}", k.name)
        });
        Mismatch::Order { row, order_by: order_by.collect::<Vec<_>>().join(", ") }
    }
}

#[inline]
fn compare_rows(keys: &[DynComparator], left: usize, right: usize) -> Ordering {
    keys.iter().map(|compare| compare(left, right)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

/// Arrow orders floats by their bits, which puts `-0.0` below `0.0`, and negative NaNs below everything.
fn one_zero(column: &ArrayRef) -> ArrayRef {
    if column.data_type() != &DataType::Float64 {
        return ArrayRef::clone(column);
    }
    let floats = column.as_primitive::<Float64Type>();
    std::sync::Arc::new(floats.unary::<_, Float64Type>(|x| if x.is_nan() { f64::NAN } else { x + 0.0 }))
}
