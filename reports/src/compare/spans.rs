//! Where slots spent their time. Every instant belongs to one kind, or the harness is suspect.

use super::field::Field;
use super::measured::Measured;
use super::workloads::ByWorkload;
use crate::comparison::SpanBreakdown;
use bench_record::{SpanKind, SpanReport};
use std::collections::BTreeMap;

/// By how much the kinds may miss the slots' time.
const TOLERANCE: f64 = 0.01;

pub(super) fn breakdowns(field: &Field<'_>, cases: &ByWorkload<'_, '_>) -> Vec<SpanBreakdown> {
    field.whole().filter_map(|who| breakdown(field, cases, who)).collect()
}

fn slot_ns(spans: &SpanReport) -> u64 {
    spans.makespan_ns.get().saturating_mul(spans.slots.into())
}

fn breakdown(field: &Field<'_>, cases: &ByWorkload<'_, '_>, who: usize) -> Option<SpanBreakdown> {
    let (mut trials, mut all) = (0, 0u64);
    let mut by_kind: BTreeMap<SpanKind, u64> = BTreeMap::new();
    let mut violations = BTreeMap::new();
    for (workload, cases) in cases {
        let of_case = cases.iter().filter(|(c, _)| *c == who).flat_map(|(_, m)| spans_of(m));
        for spans in of_case {
            trials += 1;
            all = all.saturating_add(slot_ns(spans));
            let mut accounted = 0u64;
            for (kind, ns) in &spans.by_kind_ns {
                let sum = by_kind.entry(*kind).or_default();
                *sum = sum.saturating_add(ns.get());
                accounted = accounted.saturating_add(ns.get());
            }
            if !spans.is_complete(TOLERANCE) {
                violations.insert((*workload).to_owned(), accounted as f64 / slot_ns(spans).max(1) as f64);
            }
        }
    }
    if all == 0 {
        return None;
    }
    let share: BTreeMap<SpanKind, f64> = by_kind.into_iter().map(|(k, ns)| (k, ns as f64 / all as f64)).collect();
    Some(SpanBreakdown {
        contestant: field.label(who).to_owned(),
        trials,
        slot_ns: all,
        unknown_share: 1.0 - share.values().sum::<f64>(),
        share,
        violations,
    })
}

fn spans_of<'a>(m: &Measured<'a>) -> impl Iterator<Item = &'a SpanReport> {
    m.trials.iter().filter_map(|o| o.spans.as_ref())
}
