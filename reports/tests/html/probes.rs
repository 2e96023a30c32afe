//! What `bench overhead` leaves of two engines.

use crate::probed;
use bench_record::{Measure, OverheadRun};

/// Start-up and idle memory, six trials each.
pub(crate) fn record() -> OverheadRun {
    let of = |engine: &str| {
        let subject = probed::subject(engine);
        let both = move |i: u32| {
            let start = probed::sample(&subject, i, Measure::Startup, &[800_000_000 + u64::from(i) * 1_000_000]);
            [start, probed::sample(&subject, i, Measure::IdleMemory, &[90 << 20])]
        };
        (0..6).flat_map(both)
    };
    probed::record(6, of("ray").chain(of("dask")).collect())
}
