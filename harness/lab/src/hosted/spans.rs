//! Where a product's slots spent a run, as its driver tells it from the product's own trace: how far that is believed.

use bench_model::{Nanos, SpanKind, SpanReport};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of what drivers tell of spans.
pub const SPANS_VERSION: u32 = 1;
/// By how much the kinds may be more than all slot time: a product's clock is not the harness's.
const TOLERANCE: f64 = 0.01;

/// Slot time of one run by kind, as a driver tells it. What it leaves out is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireSpans {
    /// [`SPANS_VERSION`].
    pub version: u32,
    /// Time by kind, summed over slots; absent kinds took none.
    pub by_kind_ns: BTreeMap<SpanKind, Nanos>,
    /// What the product's trace tells and no kind does, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Why spans are not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unbelievable {
    /// They say something this build does not know.
    #[error("its spans are of version {0}, not {SPANS_VERSION}")]
    Version(u32),
    /// They explain more than there was.
    #[error("its spans take {told} ns, more than the {all} ns of {slots} slots")]
    TooMuch {
        /// All kinds together.
        told: u128,
        /// What there was.
        all: u128,
        /// Of so many slots.
        slots: u32,
    },
}

impl WireSpans {
    /// The report of a run that took `makespan` on the harness's clock. The rest of all slot time is unknown.
    ///
    /// # Errors
    /// Another version, or more than all slot time by more than 1 %: then it is not known what to believe.
    pub(super) fn report(&self, slots: u32, makespan: Nanos) -> Result<SpanReport, Unbelievable> {
        if self.version != SPANS_VERSION {
            return Err(Unbelievable::Version(self.version));
        }
        let told: u128 = self.by_kind_ns.values().map(|ns| u128::from(ns.get())).sum();
        let all = u128::from(makespan.get()) * u128::from(slots);
        if told as f64 > all as f64 * (1.0 + TOLERANCE) {
            return Err(Unbelievable::TooMuch { told, all, slots });
        }
        let unknown = u64::try_from(all.saturating_sub(told)).unwrap_or(u64::MAX);
        Ok(SpanReport {
            slots,
            makespan_ns: makespan,
            by_kind_ns: self.by_kind_ns.clone(),
            unknown_ns: Some(Nanos::new(unknown)),
        })
    }

    /// What a driver says that tells nothing: all of it is unknown.
    pub(super) fn nothing() -> Self {
        Self { version: SPANS_VERSION, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ns: &[(SpanKind, u64)]) -> WireSpans {
        let by_kind_ns = ns.iter().map(|(kind, ns)| (*kind, Nanos::new(*ns))).collect();
        WireSpans { by_kind_ns, ..WireSpans::nothing() }
    }

    #[test]
    fn what_a_driver_does_not_tell_is_unknown_and_all_slot_time_is_accounted_for() {
        for spans in [WireSpans::nothing(), told(&[(SpanKind::Compute, 700), (SpanKind::Report, 200)])] {
            let report = spans.report(2, Nanos::new(1000)).unwrap();
            let known: u64 = report.by_kind_ns.values().map(|ns| ns.get()).sum();
            assert_eq!(report.unknown_ns, Some(Nanos::new(2000 - known)));
            assert!(report.is_complete(0.0));
        }
    }

    #[test]
    fn more_than_all_slot_time_is_refused_beyond_one_percent() {
        assert_eq!(
            told(&[(SpanKind::Compute, 2019)]).report(2, Nanos::new(1000)).unwrap().unknown_ns,
            Some(Nanos::ZERO)
        );
        let said = told(&[(SpanKind::Compute, 2000), (SpanKind::Report, 21)])
            .report(2, Nanos::new(1000))
            .unwrap_err()
            .to_string();
        assert!(said.contains("its spans take 2021 ns, more than the 2000 ns of 2 slots"), "{said}");
        assert!(told(&[(SpanKind::Compute, u64::MAX), (SpanKind::Report, u64::MAX)]).report(2, Nanos::new(1)).is_err());
    }

    #[test]
    fn another_version_is_refused() {
        let other = WireSpans { version: SPANS_VERSION + 1, ..WireSpans::nothing() };
        assert_eq!(other.report(1, Nanos::new(1)).unwrap_err().to_string(), "its spans are of version 2, not 1");
    }

    #[test]
    fn unknown_kinds_and_negative_times_are_no_spans() {
        for text in [
            r#"{"version":1,"by_kind_ns":{"lunch":1}}"#,
            r#"{"version":1,"by_kind_ns":{"compute":-1}}"#,
            r#"{"version":1,"by_kind_ns":{"compute":1.5}}"#,
            r#"{"version":1,"by_kind_ns":{},"unknown_ns":1}"#,
            r#"{"by_kind_ns":{}}"#,
        ] {
            assert!(serde_json::from_str::<WireSpans>(text).is_err(), "{text}");
        }
    }
}
