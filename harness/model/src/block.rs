//! Blocks: what tasks leave for other tasks.

use crate::ids::{Attempt, BlockId, NodeId};
use crate::units::{Bytes, Rows};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An order-independent fingerprint of rows: the wrapping sum of a 128-bit hash of each row.
///
/// Equal multisets of rows give equal checksums however they are ordered or cut into batches, so a retried task can be
/// held to its first answer although threads and merges reorder rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum(pub u128);

impl Checksum {
    /// The checksum of the union of two multisets.
    #[must_use]
    pub const fn merge(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Checksum {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Size and fingerprint of one block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockMeta {
    /// How many rows it holds.
    pub rows: Rows,
    /// How many bytes it takes where it is stored.
    pub bytes: Bytes,
    /// The order-independent checksum of its rows.
    pub checksum: Checksum,
}

/// A block a consumer is told to read: which one, made by which attempt, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRef {
    /// Which block.
    pub id: BlockId,
    /// The attempt whose output counts. Other attempts' outputs are never read.
    pub attempt: Attempt,
    /// The node that holds it.
    pub node: NodeId,
    /// Its size and checksum.
    pub meta: BlockMeta,
}

const K0: u64 = 0x9e37_79b9_7f4a_7c15;
const K1: u64 = 0xd6e8_feb8_6659_fd93;
const NULL: u64 = 0x6e75_6c6c_6e75_6c6c;

/// The order-independent checksum of a batch's rows.
///
/// Each value is mixed into its row's state column by column; the finished row hashes are summed. Physical encodings of
/// the same text (plain, view, dictionary) hash alike. Floats hash by their bits with `-0.0` folded into `0.0` and every
/// NaN into one. It detects accidents, not adversaries.
#[must_use]
pub fn checksum_of(batch: &RecordBatch) -> Checksum {
    let mut rows = vec![K0; batch.num_rows()];
    for column in batch.columns() {
        mix_column(&mut rows, column);
    }
    let sum = rows.iter().fold(0u128, |sum, &h| sum.wrapping_add(widen(h)));
    Checksum(sum)
}

/// Spreads a 64-bit row state over 128 bits, so that sums of many rows do not cancel by chance.
fn widen(h: u64) -> u128 {
    let low = (h ^ (h >> 32)).wrapping_mul(K1);
    let high = (h ^ (h >> 29)).wrapping_mul(K0);
    (u128::from(high ^ (high >> 31)) << 64) | u128::from(low ^ (low >> 33))
}

fn mix(state: u64, value: u64) -> u64 {
    let x = (state.rotate_left(23) ^ value).wrapping_mul(K0);
    x ^ (x >> 29)
}

fn mix_column(rows: &mut [u64], column: &ArrayRef) {
    let data_type = column.data_type();
    match data_type {
        DataType::Utf8View => {
            let a = column.as_string_view();
            let views = a.views();
            mix_values(rows, a.nulls(), |i| hash_inline(views[i]).unwrap_or_else(|| hash_bytes(a.value(i).as_bytes())));
        }
        DataType::Utf8 => {
            let a = column.as_string::<i32>();
            mix_bytes(rows, a.nulls(), |i| a.value(i).as_bytes());
        }
        DataType::LargeUtf8 => {
            let a = column.as_string::<i64>();
            mix_bytes(rows, a.nulls(), |i| a.value(i).as_bytes());
        }
        DataType::Boolean => {
            let a = column.as_boolean();
            mix_values(rows, a.nulls(), |i| u64::from(a.value(i)));
        }
        DataType::Float64 => {
            let a = column.as_primitive::<arrow::datatypes::Float64Type>();
            let values = a.values();
            mix_values(rows, a.nulls(), |i| canonical_f64(values[i]));
        }
        DataType::List(_) => mix_list(rows, column.as_list::<i32>()),
        _ => mix_raw(rows, column),
    }
}

/// Lists by the hashes of their elements in order: aggregates such as the median exchange them by the million.
fn mix_list(rows: &mut [u64], lists: &ListArray) {
    let mut elements = vec![K1; lists.values().len()];
    mix_column(&mut elements, lists.values());
    let ends = lists.value_offsets();
    mix_values(rows, lists.nulls(), |i| {
        let (from, to) = (ends[i] as usize, ends[i + 1] as usize);
        elements[from..to].iter().fold((to - from) as u64, |h, &element| mix(h, element))
    });
}

/// Bits of a float with one zero and one NaN.
fn canonical_f64(x: f64) -> u64 {
    if x.is_nan() { f64::NAN.to_bits() } else { (x + 0.0).to_bits() }
}

fn mix_values(rows: &mut [u64], nulls: Option<&NullBuffer>, value: impl Fn(usize) -> u64) {
    match nulls {
        None => rows.iter_mut().enumerate().for_each(|(i, h)| *h = mix(*h, value(i))),
        Some(nulls) => rows.iter_mut().enumerate().for_each(|(i, h)| {
            *h = mix(*h, if nulls.is_valid(i) { value(i) } else { NULL });
        }),
    }
}

fn mix_bytes<'a>(rows: &mut [u64], nulls: Option<&NullBuffer>, value: impl Fn(usize) -> &'a [u8]) {
    mix_values(rows, nulls, |i| hash_bytes(value(i)));
}

/// A short-string hash: eight bytes a step, the length mixed in last.
fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(8);
    let mut h = K1;
    for chunk in &mut chunks {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        h = mix(h, u64::from_le_bytes(word));
    }
    mix(mix(h, last_word(bytes)), bytes.len() as u64)
}

/// The bytes after the last whole word, filled up with zeros. Every exchange hashes every text, and copying so few bytes
/// one way for every length would take longer than hashing them.
fn last_word(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    match len {
        _ if len.is_multiple_of(8) => 0,
        8.. => u64::from_le_bytes(at(bytes, len - 8)) >> (8 * (8 - len % 8)),
        4.. => {
            // The two overlap, in bytes that are the same in both.
            let (low, high) = (u32::from_le_bytes(at(bytes, 0)), u32::from_le_bytes(at(bytes, len - 4)));
            u64::from(low) | u64::from(high) << (8 * (len - 4))
        }
        _ => {
            u64::from(bytes[0])
                | u64::from(bytes[len / 2]) << (8 * (len / 2))
                | u64::from(bytes[len - 1]) << (8 * (len - 1))
        }
    }
}

/// What [`hash_bytes`] gives for text that lies in its view; none for longer text.
fn hash_inline(view: u128) -> Option<u64> {
    let len = view as u32;
    if len > 12 {
        return None;
    }
    let text = (view >> 32) & ((1u128 << (8 * len)) - 1);
    let (first, second) = (text as u64, (text >> 64) as u64);
    let h = if len < 8 { mix(K1, first) } else { mix(mix(K1, first), second) };
    Some(mix(h, u64::from(len)))
}

/// Fixed-width values by their bytes; anything nested or rarer by its printed form.
fn mix_raw(rows: &mut [u64], column: &ArrayRef) {
    let data = column.to_data();
    let width = data.data_type().primitive_width();
    let nulls = column.nulls();
    match (width, data.buffers().first()) {
        (Some(width), Some(buffer)) => {
            let bytes = &buffer.as_slice()[data.offset() * width..];
            match width {
                4 => mix_values(rows, nulls, |i| u64::from(u32::from_le_bytes(word(bytes, i)))),
                8 => mix_values(rows, nulls, |i| u64::from_le_bytes(word(bytes, i))),
                16 => mix_values(rows, nulls, |i| {
                    let v = u128::from_le_bytes(word(bytes, i));
                    mix(v as u64, (v >> 64) as u64)
                }),
                _ => mix_values(rows, nulls, |i| hash_bytes(&bytes[i * width..(i + 1) * width])),
            }
        }
        _ => mix_printed(rows, column),
    }
}

fn word<const N: usize>(bytes: &[u8], i: usize) -> [u8; N] {
    at(bytes, i * N)
}

fn at<const N: usize>(bytes: &[u8], start: usize) -> [u8; N] {
    let mut out = [0u8; N];
    out.copy_from_slice(&bytes[start..start + N]);
    out
}

fn mix_printed(rows: &mut [u64], column: &ArrayRef) {
    let options = arrow::util::display::FormatOptions::default();
    match arrow::util::display::ArrayFormatter::try_new(column.as_ref(), &options) {
        Ok(printer) => {
            let nulls = column.logical_nulls();
            mix_values(rows, nulls.as_ref(), |i| hash_bytes(printer.value(i).to_string().as_bytes()));
        }
        // A type that cannot even be printed contributes its name: rows and the other columns still count.
        Err(_) => {
            let name = hash_bytes(column.data_type().to_string().as_bytes());
            mix_values(rows, None, |_| name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray, StringViewArray};
    use arrow::compute::concat_batches;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn batch(rows: &[(i64, Option<String>)]) -> RecordBatch {
        let ints: ArrayRef = Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>());
        let text: ArrayRef = Arc::new(rows.iter().map(|r| r.1.as_deref()).collect::<StringArray>());
        RecordBatch::try_from_iter_with_nullable([("i", ints, true), ("s", text, true)])
            .unwrap_or_else(|e| panic!("{e}"))
    }

    proptest! {
        #[test]
        fn checksum_ignores_order_and_batching(mut rows in prop::collection::vec((any::<i64>(), any::<Option<String>>()), 0..40), cut in 0usize..40) {
            let whole = batch(&rows);
            let cut = cut.min(rows.len());
            let parts = checksum_of(&whole.slice(0, cut)).merge(checksum_of(&whole.slice(cut, rows.len() - cut)));
            prop_assert_eq!(checksum_of(&whole), parts);
            rows.reverse();
            prop_assert_eq!(checksum_of(&whole), checksum_of(&batch(&rows)));
        }

        #[test]
        fn checksum_notices_a_changed_value(rows in prop::collection::vec((any::<i64>(), any::<Option<String>>()), 1..20), at in 0usize..20) {
            let mut other = rows.clone();
            let at = at % rows.len();
            other[at].0 = other[at].0.wrapping_add(1);
            prop_assert_ne!(checksum_of(&batch(&rows)), checksum_of(&batch(&other)));
        }
    }

    #[test]
    fn text_hashes_alike_in_every_encoding() {
        let plain: ArrayRef = Arc::new(StringArray::from(vec!["a", "a longer text than twelve bytes"]));
        let view: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "a longer text than twelve bytes"]));
        let of = |a: ArrayRef| RecordBatch::try_from_iter([("s", a)]).map(|b| checksum_of(&b)).ok();
        assert_eq!(of(plain), of(view));
    }

    #[test]
    fn text_of_every_length_hashes_word_by_word() {
        let text: String = ('a'..='z').cycle().take(40).collect();
        for len in 0..=text.len() {
            let bytes = &text.as_bytes()[..len];
            let words = bytes.chunks_exact(8).map(|c| u64::from_le_bytes(at(c, 0)));
            let mut last = [0u8; 8];
            last[..len % 8].copy_from_slice(&bytes[len - len % 8..]);
            let hash = words.chain([u64::from_le_bytes(last), len as u64]).fold(K1, mix);
            assert_eq!(hash_bytes(bytes), hash, "{len} bytes");
            let view = StringViewArray::from(vec![&text[..len]]).views()[0];
            assert_eq!(hash_inline(view), (len <= 12).then_some(hash), "{len} bytes");
        }
    }

    #[test]
    fn lists_hash_by_their_elements_wherever_they_lie() {
        use arrow::datatypes::Int64Type;
        let rows = |lists: &[Option<Vec<Option<i64>>>]| -> ArrayRef {
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists.iter().cloned()))
        };
        let of =
            |a: ArrayRef| RecordBatch::try_from_iter_with_nullable([("l", a, true)]).map(|b| checksum_of(&b)).unwrap();
        let (a, b) = (Some(vec![Some(1), None]), Some(vec![Some(2)]));
        let both = rows(&[a.clone(), None, b.clone()]);
        assert_eq!(of(Arc::clone(&both)), of(rows(&[b.clone(), a.clone(), None])));
        assert_eq!(of(both.slice(2, 1)), of(rows(&[b])));
        assert_ne!(of(rows(&[a])), of(rows(&[Some(vec![None, Some(1)])])));
    }

    #[test]
    fn concatenation_is_the_merge() {
        let a = batch(&[(1, None)]);
        let b = batch(&[(1, None), (2, Some(String::new()))]);
        let both = concat_batches(&a.schema(), [&a, &b]).map(|c| checksum_of(&c)).ok();
        assert_eq!(both, Some(checksum_of(&a).merge(checksum_of(&b))));
    }
}
