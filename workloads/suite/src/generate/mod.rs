//! Rows from a spec: a dataset is cut into parts, and each part can be generated alone, anywhere, any time.

mod draw;
mod groupby;
mod tpch;

use crate::spec::DatasetSpec;
use arrow::array::RecordBatchReader;
use std::collections::BTreeMap;

/// One file's worth of one table.
///
/// Invariant: the parts of a spec depend on the spec only, never on threads or memory, so the files are always equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The table.
    pub(crate) table: &'static str,
    /// Which part of it, counted from 0.
    pub(crate) index: u32,
    /// How many parts the table has.
    pub(crate) of: u32,
    /// Its rows; for `lineitem` an estimate, as orders have one to seven lines.
    pub(crate) rows: u64,
}

/// A part's rows, batch by batch.
pub(crate) type Rows = Box<dyn RecordBatchReader + Send>;

/// All parts of a set, table by table.
pub(crate) fn parts(spec: &DatasetSpec) -> Vec<Part> {
    let tables: Vec<(&'static str, u64)> = match spec {
        DatasetSpec::Tpch(t) => tpch::tables(t),
        DatasetSpec::Groupby(g) => groupby::tables(g),
    };
    tables.into_iter().flat_map(|(table, rows)| cut(table, rows)).collect()
}

/// Opens the rows of one part.
pub(crate) fn rows(spec: &DatasetSpec, part: &Part) -> Rows {
    match spec {
        DatasetSpec::Tpch(t) => tpch::rows(t, part),
        DatasetSpec::Groupby(g) => groupby::rows(g, part),
    }
}

/// The programs whose change may change the bytes, by name and version.
pub(crate) fn generators(spec: &DatasetSpec) -> BTreeMap<String, String> {
    let generator = match spec {
        DatasetSpec::Tpch(_) => ("tpchgen", tpch::VERSION),
        DatasetSpec::Groupby(g) => ("groupby", groupby::version(g)),
    };
    [generator, ("layout", LAYOUT_VERSION)].into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Version of how rows are cut into parts, row groups and pages; raised when the same rows would give other files.
pub(crate) const LAYOUT_VERSION: &str = "2";

/// Cuts a table into parts of a million rows, at larger scales of up to 16 million, so that a set has enough parts to
/// keep many cores busy and yet no swarm of small files.
fn cut(table: &'static str, rows: u64) -> impl Iterator<Item = Part> {
    let size = (rows / 64).clamp(1_000_000, 16_000_000);
    let of = u32::try_from(rows.div_ceil(size).max(1)).unwrap_or(u32::MAX);
    (0..of).map(move |index| {
        let (from, to) = bounds(rows, index, of);
        Part { table, index, of, rows: to - from }
    })
}

/// The rows `from..to` of part `index` of `of`: equal shares, the remainder spread from the front.
fn bounds(rows: u64, index: u32, of: u32) -> (u64, u64) {
    let at = |i: u32| (u128::from(rows) * u128::from(i) / u128::from(of.max(1))) as u64;
    (at(index), at(index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Groupby, Tpch};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_cover_every_row_once(rows in 0u64..1_000_000_000_000, of in 1u32..1000) {
            let mut next = 0;
            for index in 0..of {
                let (from, to) = bounds(rows, index, of);
                prop_assert_eq!(from, next);
                next = to;
            }
            prop_assert_eq!(next, rows);
        }
    }

    #[test]
    fn a_gigabyte_has_parts_for_many_cores_and_a_terabyte_no_swarm() {
        let count = |spec| parts(&spec).len();
        assert_eq!(count(DatasetSpec::Tpch(Tpch { scale_factor: 1.0 })), 15);
        assert_eq!(count(DatasetSpec::Groupby(Groupby::uniform(10_000_000))), 22);
        assert!(count(DatasetSpec::Tpch(Tpch { scale_factor: 1000.0 })) < 1000);
    }
}
