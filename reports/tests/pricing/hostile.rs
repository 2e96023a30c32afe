//! Names that are markup and formulas, times of zero, clocks that jump.

use crate::{book, fixture, priced, run, scenario, shown};
use bench_record::{Family, Run, Timestamp};
use bench_reports::cost::{
    Axis, BookError, CostFormat, Count, DAYS_PER_MONTH, Gigabytes, Jobs, Key, PriceBook, PriceError, Pricing, Scenario,
    Swing, built_in,
};

const NAMES: [&str; 4] =
    ["<script>alert(1)</script>", "=HYPERLINK(\"http://x\")", "\u{1b}[2J\u{202e}", "../../etc/passwd"];

/// The run with a hostile engine, workload, version and machine.
fn hostile(name: &str) -> Run {
    let mut run = run();
    for o in &mut run.observations {
        if o.case.engine == "stagedag" {
            o.case.engine = name.into();
        }
        o.case.workload = format!("{name}{}", o.case.workload);
        o.key = o.case.key();
    }
    run.context.machine.cpu_model = name.into();
    run
}

#[test]
fn names_are_neither_markup_nor_formulas_nor_commands() {
    for name in NAMES {
        let mut scenario = scenario();
        scenario.price_as = [(name.to_owned(), "spark".to_owned())].into();
        let pricing = [priced(&[hostile(name)], &book("aws"), &scenario).unwrap()];
        let page = shown(&pricing, CostFormat::Html);
        assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{name}");
        let csv = shown(&pricing, CostFormat::Focus);
        let starts = |line: &str| line.split(',').any(|c| c.trim_start_matches('"').starts_with(['=', '+', '@']));
        assert!(!csv.lines().any(starts), "{name}: {csv}");
        let svg = shown(&pricing, CostFormat::Svg);
        assert!(!svg.contains("<script"), "{name}");
        let text = shown(&pricing, CostFormat::Table);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{name}");
        let markdown = shown(&pricing, CostFormat::Markdown);
        assert!(!markdown.replace("\\<", "").contains('<'), "{name}: {markdown}");
    }
}

#[test]
fn a_time_of_zero_has_no_cost() {
    let mut run = run();
    for o in run.observations.iter_mut().filter(|o| o.case.engine == "datafusion-1t") {
        o.wall_ns = o.wall_ns.map(|_| 0);
    }
    let pricing = priced(&[run], &book("aws"), &scenario()).unwrap();
    let single = &pricing.families[0].usages[2];
    assert_eq!((single.completed, single.busy_per_tb), (0, None));
    assert!(shown(&[pricing], CostFormat::Table).contains("datafusion-1t"));
}

#[test]
fn the_longest_times_there_are_stay_finite() {
    let mut run = run();
    run.observations.iter_mut().filter(|o| o.wall_ns.is_some()).for_each(|o| o.wall_ns = Some(u64::MAX));
    let pricing = priced(&[run], &book("aws"), &scenario()).unwrap();
    let totals = pricing.families.iter().flat_map(|f| &f.offers).filter_map(|o| o.bill.total);
    assert!(totals.map(|t| t.high.get()).all(f64::is_finite));
    for format in [CostFormat::Table, CostFormat::Json, CostFormat::Focus, CostFormat::Html] {
        assert!(!shown(std::slice::from_ref(&pricing), format).contains("NaN"));
    }
}

const HOUR_MS: u64 = 3_600_000;

const FORMATS: [CostFormat; 6] =
    [CostFormat::Table, CostFormat::Markdown, CostFormat::Json, CostFormat::Focus, CostFormat::Svg, CostFormat::Html];

/// What a run costs, priced twice and written with the same bytes each time.
fn priced_twice(run: &Run) -> Pricing {
    let [first, second] = [(); 2].map(|()| [priced(std::slice::from_ref(run), &book("aws"), &scenario()).unwrap()]);
    for format in FORMATS {
        assert_eq!(shown(&first, format), shown(&second, format), "{format:?}");
    }
    let [pricing] = first;
    pricing
}

#[test]
fn a_run_that_ended_before_it_began_costs_what_it_would() {
    let steady = priced_twice(&run());
    let began = run().context.started_at.unix_ms();
    for (began, ended) in [(began, began - 24 * HOUR_MS), (began, 0), (u64::MAX, 0)] {
        let mut run = run();
        run.context.started_at = Timestamp::from_unix_ms(began);
        run.context.finished_at = Some(Timestamp::from_unix_ms(ended));
        assert_eq!(priced_twice(&run), steady, "from {began} to {ended}");
    }
}

#[test]
fn trials_that_began_before_those_ahead_of_them_cost_what_they_would_and_it_is_said() {
    let steady = priced_twice(&run());
    let mut run = run();
    let (began, back) = (run.context.started_at.unix_ms(), run.observations.len() - 1);
    for (o, hours) in run.observations.iter_mut().zip(0u64..) {
        o.started_at = Timestamp::from_unix_ms(began - hours * HOUR_MS);
    }
    let mut jumped = priced_twice(&run);
    let said = format!("{back} trials began before the one recorded ahead of it");
    assert_eq!(jumped.notes.iter().filter(|note| note.contains(&said)).count(), 1, "{:?}", jumped.notes);
    jumped.notes.retain(|note| !note.contains(&said));
    assert_eq!(jumped, steady);
}

/// What an hour of the cheapest type costs on the spot market.
const SPOT: &str = "spot = { low = 0.029, high = 0.041,";

/// The book for AWS with another price on the spot market, and more text after it.
fn spot_at(price: &str, more: &str) -> Result<PriceBook, BookError> {
    let text = built_in("aws").unwrap();
    assert!(text.contains(SPOT));
    PriceBook::parse(&format!("{}{more}", text.replacen(SPOT, &format!("spot = {{ {price},"), 1)))
}

#[test]
fn numbers_above_the_limit_are_refused_with_their_key() {
    let refused = |book: Result<PriceBook, BookError>| book.unwrap_err().to_string();
    let said = |key: &str| format!("`{key}`: 1e308 is too large; give a number of at most 1e12");
    let price = refused(spot_at("low = 1.0, base = 2.0, high = 1e308", ""));
    assert_eq!(price, said("instance.m6i.large.spot"));
    let idle = "\n[assumption.idle_s]\nlow = 0\nbase = 300\nhigh = 1e308\nwhat = \"waits\"\nsource = \"me\"\n";
    assert_eq!(refused(spot_at("price = 0.03", idle)), said("assumption.idle_s"));
    assert!(spot_at("low = 1.0, base = 2.0, high = 1e12", "").is_ok());
}

#[test]
fn amounts_without_an_end_are_not_drawn() {
    let mut often = scenario();
    often.price_as.clear();
    // So many jobs that there is no number for what they may cost.
    often.jobs = Jobs::PerDay(Count::new(1e297).unwrap());
    let book = spot_at("low = 0.029, base = 0.035, high = 1e12", "").unwrap();
    let pricing = [priced(&[run()], &book, &often).unwrap()];
    let is_endless = |(_, swings): &(usize, Vec<Swing>)| swings.iter().any(|s| s.at_high.get().is_infinite());
    assert!(pricing[0].families.iter().all(|f| f.tornado.as_ref().is_some_and(is_endless)));
    let svg = shown(&pricing, CostFormat::Svg);
    assert!(!svg.contains("What matters most") && !svg.contains("cost per TB over data per month"));
    assert!(svg.contains("cost per TB over jobs per day"));
    assert!(shown(&pricing, CostFormat::Html).contains("</html>"));
}

#[test]
fn data_that_nobody_recorded_is_asked_for_and_not_guessed() {
    let mut run = run();
    run.context.datasets.clear();
    let pricing = priced(&[run.clone()], &book("aws"), &scenario()).unwrap();
    assert!(pricing.families.iter().all(|f| f.offers.is_empty()));
    assert!(pricing.notes.iter().any(|n| n.contains("--data sql=SIZE")), "{:?}", pricing.notes);
    let mut asked = scenario();
    asked.asked.data = [(Family::Sql, bench_record::Bytes::new(1_000_000_000))].into();
    let pricing = priced(&[run], &book("aws"), &asked).unwrap();
    assert!(!pricing.families[0].offers.is_empty());
}

#[test]
fn runs_in_which_nothing_completed_have_no_price() {
    let mut run = fixture::run();
    run.observations.retain(|o| o.wall_ns.is_none());
    assert_eq!(priced(&[run.clone()], &book("aws"), &scenario()).map(drop), Err(PriceError::Nothing));
    run.observations.clear();
    let mut scenario = scenario();
    scenario.price_as.clear();
    assert_eq!(priced(&[run], &book("aws"), &scenario).map(drop), Err(PriceError::Nothing));
}

#[test]
fn a_cost_of_more_data_than_was_measured_says_so_in_its_line() {
    let pricing = crate::priced(&[crate::run()], &crate::book("aws"), &crate::scenario()).unwrap();
    for offer in pricing.families.iter().flat_map(|f| &f.offers) {
        // 100 TB a month in a job a day are some 3.3 TB a job, of 0.37 or 0.5 GB measured.
        assert!(offer.scaled.is_some_and(|scaled| scaled.by > 5_000.0), "{:?}", offer.scaled);
        assert!(offer.time().ends_with("±?") && offer.rests_on().contains("error is unknown"), "{}", offer.time());
    }
    let text = crate::shown(&[pricing], bench_reports::cost::CostFormat::Markdown);
    assert!(text.contains("| x89") && text.contains("where no two sizes near it were"), "{text}");
    let mut small = crate::scenario();
    small.volume = bench_reports::cost::Gigabytes::new(5.0).unwrap();
    let pricing = crate::priced(&[crate::run()], &crate::book("aws"), &small).unwrap();
    for offer in pricing.families.iter().flat_map(|f| &f.offers) {
        // Less data than was measured is no measurement either: some 0.16 GB a job.
        assert!(offer.scaled.is_some_and(|scaled| scaled.by < 0.5), "{:?}", offer.scaled);
        assert!(offer.time().ends_with("±?") && offer.rests_on().contains("error is unknown"), "{}", offer.rests_on());
    }
    small.jobs = Jobs::AsMeasured;
    let pricing = crate::priced(&[crate::run()], &crate::book("aws"), &small).unwrap();
    assert!(pricing.families.iter().flat_map(|f| &f.offers).all(|o| o.scaled.is_none()));
}

/// Ten times the data, which take twelve times as long.
fn ten_times_larger() -> bench_record::Run {
    let mut large = crate::fixture::later(1_000, crate::run());
    large.path = "results/large".into();
    large.context.suite = "10gb".into();
    large.context.datasets.iter_mut().for_each(|d| (d.bytes, d.checksum) = (d.bytes * 10, "larger".into()));
    for o in &mut large.observations {
        o.case.suite = "10gb".into();
        o.key = o.case.key();
        o.wall_ns = o.wall_ns.map(|ns| ns * 12);
    }
    large
}

#[test]
fn a_cost_near_sizes_that_were_measured_has_the_error_that_scaling_had_between_them() {
    let runs = [crate::run(), ten_times_larger()];
    let at = |gb_a_month: f64| {
        let volume = bench_reports::cost::Gigabytes::new(gb_a_month).unwrap();
        crate::priced(&runs, &crate::book("aws"), &Scenario { volume, ..crate::scenario() }).unwrap()
    };
    let errors = |pricing: &Pricing| -> Vec<Option<f64>> {
        let offers = pricing.families.iter().flat_map(|f| &f.offers);
        offers.filter_map(|o| o.scaled.map(|s| s.error.map(|e| (e * 1e3).round()))).collect()
    };
    // Some 2 GB a job, between 0.37 or 0.5 and ten times that. Ten small runs are 10/12 of a large one, and its tenth 12/10 of a small one;
    // within the intervals of the times it may be more.
    let near = at(60.0);
    let found = errors(&near);
    assert!(!found.is_empty() && found.iter().all(|error| error.is_some_and(|e| e >= 200.0)), "{found:?}");
    let offer = near.families.iter().flat_map(|f| &f.offers).find(|o| o.scaled.is_some_and(|s| s.by > 1.0)).unwrap();
    let said = (offer.time(), offer.rests_on());
    assert!(said.0.contains(" ±") && said.0.ends_with(" %") && said.1.contains("that was off by"), "{said:?}");
    // What twelve tenths of the time per terabyte would be, which is what the large run takes, is in the range.
    let busy = offer.inputs.known().find(|(key, ..)| *key == Key::Busy).map(|(_, range, _)| *range).unwrap();
    assert!(
        busy.high >= offer.busy.high.get() * 1.2 - 1e-9 && busy.low <= offer.busy.low.get() / 1.2 + 1e-9,
        "{busy:?}"
    );
    let far = errors(&at(100_000.0));
    assert!(!far.is_empty() && far.iter().all(Option::is_none), "beyond twice the largest nobody knows: {far:?}");
}

/// The run with so many times its times.
fn slower(mut run: Run, times: u64) -> Run {
    run.observations.iter_mut().for_each(|o| o.wall_ns = o.wall_ns.map(|ns| ns * times));
    run
}

#[test]
fn a_crossing_says_how_times_are_scaled_where_it_is() {
    let shown_at = |runs: &[Run], gb_a_month: f64| {
        let asked = Scenario { volume: Gigabytes::new(gb_a_month).unwrap(), ..scenario() };
        let pricing = priced(runs, &book("aws"), &asked).unwrap();
        let text = shown(std::slice::from_ref(&pricing), CostFormat::Markdown);
        (pricing, text)
    };
    let (pricing, text) = shown_at(&[run()], 100_000.0);
    assert!(text.contains("times measured, scaled ±?)") && !text.contains("not scaled"), "{text}");
    // How many times the data measured a job has where two offers change places: they do where it takes a certain time.
    let family = &pricing.families[0];
    let (measured, _) = family.usages[0].data.as_ref().unwrap();
    let first = family.crossings.iter().find(|c| c.axis == Axis::Jobs).unwrap();
    let times = 100_000.0 / (first.at.number() * DAYS_PER_MONTH) / measured.get();
    // Where a run takes that time, a job there is what was measured: on both axes, which go down to so little data.
    let (_, text) = shown_at(&[slower(run(), times.round() as u64)], 1_000.0);
    for axis in ["jobs a day", "a month"] {
        let said = |line: &str| line.contains(&format!(" {axis} (")) && line.contains("times measured, not scaled)");
        assert!(text.lines().any(said), "{axis}: {text}");
    }
    // Where it takes half of that, a job there is twice as large, and ten times as large was measured.
    let half = (times / 2.0).round() as u64;
    let (_, text) = shown_at(&[slower(run(), half), slower(ten_times_larger(), half)], 1_000.0);
    assert!(text.contains("times measured, scaled x2.0 ±") && !text.contains("scaled x2.0 ±?"), "{text}");
}

#[test]
fn tables_of_other_data_under_one_title_are_not_priced_together_and_notes_are_kept() {
    let (first, mut second) = (crate::run(), crate::fixture::later(1_000, crate::run()));
    second.path = "results/run-b".into();
    second.context.datasets[0].checksum = "other".into();
    second.context.finished_at = None;
    let pricing = crate::priced(&[first, second], &crate::book("aws"), &crate::scenario()).unwrap();
    let sql: Vec<usize> =
        pricing.families.iter().filter(|f| f.family == bench_record::Family::Sql).map(|f| f.at).collect();
    assert_eq!(sql, [0, 1]);
    assert!(pricing.notes.iter().any(|n| n.contains("run-b: not finished")), "{:?}", pricing.notes);
}

#[test]
fn a_price_without_a_date_is_pointed_out() {
    let pricing = crate::priced(&[crate::run()], &crate::book("gcp"), &crate::scenario()).unwrap();
    let said = |note: &&String| note.contains("Dataproc Serverless.unit_hour has no date");
    assert_eq!(pricing.notes.iter().filter(said).count(), 1, "{:?}", pricing.notes);
    let aws = crate::priced(&[crate::run()], &crate::book("aws"), &crate::scenario()).unwrap();
    assert!(aws.notes.iter().any(|n| n.contains("Glue Flex.unit_hour has no date")), "{:?}", aws.notes);
    assert!(aws.notes.iter().all(|n| !n.contains("Glue.unit_hour has no date")), "{:?}", aws.notes);
}
