//! Instants as RFC 3339 text in UTC, to the millisecond. No time zones, no leap seconds, no dependency.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

const MS_PER_DAY: u64 = 86_400_000;
/// Midnight after 9999-12-31: RFC 3339 has four digits for the year.
const END_MS: u64 = 253_402_300_800_000;

/// Milliseconds since 1970-01-01T00:00:00Z; written `2026-11-22T19:04:05.123Z`.
///
/// Invariant: the year has four digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since the epoch; times after the year 9999 become its last millisecond.
    #[must_use]
    pub const fn from_unix_ms(ms: u64) -> Self {
        Self(if ms < END_MS { ms } else { END_MS - 1 })
    }

    /// The wall clock's reading; the epoch if the clock is before it.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// The instant as `20261122-190405`, for names of folders.
    #[must_use]
    pub fn compact(self) -> String {
        let (date, ms) = (Date::from_days(self.0 / MS_PER_DAY), self.0 % MS_PER_DAY);
        let (h, m, s) = clock(ms);
        format!("{:04}{:02}{:02}-{h:02}{m:02}{s:02}", date.year, date.month, date.day)
    }
}

/// Hours, minutes and seconds of a time of day.
const fn clock(ms: u64) -> (u64, u64, u64) {
    (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60)
}

/// A day of the Gregorian calendar.
#[derive(Clone, Copy)]
struct Date {
    year: u64,
    month: u64,
    day: u64,
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to January 1st of `year`.
const fn days_before(year: u64) -> u64 {
    let past = year - 1;
    // 719 162 days lie between 0001-01-01 and 1970-01-01.
    past * 365 + past / 4 - past / 100 + past / 400 - 719_162
}

impl Date {
    fn from_days(days: u64) -> Self {
        // A year is never shorter than 365 days, so the guess is never too early; it is at most one too late per step.
        let mut year = 1970 + days / 365;
        while days_before(year) > days {
            year -= 1;
        }
        let mut rest = days - days_before(year);
        let mut month = 1;
        while rest >= days_in(year, month) {
            rest -= days_in(year, month);
            month += 1;
        }
        Self { year, month, day: rest + 1 }
    }

    fn days(self) -> u64 {
        days_before(self.year) + (1..self.month).map(|m| days_in(self.year, m)).sum::<u64>() + self.day - 1
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, ms) = (Date::from_days(self.0 / MS_PER_DAY), self.0 % MS_PER_DAY);
        let (h, m, s) = clock(ms);
        write!(f, "{:04}-{:02}-{:02}T{h:02}:{m:02}:{s:02}.{:03}Z", date.year, date.month, date.day, ms % 1000)
    }
}

/// Reads `2026-11-22T19:04:05Z` with any number of digits after the seconds; those beyond milliseconds are dropped.
fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let mark = |at: usize, mark: u8| (bytes.get(at) == Some(&mark)).then_some(());
    mark(4, b'-').and(mark(7, b'-')).and(mark(10, b'T')).and(mark(13, b':')).and(mark(16, b':'))?;
    let date = Date { year: number(0, 4)?, month: number(5, 7)?, day: number(8, 10)? };
    let (h, m, s) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let sane = date.year >= 1970
        && (1..=12).contains(&date.month)
        && (1..=days_in(date.year, date.month)).contains(&date.day)
        && h < 24
        && m < 60
        && s < 60;
    let fraction = text.get(19..)?.strip_suffix('Z')?;
    let ms = match fraction.strip_prefix('.') {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.bytes().chain(*b"00").take(3).fold(0, |ms, b| ms * 10 + u64::from(b - b'0'))
        }
        None if fraction.is_empty() => 0,
        _ => return None,
    };
    sane.then(|| Timestamp(date.days() * MS_PER_DAY + ((h * 60 + m) * 60 + s) * 1000 + ms))
}

impl FromStr for Timestamp {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| format!("`{text}` is not a UTC time such as 2026-11-22T19:04:05.123Z"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants_print_as_the_calendar_says() {
        let shown = |ms| Timestamp::from_unix_ms(ms).to_string();
        assert_eq!(shown(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(shown(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(shown(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(shown(u64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_unix_ms(1_709_251_199_999).compact(), "20240229-235959");
    }

    #[test]
    fn impossible_times_are_refused() {
        for text in [
            "",
            "now",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00+01:00",
            "2024-01-01T00:00:00.Z",
            "1969-12-31T23:59:59Z",
            "2024-01-01 00:00:00Z",
            "2024-01-01T00:00:+1Z",
            "２024-01-01T00:00:00Z",
            "2024-00-10T00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn fractions_of_any_length_are_read() {
        let ms = |text: &str| text.parse::<Timestamp>().map(Timestamp::unix_ms);
        assert_eq!(ms("1970-01-01T00:00:01Z"), Ok(1000));
        assert_eq!(ms("1970-01-01T00:00:01.5Z"), Ok(1500));
        assert_eq!(ms("1970-01-01T00:00:01.123456789Z"), Ok(1123));
    }

    proptest! {
        #[test]
        fn text_and_instant_are_each_others_inverse(ms in 0..END_MS) {
            let time = Timestamp::from_unix_ms(ms);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn text_sorts_like_time(a in 0..END_MS, b in 0..END_MS) {
            let text = |ms| Timestamp::from_unix_ms(ms).to_string();
            prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
