//! Claims about digests: what they ignore, and what they never miss.
#![expect(clippy::unwrap_used, reason = "a claim fails by panicking")]

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray, Float64Array,
    Int8Array, Int32Array, Int64Array, LargeStringArray, NullArray, RecordBatch, RecordBatchOptions, StringArray,
    StringViewArray, TimestampMicrosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Int32Type, Schema};
use bench_lab::oracle::{Mismatch, compare, digest, digest_parquet};
use bench_model::{Check, Digest, SortKey};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A row of the property tests: an integer, a text, a decimal in hundredths, a float.
type Row = (Option<i64>, Option<String>, i64, Option<f64>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let float = prop::option::of((-1e6..1e6f64).prop_map(|x| (x * 1e3).round() / 1e3));
    let text = prop::option::of("[a-z]{0,20}");
    prop::collection::vec((prop::option::of(any::<i64>()), text, -1_000_000i64..1_000_000, float), 1..60)
}

fn batch(rows: &[Row]) -> RecordBatch {
    let decimals = rows.iter().map(|r| i128::from(r.2)).collect::<Decimal128Array>();
    let columns: [(&str, ArrayRef); 4] = [
        ("i", Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>())),
        ("s", Arc::new(rows.iter().map(|r| r.1.as_deref()).collect::<StringArray>())),
        ("d", Arc::new(decimals.with_precision_and_scale(15, 2).unwrap())),
        ("f", Arc::new(rows.iter().map(|r| r.3).collect::<Float64Array>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap()
}

/// The same rows as another engine might hand them over.
fn reencoded(batch: &RecordBatch) -> RecordBatch {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let types = [DataType::Decimal128(38, 0), dictionary, DataType::Decimal128(30, 6), DataType::Float64];
    let columns = batch.columns().iter().zip(types).map(|(c, t)| cast(c, &t).unwrap());
    let named = ["count(*)", "min(s)", "sum(d)", "f"].into_iter().zip(columns).map(|(n, c)| (n, c, true));
    RecordBatch::try_from_iter_with_nullable(named).unwrap()
}

fn digested(batches: &[RecordBatch], check: &Check) -> Digest {
    digest(&batches[0].schema(), batches, check).unwrap()
}

fn one(column: ArrayRef) -> Digest {
    digested(&[RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap()], &Check::default())
}

fn same(a: ArrayRef, b: ArrayRef) -> bool {
    compare(&one(a), &one(b), &Check::default()).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn order_batching_and_encoding_do_not_matter(rows in rows(), cut in 0usize..60, seed: u64) {
        let check = Check::default();
        let whole = batch(&rows);
        let mut shuffled: Vec<(u64, Row)> =
            rows.iter().enumerate().map(|(i, r)| ((i as u64 + 1).wrapping_mul(seed | 1), r.clone())).collect();
        shuffled.sort_by_key(|(key, _)| *key);
        let shuffled: Vec<Row> = shuffled.into_iter().map(|(_, r)| r).collect();
        let other = reencoded(&batch(&shuffled));
        let cut = cut.min(rows.len());
        let parts = [other.slice(0, cut), other.slice(cut, rows.len() - cut)];
        let result = compare(&digested(&[whole], &check), &digest(&other.schema(), &parts, &check).unwrap(), &check);
        prop_assert_eq!(result, Ok(()));
    }

    #[test]
    fn a_changed_value_is_found(rows in rows(), at in 0usize..60, column in 0usize..4) {
        let check = Check::default();
        let at = at % rows.len();
        let mut other = rows.clone();
        match column {
            0 => other[at].0 = other[at].0.map_or(Some(0), |i| Some(i.wrapping_add(1))),
            1 => other[at].1 = other[at].1.as_ref().map_or(Some(String::new()), |s| Some(format!("{s}x"))),
            2 => other[at].2 += 1,
            _ => other[at].3 = other[at].3.map_or(Some(0.0), |f| Some(f + 1.0)),
        }
        let result = compare(&digested(&[batch(&rows)], &check), &digested(&[batch(&other)], &check), &check);
        prop_assert!(result.is_err());
    }

    #[test]
    fn a_lost_or_doubled_row_is_found(rows in rows(), at in 0usize..60) {
        let check = Check::default();
        let whole = batch(&rows);
        let doubled = concat_batches(&whole.schema(), [&whole, &whole.slice(at % rows.len(), 1)]).unwrap();
        let result = compare(&digested(&[whole], &check), &digested(&[doubled], &check), &check);
        prop_assert!(matches!(result, Err(Mismatch::Rows { .. })), "{:?}", result);
    }

    #[test]
    fn float_noise_below_the_tolerance_is_accepted(rows in rows(), noise in prop::collection::vec(-1.0..1.0f64, 60)) {
        let check = Check::default();
        let noisy: Vec<Row> = rows
            .iter()
            .zip(&noise)
            .map(|((i, s, d, f), n)| (*i, s.clone(), *d, f.map(|f| f * (1.0 + n * 1e-10))))
            .collect();
        let result = compare(&digested(&[batch(&rows)], &check), &digested(&[batch(&noisy)], &check), &check);
        prop_assert_eq!(result, Ok(()));
    }

    #[test]
    fn floats_swapped_between_rows_are_found(mut rows in rows(), a in 0usize..60, b in 0usize..60) {
        for (i, row) in rows.iter_mut().enumerate() {
            row.0 = Some(i as i64);
            row.3 = Some(i as f64 + 1.0);
        }
        let (a, b) = (a % rows.len(), b % rows.len());
        prop_assume!(a != b);
        let mut other = rows.clone();
        (other[a].3, other[b].3) = (rows[b].3, rows[a].3);
        let check = Check::default();
        let result = compare(&digested(&[batch(&rows)], &check), &digested(&[batch(&other)], &check), &check);
        prop_assert!(matches!(result, Err(Mismatch::Approx { .. })), "{:?}", result);
    }

    #[test]
    fn sorted_rows_pass_and_any_other_order_fails(mut values in prop::collection::vec(0i64..50, 2..40), cut in 0usize..40) {
        let check = ordered("c", false, false);
        let of = |values: &[i64]| RecordBatch::try_from_iter([("c", Arc::new(Int64Array::from(values.to_vec())) as ArrayRef)]).unwrap();
        let sorted = { let mut v = values.clone(); v.sort_unstable(); v };
        let cut = cut.min(values.len());
        let whole = of(&sorted);
        prop_assert!(digest(&whole.schema(), &[whole.slice(0, cut), whole.slice(cut, values.len() - cut)], &check).is_ok());
        values.reverse();
        let other = of(&values);
        let result = digest(&other.schema(), &[other.slice(0, cut), other.slice(cut, values.len() - cut)], &check);
        prop_assert_eq!(result.is_ok(), values == sorted);
    }
}

fn ordered(column: &str, descending: bool, nulls_first: bool) -> Check {
    Check { order_by: vec![SortKey { column: column.into(), descending, nulls_first }], ..Check::default() }
}

#[test]
fn integers_and_decimals_of_every_width_are_numbers() {
    let decimal = |v: Vec<Option<i128>>, p, s| -> ArrayRef {
        Arc::new(Decimal128Array::from(v).with_precision_and_scale(p, s).unwrap())
    };
    let five: ArrayRef = Arc::new(Int32Array::from(vec![Some(5), None, Some(-70)]));
    let forms: [ArrayRef; 5] = [
        Arc::new(Int8Array::from(vec![Some(5), None, Some(-70)])),
        Arc::new(Int64Array::from(vec![Some(5), None, Some(-70)])),
        decimal(vec![Some(5), None, Some(-70)], 38, 0),
        decimal(vec![Some(500), None, Some(-7000)], 15, 2),
        cast(&decimal(vec![Some(500), None, Some(-7000)], 15, 2), &DataType::Decimal256(60, 9)).unwrap(),
    ];
    for form in forms {
        assert!(same(Arc::clone(&five), Arc::clone(&form)), "{}", form.data_type());
    }
    assert!(!same(five, decimal(vec![Some(501), None, Some(-7000)], 15, 2)));
    let huge: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
    assert!(same(huge, decimal(vec![Some(i128::from(u64::MAX) * 100)], 30, 2)));
}

#[test]
fn text_is_its_bytes_in_every_encoding() {
    let values = vec![Some("a"), None, Some("a longer text than twelve bytes"), Some("")];
    let plain: ArrayRef = Arc::new(StringArray::from(values.clone()));
    let forms: [ArrayRef; 4] = [
        Arc::new(LargeStringArray::from(values.clone())),
        Arc::new(StringViewArray::from(values.clone())),
        Arc::new(values.iter().copied().collect::<DictionaryArray<Int32Type>>()),
        Arc::new(BinaryArray::from(values.iter().map(|v| v.map(str::as_bytes)).collect::<Vec<_>>())),
    ];
    for form in forms {
        assert!(same(Arc::clone(&plain), Arc::clone(&form)), "{}", form.data_type());
    }
}

#[test]
fn dates_and_timestamps_have_one_form_each_and_differ_from_each_other() {
    let days: ArrayRef = Arc::new(Date32Array::from(vec![10_000]));
    assert!(same(Arc::clone(&days), Arc::new(Date64Array::from(vec![10_000 * 86_400_000]))));
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![10_000 * 86_400]));
    assert!(same(Arc::clone(&seconds), Arc::new(TimestampMicrosecondArray::from(vec![10_000 * 86_400_000_000]))));
    assert!(!same(days, seconds));
}

#[test]
fn null_nan_zero_and_infinities_are_what_they_are() {
    let floats = |v: Vec<Option<f64>>| -> ArrayRef { Arc::new(Float64Array::from(v)) };
    assert!(same(floats(vec![Some(0.0)]), floats(vec![Some(-0.0)])));
    assert!(same(floats(vec![Some(f64::NAN)]), floats(vec![Some(-f64::NAN)])));
    assert!(!same(floats(vec![Some(f64::NAN)]), floats(vec![None])));
    assert!(!same(floats(vec![Some(f64::INFINITY)]), floats(vec![Some(f64::NEG_INFINITY)])));
    assert!(same(Arc::new(NullArray::new(2)), Arc::new(Int32Array::from(vec![None, None]))));
    assert!(!same(Arc::new(BooleanArray::from(vec![true])), Arc::new(BooleanArray::from(vec![false]))));
}

#[test]
fn swapped_columns_differ() {
    let (a, b): (ArrayRef, ArrayRef) = (Arc::new(Int64Array::from(vec![1])), Arc::new(Int64Array::from(vec![2])));
    let check = Check::default();
    let left = RecordBatch::try_from_iter([("a", Arc::clone(&a)), ("b", Arc::clone(&b))]).unwrap();
    let right = RecordBatch::try_from_iter([("a", b), ("b", a)]).unwrap();
    assert!(compare(&digested(&[left], &check), &digested(&[right], &check), &check).is_err());
}

#[test]
fn empty_answers_are_equal_and_differ_from_none() {
    let schema = Schema::empty();
    let check = Check::default();
    assert_eq!(digest(&schema, &[], &check).unwrap().rows, 0);
    let rows_only = RecordBatch::try_new_with_options(
        Arc::new(Schema::empty()),
        vec![],
        &RecordBatchOptions::new().with_row_count(Some(3)),
    );
    assert_eq!(digest(&schema, &[rows_only.unwrap()], &check).unwrap().rows, 3);
}

#[test]
fn listed_columns_are_approximate_even_if_decimal_with_their_own_tolerance() {
    let decimal =
        |v: i128| -> ArrayRef { Arc::new(Decimal128Array::from(vec![v]).with_precision_and_scale(20, 6).unwrap()) };
    let listed = |tolerance| Check { approx: BTreeMap::from([("C".to_owned(), tolerance)]), ..Check::default() };
    let of = |column: ArrayRef, check: &Check| digested(&[RecordBatch::try_from_iter([("c", column)]).unwrap()], check);
    let float: ArrayRef = Arc::new(Float64Array::from(vec![25.522_005_853]));
    for (tolerance, accepted) in [(1e-6, true), (1e-9, false)] {
        let check = listed(tolerance);
        let result = compare(&of(Arc::clone(&float), &check), &of(decimal(25_522_006), &check), &check);
        assert_eq!(result.is_ok(), accepted, "{tolerance}");
    }
}

#[test]
fn a_column_that_the_expected_digest_approximates_is_approximate_here_too() {
    let float: ArrayRef = Arc::new(Float64Array::from(vec![30.0]));
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![30]));
    let expected = one(float);
    let check = Check { expected: Some((expected.clone(), "duckdb".into())), ..Check::default() };
    let actual = digested(&[RecordBatch::try_from_iter([("c", Arc::clone(&whole))]).unwrap()], &check);
    assert_eq!(compare(&expected, &actual, &check), Ok(()));
    let unaware = compare(&expected, &one(whole), &check).unwrap_err().to_string();
    assert!(unaware.contains("list the column under `approx`"), "{unaware}");
}

#[test]
fn nulls_and_direction_are_part_of_the_order() {
    let of = |values: Vec<Option<i64>>, check: &Check| {
        let batch =
            RecordBatch::try_from_iter_with_nullable([("c", Arc::new(Int64Array::from(values)) as ArrayRef, true)]);
        let batch = batch.unwrap();
        digest(&batch.schema(), &[batch], check).is_ok()
    };
    assert!(of(vec![Some(3), Some(1), None], &ordered("c", true, false)));
    assert!(!of(vec![Some(3), Some(1), None], &ordered("c", true, true)));
    assert!(of(vec![None, Some(1), Some(3)], &ordered("C", false, true)));
    assert!(!of(vec![Some(1), Some(3)], &ordered("c", true, true)));
}

#[test]
fn order_violations_and_missing_columns_name_the_place() {
    let batch = RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1, 3, 2])) as ArrayRef)]).unwrap();
    let said = |check: &Check| digest(&batch.schema(), std::slice::from_ref(&batch), check).unwrap_err().to_string();
    insta::assert_snapshot!(said(&ordered("a", false, false)), @"row 2 is out of order: rows must be ordered by a");
    insta::assert_snapshot!(said(&ordered("b", false, false)), @"the check orders by `b`, but the answer has only: a");
}

#[test]
fn text_is_ordered_by_bytes() {
    let of = |values: [&str; 2]| {
        let batch =
            RecordBatch::try_from_iter([("c", Arc::new(StringArray::from(values.to_vec())) as ArrayRef)]).unwrap();
        digest(&batch.schema(), &[batch], &ordered("c", false, false)).is_ok()
    };
    assert!(of(["Z", "a"]));
    assert!(!of(["a", "Z"]));
}

#[test]
fn rows_that_tie_at_the_cut_are_compared_by_their_keys_only() {
    let of = |keys: &[i64], names: &[&str], cut: usize, check: &Check| {
        let columns: [(&str, ArrayRef); 2] =
            [("k", Arc::new(Int64Array::from(keys.to_vec()))), ("n", Arc::new(StringArray::from(names.to_vec())))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let parts = [batch.slice(0, cut), batch.slice(cut, keys.len() - cut)];
        digest(&batch.schema(), &parts, check).unwrap()
    };
    let check = Check { ties_at_cut: true, ..ordered("k", true, false) };
    let expected = of(&[9, 8, 5, 5], &["a", "b", "c", "d"], 0, &check);
    for cut in 0..=4 {
        let other = of(&[9, 8, 5, 5], &["a", "b", "x", "c"], cut, &check);
        assert_eq!(compare(&expected, &other, &check), Ok(()), "cut at {cut}");
        let wrong = of(&[9, 8, 5, 5], &["a", "x", "c", "d"], cut, &check);
        assert!(compare(&expected, &wrong, &check).is_err(), "a row before the ties differs, cut at {cut}");
        let key = of(&[9, 8, 5, 4], &["a", "b", "c", "d"], cut, &check);
        assert!(compare(&expected, &key, &check).is_err(), "a key differs, cut at {cut}");
    }
}

#[test]
fn a_digest_is_the_same_to_the_bit_on_any_number_of_cores() {
    let answer = long_answer();
    let on = |cores| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build().unwrap();
        pool.install(|| digested(std::slice::from_ref(&answer), &Check::default()))
    };
    assert_eq!(on(1), on(5));
    let halves = [answer.slice(0, 70_001), answer.slice(70_001, answer.num_rows() - 70_001)];
    assert_eq!(compare(&on(1), &digested(&halves, &Check::default()), &Check::default()), Ok(()));
}

#[test]
fn a_wrong_value_in_any_piece_of_a_long_answer_is_found() {
    let answer = long_answer();
    let right = digested(std::slice::from_ref(&answer), &Check::default());
    for lost in [0, 65_535, 65_536, 131_071, 199_999] {
        let without = [answer.slice(0, lost), answer.slice(lost + 1, answer.num_rows() - lost - 1)];
        let doubled = [answer.clone(), answer.slice(lost, 1)];
        let swapped = [&without[0], &answer.slice((lost + 1) % answer.num_rows(), 1), &without[1]].map(Clone::clone);
        for wrong in [&without[..], &doubled[..], &swapped[..]] {
            assert!(compare(&right, &digested(wrong, &Check::default()), &Check::default()).is_err(), "row {lost}");
        }
    }
}

/// An answer of several pieces, with floats whose sum depends on the order of additions.
fn long_answer() -> RecordBatch {
    let floats: Float64Array = (0..200_000).map(|i| Some(f64::from(i).sin() * 10f64.powi(i % 12))).collect();
    let integers: Int64Array = (0..200_000).map(|i| Some(i * 7919)).collect();
    RecordBatch::try_from_iter([("i", Arc::new(integers) as ArrayRef), ("f", Arc::new(floats))]).unwrap()
}

#[test]
fn mismatches_say_what_differs_and_what_to_do() {
    let check = Check::default();
    let base = digested(&[batch(&[(Some(1), Some("a".into()), 1, Some(1.0))])], &check);
    let said = |rows: &[Row]| compare(&base, &digested(&[batch(rows)], &check), &check).unwrap_err().to_string();
    insta::assert_snapshot!(said(&[(Some(2), Some("a".into()), 1, Some(1.0))]), @"values differ in the exact columns [i, s, d] (checksum c140ece1a202c4f9 instead of aabb1361bab99c8d); to see which, run it again with --keep-results, on an engine you trust too, and compare the files");
    insta::assert_snapshot!(said(&[(Some(1), Some("a".into()), 1, Some(1.5))]), @"the sum of column `f` is 1.5e0 instead of 1e0: off by 3.3e-1 of its magnitude, 1.0e-9 is allowed");
    insta::assert_snapshot!(said(&[(Some(1), Some("a".into()), 1, None)]), @"column `f` has 0 finite and 0 other numbers instead of 1 and 0");
}

#[test]
fn a_stored_result_digests_like_the_answer_it_was_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.parquet");
    let whole = batch(&[(Some(1), None, 5, Some(0.5)), (None, Some("x".into()), -5, None)]);
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, whole.schema(), None).unwrap();
    writer.write(&whole).unwrap();
    writer.close().unwrap();
    let check = Check::default();
    assert_eq!(digest_parquet(&path, &check).unwrap(), digested(&[whole], &check));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let said = digest_parquet(&path, &check).unwrap_err().to_string();
    assert!(said.contains("r.parquet is not a whole Parquet file"), "{said}");
    let said = digest_parquet(&folder.path().join("none.parquet"), &check).unwrap_err().to_string();
    assert!(said.contains("cannot open result"), "{said}");
}
