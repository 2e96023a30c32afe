use super::*;
use crate::cost::book::Provenance;
use proptest::prelude::*;

fn from() -> Provenance {
    Provenance { key: "test".into(), as_of: None, source: "test".into() }
}

/// Workers alone: no start-up, nothing stored, nothing sent.
fn bare(hours_per_tb: f64, terabytes: f64, workers: f64, rate: f64) -> Inputs {
    let mut inputs = Inputs::default();
    let zero = [
        Key::FailedShare,
        Key::Scratch,
        Key::Drivers,
        Key::StartUp,
        Key::Idle,
        Key::BilledMin,
        Key::StoredShare,
        Key::Gets,
        Key::Puts,
        Key::GetRate,
        Key::PutRate,
        Key::EgressShare,
        Key::EgressRate,
        Key::StorageRate,
        Key::DiskRate,
        Key::DriverHour,
    ];
    zero.into_iter().for_each(|key| inputs.fix(key, 0.0, "test"));
    let set = [
        (Key::Busy, hours_per_tb),
        (Key::Volume, terabytes * 1000.0),
        (Key::Jobs, 1.0),
        (Key::Workers, workers),
        (Key::WorkerHour, rate),
    ];
    set.into_iter().for_each(|(key, value)| inputs.fix(key, value, "test"));
    inputs
}

/// Everything there is, between a half and twice these values.
fn full(scale: &[f64; 3]) -> Inputs {
    let mut inputs = Inputs::default();
    let all = [
        (Key::Busy, 0.5),
        (Key::FailedShare, 0.02),
        (Key::ExchangedShare, 0.4),
        (Key::Scratch, 100.0),
        (Key::Volume, 5000.0),
        (Key::Jobs, 30.0),
        (Key::Workers, 4.0),
        (Key::Drivers, 1.0),
        (Key::Vcpus, 4.0),
        (Key::Memory, 16.0),
        (Key::WorkerHour, 0.2),
        (Key::DriverHour, 0.2),
        (Key::UpliftShare, 0.23),
        (Key::PlatformUnitHour, 0.15),
        (Key::PlatformUnitsPerVcpu, 0.2),
        (Key::VcpuHour, 0.05),
        (Key::GbHour, 0.006),
        (Key::UnitHour, 0.06),
        (Key::UnitsPerVcpu, 0.6),
        (Key::UnitsToHold, 0.0),
        (Key::UnitsPerGb, 0.1),
        (Key::UnitsMin, 12.0),
        (Key::StartUp, 0.03),
        (Key::Idle, 0.1),
        (Key::BilledMin, 0.02),
        (Key::Interruptions, 0.05),
        (Key::Recomputed, 0.4),
        (Key::DiskRate, 0.08),
        (Key::StorageRate, 0.023),
        (Key::StoredShare, 1.0),
        (Key::Gets, 125.0),
        (Key::Puts, 1.0),
        (Key::GetRate, 0.0004),
        (Key::PutRate, 0.005),
        (Key::EgressShare, 0.001),
        (Key::EgressRate, 0.09),
        (Key::CrossZoneShare, 0.3),
        (Key::CrossZoneRate, 0.01),
        (Key::OperationsFte, 0.2),
        (Key::Salary, 140_000.0),
        (Key::MigrationPerMonth, 100.0),
    ];
    for (key, value) in all {
        let range = Range { low: value * scale[0], base: value * scale[1], high: value * scale[2] };
        inputs.set(key, range, from());
    }
    inputs
}

fn base(deployment: Deployment, inputs: &Inputs) -> f64 {
    bill(deployment, inputs).total.unwrap().base.get()
}

const ALL: [Deployment; 3] = [Deployment::SelfHosted, Deployment::Managed, Deployment::Serverless];
const ONCE: [f64; 3] = [1.0; 3];

fn within_ten_percent(found: f64, published: f64) {
    assert!((found / published - 1.0).abs() < 0.1, "{found} against {published}");
}

/// Published runs, from the prices of the book that is built in: instances x time, as they were reckoned.
#[test]
fn published_runs_are_found_again_within_ten_percent() {
    let book = crate::cost::PriceBook::parse(crate::cost::built_in("aws").unwrap()).unwrap();
    let run = |instance: &str, count: f64, seconds: f64| {
        let rate =
            book.instance(instance).unwrap().hourly(crate::cost::Purchase::OnDemand).unwrap().base.per_unit().get();
        let bill = bill(Deployment::SelfHosted, &bare(seconds / 3600.0, 1.0, count, rate));
        assert_eq!(bill.unknown, []);
        bill.total.unwrap().base.get()
    };
    // Ray sorts 1 TB on 10 i4i.2xlarge in 361 s.
    within_ten_percent(run("i4i.2xlarge", 10.0, 361.0), 0.69);
    // TPC-H 1 TB on 32 executors of 8 vCPUs, which are 256 of the 96 of an r6i.24xlarge.
    within_ten_percent(run("r6i.24xlarge", 256.0 / 96.0, 845.0), 3.79);
    within_ten_percent(run("r6i.24xlarge", 256.0 / 96.0, 817.0), 3.66);
    // CloudSort: 100 TB on 40 i4i.4xlarge in 5378 s; the part of its 97 that is EC2.
    within_ten_percent(run("i4i.4xlarge", 40.0, 5378.0), 82.0);
}

#[test]
fn a_bill_names_every_line_once_and_adds_up() {
    for deployment in ALL {
        let bill = bill(deployment, &full(&ONCE));
        let sum: f64 = bill.lines.iter().map(|l| l.amount.as_ref().unwrap().base.get()).sum();
        assert!((sum / bill.total.unwrap().base.get() - 1.0).abs() < 1e-9, "{deployment:?}");
        let titles: std::collections::BTreeSet<&str> = bill.lines.iter().map(|l| l.line.title()).collect();
        assert_eq!(titles.len(), bill.lines.len());
    }
}

#[test]
fn lines_are_what_their_formulas_say() {
    let line = |deployment, line: Line, inputs: &Inputs| {
        let bill = bill(deployment, inputs);
        let found = bill.lines.iter().find(|l| l.line == line).unwrap();
        found.amount.clone().unwrap().base.get()
    };
    let own = |l, inputs: &Inputs| line(Deployment::SelfHosted, l, inputs);
    let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted}");
    let inputs = full(&ONCE);
    // 5 TB at half an hour each on four instances at 0.2.
    near(own(Line::Workers, &inputs), 0.5 * 5.0 * 4.0 * 0.2);
    near(own(Line::StartUp, &inputs), 4.0 * 30.0 * 0.03 * 0.2);
    near(own(Line::Idle, &inputs), 4.0 * 30.0 * 0.1 * 0.2);
    let paid = 2.5 + 30.0 * 0.13;
    near(own(Line::Driver, &inputs), paid * 0.2);
    near(own(Line::MinimumBilling, &inputs), 0.0);
    near(own(Line::MinimumBilling, &inputs.with(Key::BilledMin, 1.0)), 4.0 * (30.0 * (1.0 - 0.13) - 2.5) * 0.2);
    near(own(Line::Interruption, &inputs), 0.05 * 4.0 * (2.5 / 730.5) * 0.4 * (2.5 / 30.0) * 4.0 * 0.2);
    near(own(Line::Retries, &inputs), 0.02 / 0.98 * 2.5 * 5.0 * (0.2 + 0.2 * 0.23 + 4.0 * 0.2 * 0.15));
    near(own(Line::ShuffleDisk, &inputs), 500.0 * paid / 730.5 * 0.08);
    // A gigabyte on a bill has 2^30 bytes.
    let gib = 1.073_741_824;
    near(own(Line::Storage, &inputs), 5000.0 / gib * 0.023);
    near(own(Line::Requests, &inputs), 5.0 * (125.0 * 0.0004 + 1.0 * 0.005));
    near(own(Line::Egress, &inputs), 5.0 / gib * 0.09);
    near(own(Line::CrossZone, &inputs), 5000.0 / gib * 0.4 * 0.3 * 0.01);
    near(own(Line::Operations, &inputs), 0.2 * 140_000.0 / 12.0);
    near(own(Line::Migration, &inputs), 100.0);
    let uplift = paid * 5.0 * (0.2 * 0.23 + 4.0 * 0.2 * 0.15);
    near(line(Deployment::Managed, Line::PlatformUplift, &inputs), uplift);
    // 5 workers with 20 vCPUs and 80 GB are 12 + 8 units.
    let serverless = 2.5 * (20.0 * 0.05 + 80.0 * 0.006 + 20.0 * 0.06);
    near(line(Deployment::Serverless, Line::Serverless, &inputs), serverless);
    let least = line(Deployment::Serverless, Line::Serverless, &inputs.with(Key::BilledMin, 1.0));
    near(least, serverless / 2.5 * 30.0);
    let units = line(Deployment::Serverless, Line::Serverless, &inputs.with(Key::UnitsMin, 40.0));
    near(units, serverless + 2.5 * 20.0 * 0.06);
    // What five workers hold has room in 20 units; twice as much takes 40, whatever the cores take.
    let to_hold = |each: f64| line(Deployment::Serverless, Line::Serverless, &inputs.with(Key::UnitsToHold, each));
    near(to_hold(4.0), serverless);
    near(to_hold(8.0), units);
}

#[test]
fn a_commitment_is_paid_for_every_hour_of_a_month_and_no_more() {
    let sum = |inputs: &Inputs| {
        let bill = bill(Deployment::SelfHosted, inputs);
        let of = |l: &&LineCost| matches!(l.line, Line::Workers | Line::Retries | Line::Unused);
        bill.lines.iter().filter(of).map(|l| l.amount.clone().unwrap().base.get()).sum::<f64>()
    };
    let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted}");
    let used = |hours: f64| bare(hours, 1.0, 2.0, 0.12);
    near(sum(&used(15.0)), 15.0 * 2.0 * 0.12);
    near(sum(&used(15.0).with(Key::Committed, 730.5)), 730.5 * 2.0 * 0.12);
    // More than a month has takes a second cluster; attempts that failed use what is paid for already.
    near(sum(&used(800.0).with(Key::Committed, 730.5)), 2.0 * 730.5 * 2.0 * 0.12);
    near(sum(&used(15.0).with(Key::Committed, 730.5).with(Key::FailedShare, 0.2)), 730.5 * 2.0 * 0.12);
}

#[test]
fn no_data_and_no_jobs_divide_by_nothing() {
    for deployment in ALL {
        let none = full(&ONCE).with(Key::Volume, 0.0);
        assert!(base(deployment, &none).is_finite());
        assert!(base(deployment, &none.with(Key::Jobs, 0.0)).is_finite());
        assert!(base(deployment, &full(&ONCE).with(Key::Jobs, 0.0)).is_finite());
    }
}

#[test]
fn an_unknown_price_leaves_its_line_out_or_the_total() {
    let missing = |key: Key| {
        let mut inputs = full(&ONCE);
        let entry = crate::cost::book::Entry {
            range: None,
            why: String::new(),
            from: Provenance { key: "rates.x".into(), as_of: None, source: String::new() },
        };
        inputs.book(key, &entry, 1.0);
        bill(Deployment::Managed, &inputs)
    };
    let storage = missing(Key::StorageRate);
    assert_eq!(storage.unknown[0].to_string(), "unknown: give a rate in your price book under rates.x");
    let all = base(Deployment::Managed, &full(&ONCE));
    assert!((storage.total.unwrap().base.get() - (all - 115.0 / 1.073_741_824)).abs() < 1e-9);
    for essential in [Key::WorkerHour, Key::UpliftShare, Key::PlatformUnitsPerVcpu] {
        assert_eq!(missing(essential).total, None, "{essential:?}");
    }
}

const GROWING: [Key; 12] = [
    Key::Busy,
    Key::Workers,
    Key::WorkerHour,
    Key::Volume,
    Key::Jobs,
    Key::StartUp,
    Key::UpliftShare,
    Key::VcpuHour,
    Key::StorageRate,
    Key::FailedShare,
    Key::BilledMin,
    Key::Salary,
];

proptest! {
    #[test]
    fn costs_rise_with_prices_hours_and_nodes(which in 0usize..12, from in 0.1f64..1.0, by in 1.0f64..3.0) {
        let key = GROWING[which];
        let inputs = full(&ONCE);
        let value = inputs.range(key).unwrap().base * from;
        for deployment in ALL {
            let (less, more) = (inputs.with(key, value), inputs.with(key, value * by));
            prop_assert!(base(deployment, &more) >= base(deployment, &less) * (1.0 - 1e-12), "{key:?} {deployment:?}");
        }
    }

    #[test]
    fn lows_bases_and_highs_ascend(mut scale in prop::array::uniform3(0.0f64..2.0)) {
        scale.sort_by(f64::total_cmp);
        for deployment in ALL {
            let bill = bill(deployment, &full(&scale));
            let ranges = bill.lines.iter().map(|l| l.amount.clone().unwrap()).chain(bill.total);
            for range in ranges {
                prop_assert!(range.low <= range.base && range.base <= range.high, "{deployment:?}");
            }
        }
    }

    #[test]
    fn other_prices_change_a_bill_in_proportion(factor in 0.01f64..100.0) {
        let prices = [
            Key::WorkerHour, Key::DriverHour, Key::PlatformUnitHour, Key::VcpuHour, Key::GbHour, Key::UnitHour,
            Key::DiskRate, Key::StorageRate, Key::GetRate, Key::PutRate, Key::EgressRate, Key::CrossZoneRate, Key::Salary,
            Key::MigrationPerMonth,
        ];
        let inputs = full(&ONCE);
        let other = prices.iter().fold(inputs.clone(), |all, key| {
            let value = all.range(*key).unwrap().base * factor;
            all.with(*key, value)
        });
        for deployment in ALL {
            let ratio = base(deployment, &other) / base(deployment, &inputs);
            prop_assert!((ratio / factor - 1.0).abs() < 1e-9, "{deployment:?}: {ratio} for {factor}");
        }
    }
}
