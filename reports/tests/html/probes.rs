//! What `bench overhead` leaves of two engines, and what claims say of it on a page.

use crate::page::{links, summary};
use crate::probed;
use bench_record::{Measure, OverheadRun, Timestamp};
use bench_reports::claims::{self, assess_all, built_in};
use bench_reports::{Options, Section, compare_all, html, places_of_cases};

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

#[test]
fn claims_on_overhead_lead_to_the_trials_of_their_engine() {
    let all = [record()];
    let section = |overhead: &[OverheadRun]| {
        let (comparison, sources) = compare_all(&[], overhead, &Options::default()).unwrap();
        let claims = assess_all(&built_in().unwrap(), &[], overhead, None).unwrap();
        let body_html = claims::html(&claims, &places_of_cases(&comparison, &sources));
        let section = Section { id: "claims".into(), title: "Claims".into(), body_html };
        html(&comparison, &sources, &[section]).unwrap()
    };
    let page = section(&all);
    let found = links(&page, "claims");
    for (figure, engine) in
        [("ray memory=1GiB local x 1: start-up", "ray"), ("dask memory=1GiB local x 1: idle memory", "dask")]
    {
        let own: Vec<_> = found.iter().filter(|(text, _)| text.contains(figure)).collect();
        assert!(!own.is_empty(), "{figure}: {found:?}");
        assert!(own.iter().all(|(_, id)| summary(&page, id).starts_with(engine)), "{own:?}");
    }
    // A figure of two records is in neither alone.
    let mut later = record();
    later.context.started_at = Timestamp::from_unix_ms(1_795_374_999_000);
    let both = section(&[record(), later]);
    assert_eq!(links(&both, "claims"), []);
}
