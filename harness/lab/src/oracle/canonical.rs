//! One hash per value, the same for every physical encoding of it.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Int64Type, IntervalUnit, Time64NanosecondType,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt64Type, i256,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use twox_hash::XxHash3_64;

/// The state of a row before its first column.
pub(super) const ROW_START: u64 = 0x9e37_79b9_7f4a_7c15;
/// What NULL hashes to, in every type.
pub(super) const NULL: u64 = 0x4e55_4c4c_0000_0001;

// Kinds of values that are never equal although their bits may be.
const BOOLEAN: u64 = 0x626f_6f6c_0000_0003;
const TEXT: u64 = 0x7465_7874_0000_0005;
const DATE: u64 = 0x6461_7465_0000_0007;
const TIMESTAMP: u64 = 0x7374_616d_0000_0009;
const TIME: u64 = 0x7469_6d65_0000_000b;
const DURATION: u64 = 0x6475_7261_0000_000d;
const PRINTED: u64 = 0x7072_696e_0000_000f;

/// Multiplies two words and folds the product: each input bit reaches every output bit.
#[inline]
pub(super) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0xa076_1d64_78bd_642f) * u128::from(b ^ 0xe703_7ed1_a0b4_28db);
    (product >> 64) as u64 ^ product as u64
}

/// Spreads a finished row state over 128 bits, so that sums of many rows do not cancel by chance.
#[inline]
pub(super) fn widen(row: u64) -> u128 {
    (u128::from(fold(row, 0x8ebc_6af0_9c88_c6e3)) << 64) | u128::from(fold(row, 0x5895_58fb_32d1_aa15))
}

/// Mixes one column into the states of its rows.
///
/// # Errors
/// A type that can neither be converted nor printed.
pub(super) fn mix_column(rows: &mut [u64], column: &ArrayRef) -> Result<(), ArrowError> {
    let column = plain(column)?;
    let nulls = column.logical_nulls();
    let nulls = nulls.as_ref();
    match column.data_type() {
        DataType::Null => mix(rows, None, |_| NULL),
        DataType::Boolean => {
            let a = column.as_boolean();
            mix(rows, nulls, |i| BOOLEAN ^ u64::from(a.value(i)));
        }
        DataType::Int64 => primitive::<Int64Type>(rows, &column, |v| v as u64),
        DataType::UInt64 => primitive::<UInt64Type>(rows, &column, |v| number(i128::from(v), 0)),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            primitive::<Decimal128Type>(rows, &column, |v| decimal(v, scale));
        }
        DataType::Decimal256(_, scale) => {
            let scale = *scale;
            primitive::<Decimal256Type>(rows, &column, |v| wide_decimal(v, scale));
        }
        DataType::Date32 => primitive::<Date32Type>(rows, &column, |v| fold(DATE, v as u64)),
        DataType::Timestamp(unit, _) => mix_timestamp(rows, &column, *unit),
        DataType::Time64(TimeUnit::Nanosecond) => {
            primitive::<Time64NanosecondType>(rows, &column, |v| fold(TIME, v as u64));
        }
        DataType::Duration(unit) => mix_duration(rows, &column, *unit),
        DataType::Utf8 => {
            let a = column.as_string::<i32>();
            mix(rows, nulls, |i| text(a.value(i).as_bytes()));
        }
        DataType::LargeUtf8 => {
            let a = column.as_string::<i64>();
            mix(rows, nulls, |i| text(a.value(i).as_bytes()));
        }
        DataType::Utf8View => {
            let a = column.as_string_view();
            mix(rows, nulls, |i| text(a.value(i).as_bytes()));
        }
        DataType::Binary => {
            let a = column.as_binary::<i32>();
            mix(rows, nulls, |i| text(a.value(i)));
        }
        DataType::LargeBinary => {
            let a = column.as_binary::<i64>();
            mix(rows, nulls, |i| text(a.value(i)));
        }
        DataType::BinaryView => {
            let a = column.as_binary_view();
            mix(rows, nulls, |i| text(a.value(i)));
        }
        _ => {
            let options = FormatOptions::default().with_null("NULL");
            let printer = ArrayFormatter::try_new(column.as_ref(), &options)?;
            mix(rows, nulls, |i| fold(PRINTED, XxHash3_64::oneshot(printer.value(i).to_string().as_bytes())));
        }
    }
    Ok(())
}

/// The same values with fewer encodings: dictionaries unpacked, narrow numbers widened, units reduced.
pub(super) fn plain(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let to = match column.data_type() {
        DataType::Dictionary(_, values) => return plain(&cast(column, values)?),
        DataType::RunEndEncoded(_, values) => return plain(&cast(column, values.data_type())?),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            DataType::Int64
        }
        DataType::Float16 | DataType::Float32 => DataType::Float64,
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => DataType::Decimal128(38, *scale),
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(TimeUnit::Microsecond) => DataType::Time64(TimeUnit::Nanosecond),
        DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime) => {
            DataType::Interval(IntervalUnit::MonthDayNano)
        }
        DataType::FixedSizeBinary(_) => DataType::Binary,
        _ => return Ok(ArrayRef::clone(column)),
    };
    cast(column, &to)
}

/// Mixes `value(i)` into row `i`, or the hash of NULL where there is none.
#[inline]
pub(super) fn mix(rows: &mut [u64], nulls: Option<&NullBuffer>, value: impl Fn(usize) -> u64) {
    match nulls {
        None => rows.iter_mut().enumerate().for_each(|(i, h)| *h = step(*h, value(i))),
        Some(nulls) => rows.iter_mut().enumerate().for_each(|(i, h)| {
            *h = step(*h, if nulls.is_valid(i) { value(i) } else { NULL });
        }),
    }
}

/// One column further: position matters, so swapped columns differ.
#[inline]
fn step(row: u64, value: u64) -> u64 {
    fold(row.rotate_left(17), value)
}

#[inline]
fn primitive<T: ArrowPrimitiveType>(rows: &mut [u64], column: &ArrayRef, hash: impl Fn(T::Native) -> u64) {
    let array = column.as_primitive::<T>();
    let values = array.values().as_ref();
    match array.nulls() {
        None => rows.iter_mut().zip(values).for_each(|(h, v)| *h = step(*h, hash(*v))),
        Some(nulls) => rows.iter_mut().zip(values).zip(nulls.iter()).for_each(|((h, v), valid)| {
            *h = step(*h, if valid { hash(*v) } else { NULL });
        }),
    }
}

#[inline]
fn text(bytes: &[u8]) -> u64 {
    TEXT ^ XxHash3_64::oneshot(bytes)
}

/// A number `mantissa / 10^scale` in lowest terms. Whole numbers that fit 64 bits hash to their own bits, so that the
/// integer path costs nothing.
#[inline]
fn number(mantissa: i128, scale: u32) -> u64 {
    let word = match i64::try_from(mantissa) {
        Ok(small) => small as u64,
        Err(_) => fold(mantissa as u64, (mantissa >> 64) as u64 ^ ROW_START),
    };
    if scale == 0 { word } else { fold(word, u64::from(scale) ^ ROW_START) }
}

#[inline]
fn decimal(value: i128, scale: i8) -> u64 {
    match u32::try_from(scale) {
        Ok(scale) => match i64::try_from(value) {
            Ok(mut small) => {
                let mut scale = scale;
                while scale > 0 && small % 10 == 0 {
                    small /= 10;
                    scale -= 1;
                }
                number(i128::from(small), scale)
            }
            Err(_) => large_decimal(value, scale),
        },
        // A negative scale means trailing zeros that are not written.
        Err(_) => match 10i128.checked_pow(u32::from(scale.unsigned_abs())).and_then(|p| value.checked_mul(p)) {
            Some(value) => number(value, 0),
            None => fold(number(value, 0), u64::from(scale.unsigned_abs()) ^ NULL),
        },
    }
}

fn large_decimal(mut value: i128, mut scale: u32) -> u64 {
    while scale > 0 && value % 10 == 0 {
        value /= 10;
        scale -= 1;
    }
    number(value, scale)
}

fn wide_decimal(mut value: i256, scale: i8) -> u64 {
    let ten = i256::from_i128(10);
    let mut scale = scale;
    while scale > 0 && value.wrapping_rem(ten) == i256::ZERO {
        value = value.wrapping_div(ten);
        scale -= 1;
    }
    match value.to_i128() {
        Some(value) => decimal(value, scale),
        None => fold(XxHash3_64::oneshot(&value.to_le_bytes()), u64::from(scale.unsigned_abs()) ^ ROW_START),
    }
}

fn mix_timestamp(rows: &mut [u64], column: &ArrayRef, unit: TimeUnit) {
    match unit {
        TimeUnit::Second => primitive::<TimestampSecondType>(rows, column, |v| instant(TIMESTAMP, v, 1_000_000_000)),
        TimeUnit::Millisecond => {
            primitive::<TimestampMillisecondType>(rows, column, |v| instant(TIMESTAMP, v, 1_000_000));
        }
        TimeUnit::Microsecond => primitive::<TimestampMicrosecondType>(rows, column, |v| instant(TIMESTAMP, v, 1_000)),
        TimeUnit::Nanosecond => primitive::<TimestampNanosecondType>(rows, column, |v| instant(TIMESTAMP, v, 1)),
    }
}

fn mix_duration(rows: &mut [u64], column: &ArrayRef, unit: TimeUnit) {
    match unit {
        TimeUnit::Second => primitive::<DurationSecondType>(rows, column, |v| instant(DURATION, v, 1_000_000_000)),
        TimeUnit::Millisecond => {
            primitive::<DurationMillisecondType>(rows, column, |v| instant(DURATION, v, 1_000_000));
        }
        TimeUnit::Microsecond => primitive::<DurationMicrosecondType>(rows, column, |v| instant(DURATION, v, 1_000)),
        TimeUnit::Nanosecond => primitive::<DurationNanosecondType>(rows, column, |v| instant(DURATION, v, 1)),
    }
}

/// Nanoseconds in 128 bits: seconds far from the epoch do not fit 64.
#[inline]
fn instant(kind: u64, value: i64, nanos_per_unit: i128) -> u64 {
    fold(kind, number(i128::from(value) * nanos_per_unit, 0))
}
