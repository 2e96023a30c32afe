//! Values of rows as named columns.

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, StringArray, TimestampMillisecondArray, UInt32Array, UInt64Array,
};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// Columns in the making, all over the same rows. What a row does not have is null.
pub(super) struct Columns<'r, T> {
    rows: &'r [T],
    made: Vec<(String, ArrayRef, bool)>,
}

impl<'r, T> Columns<'r, T> {
    pub(super) const fn of(rows: &'r [T]) -> Self {
        Self { rows, made: Vec::new() }
    }

    fn push(mut self, name: &str, column: ArrayRef) -> Self {
        self.made.push((name.to_owned(), column, true));
        self
    }

    pub(super) fn text<S: AsRef<str>>(self, name: &str, value: impl Fn(&'r T) -> Option<S>) -> Self {
        let column: StringArray = self.rows.iter().map(value).collect();
        self.push(name, Arc::new(column))
    }

    pub(super) fn count(self, name: &str, value: impl Fn(&'r T) -> Option<u64>) -> Self {
        let column: UInt64Array = self.rows.iter().map(value).collect();
        self.push(name, Arc::new(column))
    }

    pub(super) fn small(self, name: &str, value: impl Fn(&'r T) -> Option<u32>) -> Self {
        let column: UInt32Array = self.rows.iter().map(value).collect();
        self.push(name, Arc::new(column))
    }

    pub(super) fn real(self, name: &str, value: impl Fn(&'r T) -> Option<f64>) -> Self {
        let column: Float64Array = self.rows.iter().map(|row| value(row).filter(|v| v.is_finite())).collect();
        self.push(name, Arc::new(column))
    }

    pub(super) fn flag(self, name: &str, value: impl Fn(&'r T) -> Option<bool>) -> Self {
        let column: BooleanArray = self.rows.iter().map(value).collect();
        self.push(name, Arc::new(column))
    }

    /// Milliseconds since 1970.
    pub(super) fn instant(self, name: &str, value: impl Fn(&'r T) -> u64) -> Self {
        let times = self.rows.iter().map(|row| i64::try_from(value(row)).ok());
        let column = times.collect::<TimestampMillisecondArray>().with_timezone("+00:00");
        self.push(name, Arc::new(column))
    }

    pub(super) fn batch(self) -> Result<RecordBatch, ArrowError> {
        RecordBatch::try_from_iter_with_nullable(self.made)
    }
}
