//! The group-by and join tables in the shape of the db-benchmark, from our own generator.
//!
//! | table | rows | columns |
//! |---|---|---|
//! | `groupby` | n | `id1 id2` text, `id4 id5` int: K keys; `id3` text, `id6` int: n/K keys; `v1 v2` int, `v3` float |
//! | `x` | n/2 | `id1 id2 id3` int with keys of `small`, `medium`, `big`; `id4 id5 id6` the same as text; `v1` float |
//! | `small` | n/2e6, at least 10 | `id1` unique, `id4` its text, `v2` float |
//! | `medium` | n/2e3, at least 100 | `id2` unique, `id5` its text, `id1 id4` keys of `small`, `v2` float |
//! | `big` | n/2 | `id3` unique, `id6` its text, `id1 id2 id4 id5` keys of the others, `v2` float |
//!
//! K is 100, or 10 below a million rows. About one key in eleven of `x` has no partner in `small`, `medium` or `big`;
//! under skew its most frequent key always has one, or half of all rows might join nothing.

use super::draw::{Draw, Keys, Permutation};
use super::{Part, Rows, bounds};
use crate::spec::{Groupby, Skew};
use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, RecordBatchReader, StringViewArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Another one where the same spec would give other rows. Version 2 gave the most frequent key of `x` a partner, which
/// left uniform sets as they were.
pub(super) const fn version(spec: &Groupby) -> &'static str {
    match spec.skew {
        Skew::Uniform => "1",
        Skew::Zipf08 | Skew::Zipf12 | Skew::Hot => "2",
    }
}

const BATCH_ROWS: u64 = 8192;

/// The number of the table `x`.
const X: u64 = 2;

/// Tables and their rows, the largest first.
pub(super) fn tables(spec: &Groupby) -> Vec<(&'static str, u64)> {
    let sizes = Sizes::of(spec);
    vec![("groupby", spec.rows), ("x", sizes.big), ("big", sizes.big), ("medium", sizes.medium), ("small", sizes.small)]
}

/// The rows of one part.
pub(super) fn rows(spec: &Groupby, part: &Part) -> Rows {
    let (number, columns, rows) = columns(spec, part.table);
    let fields: Vec<Field> = columns.iter().map(Column::field).collect();
    let (next, end) = bounds(rows, part.index, part.of);
    let columns =
        columns.into_iter().enumerate().map(|(i, column)| Source::new(spec, &column, number, i as u64)).collect();
    Box::new(Reader { schema: Arc::new(Schema::new(fields)), columns, next, end })
}

struct Sizes {
    small: u64,
    medium: u64,
    big: u64,
    few: u64,
}

impl Sizes {
    fn of(spec: &Groupby) -> Self {
        let big = spec.rows / 2;
        Self {
            small: (big / 1_000_000).max(10),
            medium: (big / 1_000).max(100),
            big,
            few: if spec.rows >= 1_000_000 { 100 } else { 10 },
        }
    }
}

/// How many keys there are for a join table of so many rows: a tenth more than it has, so some find no partner.
const fn universe(rows: u64) -> u64 {
    rows + rows.div_ceil(10)
}

/// A column before it is bound to a table's rows.
struct Column {
    name: &'static str,
    kind: Kind,
    nullable: bool,
    /// Columns with the same source number hold the same keys, once as number and once as text.
    source: Option<u64>,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Keys `1..=keys`, skewed as the spec says or uniform, as 64-bit numbers.
    Number { keys: u64, skew: Skew },
    /// The same as `id` and at least so many digits.
    Text { keys: u64, skew: Skew, digits: usize },
    /// Each key at most once: a permutation of `1..=keys` cut off after the table's rows.
    UniqueNumber { keys: u64 },
    /// The same as text.
    UniqueText { keys: u64 },
    /// A small number `1..=most`.
    Small { most: u64 },
    /// A value in `[0, 100)` with six decimals.
    Float,
}

/// A table's number, columns and rows.
fn columns(spec: &Groupby, table: &str) -> (u64, Vec<Column>, u64) {
    let n = Sizes::of(spec);
    let nullable = spec.null_percent > 0;
    let column = |name, kind| Column { name, kind, nullable: false, source: None };
    let number = |name, keys, skew| column(name, Kind::Number { keys, skew });
    let text = |name, keys, skew, source| Column {
        source: Some(source),
        ..column(name, Kind::Text { keys, skew, digits: 1 })
    };
    let (few, many) = (n.few, (spec.rows / n.few).max(1));
    let (small, medium, big) = (universe(n.small), universe(n.medium), universe(n.big));
    let even = Skew::Uniform;
    match table {
        "groupby" => {
            let skew = spec.skew;
            let padded = |name, keys, digits| column(name, Kind::Text { keys, skew, digits });
            let columns = vec![
                padded("id1", few, 3),
                padded("id2", few, 3),
                padded("id3", many, 10),
                number("id4", few, skew),
                number("id5", few, skew),
                number("id6", many, skew),
                column("v1", Kind::Small { most: 5 }),
                column("v2", Kind::Small { most: 15 }),
                column("v3", Kind::Float),
            ];
            (1, columns.into_iter().map(|c| Column { nullable, ..c }).collect(), spec.rows)
        }
        "x" => {
            let keys = [
                number("id1", small, spec.skew),
                number("id2", medium, spec.skew),
                number("id3", big, spec.skew),
                text("id4", small, spec.skew, 0),
                text("id5", medium, spec.skew, 1),
                text("id6", big, spec.skew, 2),
            ];
            let keys = keys.into_iter().map(|c| Column { nullable, ..c });
            (X, keys.chain([column("v1", Kind::Float)]).collect(), n.big)
        }
        "small" => {
            let unique = Kind::UniqueNumber { keys: small };
            let same = Column { source: Some(0), ..column("id4", Kind::UniqueText { keys: small }) };
            (3, vec![column("id1", unique), same, column("v2", Kind::Float)], n.small)
        }
        "medium" => {
            let unique = Kind::UniqueNumber { keys: medium };
            let same = Column { source: Some(1), ..column("id5", Kind::UniqueText { keys: medium }) };
            let id4 = text("id4", small, even, 0);
            (4, vec![number("id1", small, even), column("id2", unique), id4, same, column("v2", Kind::Float)], n.medium)
        }
        _ => {
            let same = Column { source: Some(2), ..column("id6", Kind::UniqueText { keys: big }) };
            let columns = vec![
                number("id1", small, even),
                number("id2", medium, even),
                column("id3", Kind::UniqueNumber { keys: big }),
                text("id4", small, even, 0),
                text("id5", medium, even, 1),
                same,
                column("v2", Kind::Float),
            ];
            (5, columns, n.big)
        }
    }
}

impl Column {
    fn field(&self) -> Field {
        let data_type = match self.kind {
            Kind::Number { .. } | Kind::UniqueNumber { .. } => DataType::Int64,
            Kind::Text { .. } | Kind::UniqueText { .. } => DataType::Utf8View,
            Kind::Small { .. } => DataType::Int32,
            Kind::Float => DataType::Float64,
        };
        Field::new(self.name, data_type, self.nullable)
    }
}

/// A column bound to its random numbers.
struct Source {
    cells: Cells,
    nulls: Option<(Draw, u8)>,
}

enum Cells {
    Number(Keys),
    Text(Keys, usize),
    UniqueNumber(Permutation),
    UniqueText(Permutation),
    Small(Draw, u64),
    Float(Draw),
}

impl Source {
    fn new(spec: &Groupby, column: &Column, table: u64, position: u64) -> Self {
        let position = column.source.unwrap_or(position);
        let draw = Draw::new(spec.seed, table, position);
        let drawn = |keys, skew| match table {
            // The first key of the table it joins with.
            X => Keys::new(draw, keys, skew).led_by(unique(spec, keys).at(0)),
            _ => Keys::new(draw, keys, skew),
        };
        let cells = match column.kind {
            Kind::Number { keys, skew } => Cells::Number(drawn(keys, skew)),
            Kind::Text { keys, skew, digits } => Cells::Text(drawn(keys, skew), digits),
            Kind::UniqueNumber { keys } => Cells::UniqueNumber(unique(spec, keys)),
            Kind::UniqueText { keys } => Cells::UniqueText(unique(spec, keys)),
            Kind::Small { most } => Cells::Small(draw, most),
            Kind::Float => Cells::Float(draw),
        };
        let nulls = column.nullable.then(|| (Draw::new(spec.seed, table, position + 1000), spec.null_percent));
        Self { cells, nulls }
    }

    fn array(&self, from: u64, to: u64) -> ArrayRef {
        let nulls = self.nulls.map(|(draw, percent)| {
            NullBuffer::from((from..to).map(|row| !draw.percent(row, percent)).collect::<Vec<bool>>())
        });
        match &self.cells {
            Cells::Number(keys) => numbers((from..to).map(|row| keys.key(row) as i64 + 1), nulls),
            Cells::UniqueNumber(order) => numbers((from..to).map(|row| order.at(row) as i64 + 1), nulls),
            Cells::Text(keys, digits) => texts((from..to).map(|row| keys.key(row) + 1), *digits, nulls),
            Cells::UniqueText(order) => texts((from..to).map(|row| order.at(row) + 1), 1, nulls),
            Cells::Small(draw, most) => {
                let values: ScalarBuffer<i32> = (from..to).map(|row| draw.below(row, *most) as i32 + 1).collect();
                Arc::new(Int32Array::new(values, nulls))
            }
            Cells::Float(draw) => {
                let values: ScalarBuffer<f64> =
                    (from..to).map(|row| draw.below(row, 100_000_000) as f64 / 1e6).collect();
                Arc::new(Float64Array::new(values, nulls))
            }
        }
    }
}

/// Which of a universe's keys a join table has, and in which order: the same for its number and its text column.
fn unique(spec: &Groupby, keys: u64) -> Permutation {
    Permutation::new(Draw::new(spec.seed, 6, keys), keys)
}

fn numbers(values: impl Iterator<Item = i64>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(Int64Array::new(values.collect(), nulls))
}

/// `id` and a zero-padded number. Up to ten digits the text fits into the view itself.
fn texts(keys: impl Iterator<Item = u64>, digits: usize, nulls: Option<NullBuffer>) -> ArrayRef {
    let mut buffer = [0u8; 24];
    let mut text = arrow::array::StringViewBuilder::new();
    for (i, key) in keys.enumerate() {
        if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
            text.append_null();
        } else {
            text.append_value(label(&mut buffer, key, digits));
        }
    }
    let text: StringViewArray = text.finish();
    Arc::new(text)
}

/// Writes `id` and the key with at least `digits` digits into the end of the buffer.
fn label(buffer: &mut [u8; 24], mut key: u64, digits: usize) -> &str {
    let mut at = buffer.len();
    while key > 0 || buffer.len() - at < digits {
        at -= 1;
        buffer[at] = b'0' + (key % 10) as u8;
        key /= 10;
    }
    buffer[at - 2..at].copy_from_slice(b"id");
    // Only ASCII was written.
    std::str::from_utf8(&buffer[at - 2..]).unwrap_or_default()
}

struct Reader {
    schema: SchemaRef,
    columns: Vec<Source>,
    next: u64,
    end: u64,
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let (from, to) = (self.next, self.end.min(self.next + BATCH_ROWS));
        self.next = to;
        let columns = self.columns.iter().map(|c| c.array(from, to)).collect();
        Some(RecordBatch::try_new(Arc::clone(&self.schema), columns))
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn part(spec: &Groupby, table: &'static str, index: u32, of: u32) -> RecordBatch {
        let reader = rows(spec, &Part { table, index, of, rows: 0 });
        let schema = reader.schema();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        concat_batches(&schema, &batches).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn rows_do_not_depend_on_how_a_table_is_cut(
            rows in 1_000u64..20_000,
            of in 1u32..7,
            table in prop::sample::select(vec!["groupby", "x", "small", "medium", "big"]),
            skew in prop::sample::select(vec![Skew::Uniform, Skew::Zipf08, Skew::Hot]),
            null_percent in prop::sample::select(vec![0u8, 5]),
        ) {
            let spec = Groupby { rows, skew, null_percent, seed: 3 };
            let whole = part(&spec, table, 0, 1);
            let parts: Vec<RecordBatch> = (0..of).map(|i| part(&spec, table, i, of)).collect();
            prop_assert_eq!(concat_batches(&whole.schema(), &parts).unwrap(), whole);
        }

        #[test]
        fn labels_are_id_and_the_number(key: u64, digits in 1usize..20) {
            let mut buffer = [0u8; 24];
            prop_assert_eq!(label(&mut buffer, key, digits), format!("id{key:0digits$}"));
        }
    }

    #[test]
    fn most_keys_of_x_find_exactly_one_partner() {
        let spec = Groupby::uniform(20_000);
        let keys = |table, column| -> Vec<i64> {
            let batch = part(&spec, table, 0, 1);
            batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().values().to_vec()
        };
        for (table, column) in [("small", "id1"), ("medium", "id2"), ("big", "id3")] {
            let right = keys(table, column);
            let unique: HashSet<i64> = right.iter().copied().collect();
            assert_eq!(unique.len(), right.len(), "{table} has a key twice");
            let left = keys("x", column);
            let matched = left.iter().filter(|k| unique.contains(k)).count() as f64 / left.len() as f64;
            assert!((0.85..0.97).contains(&matched), "{matched} of x.{column} match {table}");
        }
    }

    #[test]
    fn the_most_frequent_key_of_x_has_a_partner_whatever_the_seed() {
        for (seed, skew) in (0..12).flat_map(|seed| [Skew::Zipf08, Skew::Zipf12, Skew::Hot].map(|skew| (seed, skew))) {
            let spec = Groupby { skew, seed, ..Groupby::uniform(4_000) };
            let keys = |table, column| -> Vec<i64> {
                let batch = part(&spec, table, 0, 1);
                batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().values().to_vec()
            };
            for (table, column) in [("small", "id1"), ("medium", "id2"), ("big", "id3")] {
                let mut counts = std::collections::BTreeMap::new();
                keys("x", column).into_iter().for_each(|key| *counts.entry(key).or_insert(0u32) += 1);
                let (hottest, _) = counts.into_iter().max_by_key(|(_, count)| *count).unwrap();
                assert!(keys(table, column).contains(&hottest), "seed {seed}, {skew:?}: {hottest} is not in {table}");
            }
        }
    }

    #[test]
    fn text_keys_repeat_the_number_keys() {
        let spec = Groupby { null_percent: 5, skew: Skew::Zipf12, ..Groupby::uniform(4_000) };
        for (table, number, text) in [("big", "id3", "id6"), ("medium", "id2", "id5"), ("small", "id1", "id4")] {
            let batch = part(&spec, table, 0, 1);
            let numbers = batch.column_by_name(number).unwrap().as_primitive::<Int64Type>().clone();
            let texts = batch.column_by_name(text).unwrap().as_string_view().clone();
            assert!((0..batch.num_rows()).all(|i| texts.value(i) == format!("id{}", numbers.value(i))));
        }
    }

    #[test]
    fn the_null_share_holds_in_every_column() {
        let spec = Groupby { null_percent: 5, ..Groupby::uniform(20_000) };
        let batch = part(&spec, "groupby", 0, 1);
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            assert!((700..1300).contains(&column.null_count()), "{}: {}", field.name(), column.null_count());
        }
        assert_eq!(part(&Groupby::uniform(1000), "groupby", 0, 1).column(0).null_count(), 0);
    }
}
