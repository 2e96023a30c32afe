//! Units of the cost model, so that hours are never multiplied with gigabytes' prices by mistake.

use serde::{Serialize, Serializer};
use std::fmt;
use std::iter::Sum;
use std::marker::PhantomData;
use std::ops::{Add, Mul};
use std::str::FromStr;

/// Hours of a month: 365.25 days of 24 hours over 12.
pub const HOURS_PER_MONTH: Hours = Hours(730.5);
/// Days of a month: 365.25 over 12.
pub const DAYS_PER_MONTH: f64 = 365.25 / 12.0;

/// What quantities of the model have in common: a finite number that is not negative.
pub(super) trait Unit: Copy {
    fn of(raw: f64) -> Self;
    fn raw(self) -> f64;
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// So many; none of a number that is negative or not finite.
            #[must_use]
            pub fn new(raw: f64) -> Option<Self> {
                (raw.is_finite() && raw >= 0.0).then_some(Self(raw))
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> f64 {
                self.0
            }
        }
        impl Unit for $name {
            fn of(raw: f64) -> Self {
                Self(if raw.is_finite() { raw.max(0.0) } else { 0.0 })
            }
            fn raw(self) -> f64 {
                self.0
            }
        }
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Mul<Count> for $name {
            type Output = Self;
            fn mul(self, times: Count) -> Self {
                Self(self.0 * times.get())
            }
        }
        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
                all.fold(Self(0.0), Add::add)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_f64(self.0)
            }
        }
    };
}

unit!(
    /// Hours of time.
    Hours
);
unit!(
    /// Data in units of 10^9 bytes. A gigabyte on a bill is [`Gigabytes::billed`].
    Gigabytes
);
unit!(
    /// Data kept for a time: gigabytes times months.
    GigabyteMonths
);
unit!(
    /// How many of something, or a share of it.
    Count
);
unit!(
    /// An amount of a price book's currency.
    Amount
);

impl Hours {
    /// From seconds.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        Self::new(seconds / 3600.0)
    }

    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 * 3600.0
    }

    /// Divided into so many parts; zero of none.
    #[must_use]
    pub fn over(self, parts: Count) -> Self {
        if parts.get() > 0.0 { Self(self.0 / parts.get()) } else { Self(0.0) }
    }

    /// What is missing to another; zero if nothing is.
    #[must_use]
    pub fn short_of(self, other: Self) -> Self {
        Self((other.0 - self.0).max(0.0))
    }

    /// In months.
    #[must_use]
    pub fn months(self) -> Count {
        Count(self.0 / HOURS_PER_MONTH.0)
    }
}

impl Gigabytes {
    /// From bytes.
    #[must_use]
    pub fn from_bytes(bytes: bench_record::Bytes) -> Self {
        Self(bytes.get() as f64 / 1e9)
    }

    /// In units of 10^12 bytes.
    #[must_use]
    pub const fn terabytes(self) -> f64 {
        self.0 / 1e3
    }

    /// What a bill counts: providers call 2^30 bytes a gigabyte (Amazon S3's own examples of a bill do).
    #[must_use]
    pub fn billed(self) -> Self {
        Self(self.0 * 1e9 / f64::from(1u32 << 30))
    }

    /// Kept for so long.
    #[must_use]
    pub fn kept_for(self, time: Hours) -> GigabyteMonths {
        GigabyteMonths(self.0 * time.months().get())
    }
}

/// A price per unit.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate<U>(f64, PhantomData<U>);

impl<U> Rate<U> {
    pub(super) const fn of(raw: f64) -> Self {
        Self(raw, PhantomData)
    }

    /// The amount per unit.
    #[must_use]
    pub const fn per_unit(self) -> Amount {
        Amount(self.0)
    }
}

macro_rules! priced {
    ($($unit:ident),*) => {$(
        impl Mul<$unit> for Rate<$unit> {
            type Output = Amount;
            fn mul(self, quantity: $unit) -> Amount {
                Amount(self.0 * quantity.get())
            }
        }
    )*};
}
priced!(Hours, Gigabytes, GigabyteMonths, Count);

/// Three capital letters (ISO 4217), such as `USD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

/// Text that names no currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no currency; give three capital letters such as USD")]
pub struct CurrencyError(pub String);

impl FromStr for Currency {
    type Err = CurrencyError;
    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        match text.as_bytes() {
            [a, b, c] if text.bytes().all(|b| b.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(CurrencyError(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.0).unwrap_or("???"))
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// An amount with its currency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Money {
    /// How much.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", money_text(self.amount), self.currency))
    }
}

/// An amount with three digits that count, cents from 10 on, and whole units with separators from 1000 on.
pub(super) fn money_text(amount: Amount) -> String {
    match amount.get() {
        0.0 => "0".to_owned(),
        x if x < 0.000_001 => format!("{x:.1e}"),
        x if x < 1.0 => {
            let decimals = (2.0 - x.log10().floor()).clamp(2.0, 9.0) as usize;
            format!("{x:.decimals$}")
        }
        x if x < 1000.0 => format!("{x:.2}"),
        x if x < 1e15 => grouped(x.round() as u64),
        x => format!("{x:.3e}"),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three values of one quantity. Invariant: `low <= base <= high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range<U> {
    /// The least that sources and measurements give reason for.
    pub low: U,
    /// What is reckoned with.
    pub base: U,
    /// The most.
    pub high: U,
}

impl<U: PartialOrd + Copy> Range<U> {
    /// None unless they ascend.
    #[must_use]
    pub fn new(low: U, base: U, high: U) -> Option<Self> {
        (low <= base && base <= high).then_some(Self { low, base, high })
    }

    /// The same three times.
    #[must_use]
    pub const fn exactly(value: U) -> Self {
        Self { low: value, base: value, high: value }
    }

    /// The base with what lies farthest from it on both sides, whatever their order.
    pub(super) fn around(base: U, others: [U; 2]) -> Self {
        let less = |a: U, b: U| if b < a { b } else { a };
        let more = |a: U, b: U| if b > a { b } else { a };
        let [one, other] = others;
        Self { low: less(base, less(one, other)), base, high: more(base, more(one, other)) }
    }

    /// Each value made into another.
    pub(super) fn map<V>(self, f: impl Fn(U) -> V) -> Range<V> {
        Range { low: f(self.low), base: f(self.base), high: f(self.high) }
    }

    /// Whether there is one value only.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.low >= self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gigabyte_on_a_bill_is_two_to_the_thirtieth_bytes() {
        // Of 107,374,182,400 bytes, Amazon S3 bills 100 GB.
        let billed = Gigabytes::from_bytes(bench_record::Bytes::new(107_374_182_400)).billed();
        assert!((billed.get() - 100.0).abs() < 1e-9, "{billed:?}");
    }
    use proptest::prelude::*;

    #[test]
    fn quantities_are_finite_and_not_negative() {
        for raw in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!((Hours::new(raw), Amount::new(raw), Gigabytes::new(raw)), (None, None, None), "{raw}");
        }
        assert_eq!(Hours::new(2.0).map(Hours::get), Some(2.0));
    }

    #[test]
    fn only_three_capital_letters_are_a_currency() {
        assert_eq!("USD".parse::<Currency>().map(|c| c.to_string()), Ok("USD".to_owned()));
        for text in ["", "usd", "US", "USDT", "U$D", "ＵＳＤ", "<b>"] {
            assert!(text.parse::<Currency>().is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_show_three_digits_that_count() {
        let shown = |x: f64| money_text(Amount::new(x).unwrap());
        let known = [0.0, 0.000_012_345, 0.0688, 0.688, 3.7856, 82.04, 999.99, 1000.0, 1_234_567.8];
        let wanted = ["0", "0.0000123", "0.0688", "0.688", "3.79", "82.04", "999.99", "1,000", "1,234,568"];
        assert_eq!(known.map(shown), wanted);
    }

    #[test]
    fn nothing_is_divided_by_no_jobs() {
        assert_eq!(Hours(3.0).over(Count(0.0)), Hours(0.0));
        assert_eq!(Hours(3.0).over(Count(2.0)), Hours(1.5));
    }

    proptest! {
        #[test]
        fn a_range_around_values_ascends_and_holds_them(a in 0.0f64..1e9, b in 0.0f64..1e9, c in 0.0f64..1e9) {
            let range = Range::around(Hours(a), [Hours(b), Hours(c)]);
            prop_assert!(range.low <= range.base && range.base <= range.high);
            prop_assert!([a, b, c].iter().all(|x| (range.low.get()..=range.high.get()).contains(x)));
        }
    }
}
