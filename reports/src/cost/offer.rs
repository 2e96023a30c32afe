//! A way to run what was measured: the deployments that a price book knows for a contestant, each with its bill.

use super::book::{Entry, Instance, Managed, Needs, PriceBook, Provenance, Purchase, Serverless};
use super::input::{Inputs, Key};
use super::model::{Bill, Deployment, Line, bill};
use super::predict::Basis;
use super::pricing::Scenario;
use super::scaled::{Scaled, short_number};
use super::unit::{Amount, Count, Gigabytes, HOURS_PER_MONTH, Hours, Range, Unit};
use super::usage::Usage;

/// Where a number stands that nobody measured and no source says, but the user.
const ASKED: &str = "as asked";

/// A contestant on a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// Which contestant.
    pub contestant: String,
    /// Its engine.
    pub engine: String,
    /// The engine whose platforms it is priced on, if that is another one: a what-if.
    pub priced_as: Option<String>,
    /// Who runs it.
    pub deployment: Deployment,
    /// How its instances are bought; none of a serverless platform.
    pub purchase: Option<Purchase>,
    /// The platform; none where one runs it oneself.
    pub product: Option<String>,
    /// The type of its instances; none of a serverless platform.
    pub instance: Option<String>,
    /// How many work.
    pub instances: u32,
    /// What its time rests on.
    pub basis: Basis,
    /// How its time was scaled, where a job processes more or less data than was measured.
    pub scaled: Option<Scaled>,
    /// An hour of one of its instances on demand, at the base of its range, where they are bought in another way and the book knows it.
    pub on_demand: Option<f64>,
    /// How long it works on a terabyte, as measured or predicted: with the interval of that, and without the error of scaling it.
    pub busy: Range<Hours>,
    /// What the model is fed.
    pub inputs: Inputs,
    /// A month of it.
    pub bill: Bill,
}

impl Offer {
    /// Running it, per terabyte; none without data or a known price.
    #[must_use]
    pub fn running_per_tb(&self, volume: Gigabytes) -> Option<Range<Amount>> {
        per_tb(self.bill.running?, volume)
    }

    /// With storage, requests and egress, per terabyte.
    #[must_use]
    pub fn per_tb(&self, volume: Gigabytes) -> Option<Range<Amount>> {
        per_tb(self.bill.total?, volume)
    }

    /// Its deployment, in the words of a row: `self-hosted, spot`, `EMR on EC2`.
    #[must_use]
    pub fn way(&self) -> String {
        match (&self.product, self.purchase) {
            (Some(product), _) => product.clone(),
            (None, Some(purchase)) => format!("{}, {}", self.deployment.name(), purchase.name()),
            (None, None) => self.deployment.name().to_owned(),
        }
    }

    /// What may be ranked with each other: times of one kind, and sums from which the same lines are missing. The least is the offer of
    /// which most is known.
    pub(super) fn footing(&self) -> ((u8, u32), usize, Vec<Line>) {
        let missing = self.bill.missing();
        (self.basis.footing(), missing.len(), missing)
    }

    /// The instances that are rented, such as `4 x m6i.xlarge`.
    #[must_use]
    pub fn machines(&self) -> String {
        match &self.instance {
            Some(instance) => format!("{} x {instance}", self.instances),
            None if self.instances == 1 => "1 worker".to_owned(),
            None => format!("{} workers", self.instances),
        }
    }

    /// What its time rests on, in a few words, with the error or a question mark where that is unknown.
    #[must_use]
    pub fn time(&self) -> String {
        match (self.scaled, &self.basis) {
            (None, basis) => basis.short(),
            (Some(scaled), Basis::Measured { .. }) => scaled.to_string(),
            (Some(scaled), basis) => format!("{}, {scaled}", basis.short()),
        }
    }

    /// The same in full.
    #[must_use]
    pub fn rests_on(&self) -> String {
        let Some(Scaled { by, error }) = self.scaled else { return self.basis.to_string() };
        let (taken, data) = if by < 1.0 {
            ("that part of a run, though what a run takes apart from its data does not shrink", "less")
        } else {
            ("so many runs one after the other", "more")
        };
        let error = match error {
            None => format!("its error is unknown: measure with {data} data"),
            Some(error) => format!("between sizes that were measured, that was off by {:.1} % or less", error * 100.0),
        };
        let (basis, by) = (&self.basis, short_number(by));
        format!("{basis}; a job processes {by} times the data measured, taken as {taken}; {error}")
    }

    /// What an hour of all workers costs while they work, drivers and platform aside; none of a serverless platform.
    #[must_use]
    pub fn hourly(&self) -> Option<Range<Amount>> {
        let rate = self.inputs.range(Key::WorkerHour)?;
        Some(rate.map(|r| Amount::of(r * f64::from(self.instances))))
    }
}

fn per_tb(month: Range<Amount>, volume: Gigabytes) -> Option<Range<Amount>> {
    let terabytes = volume.terabytes();
    (terabytes > 0.0).then(|| month.map(|amount| Amount::of(amount.get() / terabytes)))
}

/// Every offer for a usage. Empty where its time per terabyte is not known.
pub(super) fn offers(usage: &Usage, book: &PriceBook, instance: Option<&Instance>, scenario: &Scenario) -> Vec<Offer> {
    let Some(busy) = usage.busy_per_tb else { return Vec::new() };
    let maker = Maker { usage, book, scenario, busy };
    let mut all = Vec::new();
    if let Some(instance) = instance {
        all.extend(Purchase::ALL.map(|purchase| maker.self_hosted(instance, purchase)));
        let managed = book.managed.iter().filter(|m| m.engines.iter().any(|e| e == maker.priced_as()));
        all.extend(managed.map(|platform| maker.managed(instance, platform)));
    }
    let serverless = book.serverless.iter().filter(|s| s.engines.iter().any(|e| e == maker.priced_as()));
    all.extend(serverless.map(|platform| maker.serverless(platform)));
    all
}

/// What a machine must have to hold a usage.
pub(super) fn needs(usage: &Usage) -> Needs {
    let place = &usage.place;
    Needs { arch: place.arch.clone(), vcpus: place.vcpus, memory_gib: place.memory_gib }
}

struct Maker<'a> {
    usage: &'a Usage,
    book: &'a PriceBook,
    scenario: &'a Scenario,
    busy: Range<Hours>,
}

impl Maker<'_> {
    fn priced_as(&self) -> &str {
        let engine = &self.usage.contestant.engine;
        self.scenario.price_as.get(engine).unwrap_or(engine)
    }

    fn self_hosted(&self, instance: &Instance, purchase: Purchase) -> Offer {
        let mut inputs = self.on_instances(instance, purchase);
        if purchase == Purchase::Committed {
            inputs.fix(Key::Committed, HOURS_PER_MONTH.get(), "every hour of a month is paid, used or not");
        }
        if purchase == Purchase::Spot {
            inputs.book(Key::Interruptions, &self.assumed("interruptions_per_month"), 1.0);
            match self.usage.wasted {
                Some(share) => {
                    inputs.set(Key::Recomputed, share.map(Count::get), measured("recorded runs with killed nodes"))
                }
                None => inputs.book(Key::Recomputed, &self.assumed("recomputed_share"), 1.0),
            }
        }
        self.offer(Deployment::SelfHosted, Some(purchase), (None, Some(instance)), inputs)
    }

    fn managed(&self, instance: &Instance, platform: &Managed) -> Offer {
        let mut inputs = self.on_instances(instance, Purchase::OnDemand);
        if let Some(uplift) = &platform.uplift {
            inputs.book(Key::UpliftShare, uplift, 1.0);
        }
        if let Some((per_hour, units)) = &platform.units {
            inputs.book(Key::PlatformUnitHour, per_hour, 1.0);
            inputs.book(Key::PlatformUnitsPerVcpu, units, 1.0);
        }
        inputs.fix(Key::Vcpus, instance.vcpus.into(), "the price book");
        let named = (Some(platform.name.clone()), Some(instance));
        self.offer(Deployment::Managed, Some(Purchase::OnDemand), named, inputs)
    }

    fn serverless(&self, platform: &Serverless) -> Offer {
        let mut inputs = self.common();
        let vcpus = self.usage.place.vcpus.get();
        inputs.fix(Key::Vcpus, vcpus, "the cores that the measured nodes could keep busy");
        let ratio = self.assumed("serverless_gb_per_vcpu");
        // A worker holds what the engine held, even where the usual ratio would give it less.
        let held = self.usage.place.memory_gib.map_or(0.0, |gib| gib.get() * 1.073_741_824);
        let range = ratio.range.map(|r| r.map(|per| (per * vcpus).max(held)));
        let from = Provenance { key: format!("{} x vCPUs", ratio.from.key), ..ratio.from };
        inputs.book(Key::Memory, &Entry { range, from, ..ratio }, 1.0);
        let prices = [
            (Key::VcpuHour, &platform.vcpu_hour),
            (Key::GbHour, &platform.gb_hour),
            (Key::UnitHour, &platform.unit_hour),
        ];
        for (key, entry) in prices {
            if let Some(entry) = entry {
                inputs.book(key, entry, 1.0);
            }
        }
        inputs.fix(Key::UnitsPerVcpu, platform.units_per_vcpu, "the price book");
        inputs.fix(Key::UnitsPerGb, platform.units_per_gb, "the price book");
        inputs.fix(
            Key::UnitsToHold,
            platform.gb_per_unit.map_or(0.0, |gb| held / gb),
            "the price book, and what was held",
        );
        inputs.fix(Key::UnitsMin, platform.minimum_units, "the price book");
        inputs.fix(Key::BilledMin, platform.minimum_s / 3600.0, "the price book");
        self.offer(Deployment::Serverless, None, (Some(platform.name.clone()), None), inputs)
    }

    fn offer(
        &self,
        deployment: Deployment,
        purchase: Option<Purchase>,
        (product, instance): (Option<String>, Option<&Instance>),
        inputs: Inputs,
    ) -> Offer {
        let engine = &self.usage.contestant.engine;
        let priced_as = (self.priced_as() != engine && product.is_some()).then(|| self.priced_as().to_owned());
        Offer {
            contestant: self.usage.contestant.label.clone(),
            engine: engine.clone(),
            priced_as,
            deployment,
            purchase,
            product,
            instance: instance.map(|i| i.name.clone()),
            instances: self.usage.place.machines,
            basis: self.usage.basis.clone(),
            scaled: self.scaled(),
            busy: self.busy,
            on_demand: purchase.filter(|p| *p != Purchase::OnDemand).and(instance).and_then(|i| {
                let entry = i.entry(Purchase::OnDemand);
                entry.range.map(|range| range.base)
            }),
            bill: bill(deployment, &inputs),
            inputs,
        }
    }

    fn scaled(&self) -> Option<Scaled> {
        let job = self.scenario.volume.get() / self.jobs_per_month();
        Scaled::between(self.measured_data()?, job, self.usage.sizes.as_ref())
    }

    /// What a workload that was measured reads.
    fn measured_data(&self) -> Option<Gigabytes> {
        self.usage.data.as_ref().map(|(data, _)| *data)
    }

    fn jobs_per_month(&self) -> f64 {
        self.scenario.jobs.per_month(self.scenario.volume.get(), self.measured_data())
    }

    fn assumed(&self, name: &str) -> Entry {
        let missing = || Entry {
            range: None,
            why: String::new(),
            from: Provenance { key: format!("assumption.{name}"), as_of: None, source: String::new() },
        };
        self.book.assumptions.get(name).cloned().unwrap_or_else(missing)
    }

    /// What every deployment needs.
    fn common(&self) -> Inputs {
        let (usage, scenario) = (self.usage, self.scenario);
        let mut inputs = Inputs::default();
        let nodes = usage.basis.to_string();
        let scaled = self.scaled();
        let busy = scaled.map_or(self.busy, |scaled| scaled.widened(self.busy));
        let error =
            scaled.and_then(|s| s.error).map_or(String::new(), |_| ", widened by the error of scaling".to_owned());
        let source = format!("{nodes}, {} workloads{error}", usage.common);
        inputs.set(Key::Busy, busy.map(|h| h.get()), measured(&source));
        let (failed, trials) = usage.failed;
        let share = if trials == 0 { 0.0 } else { failed as f64 / trials as f64 };
        inputs.fix(Key::FailedShare, share, &format!("measured: {failed} of {trials} trials"));
        inputs.fix(Key::Volume, scenario.volume.get(), ASKED);
        inputs.fix(Key::Jobs, self.jobs_per_month(), ASKED);
        inputs.fix(Key::Workers, usage.place.machines.into(), &nodes);
        match usage.place.driver_apart {
            true => inputs.book(Key::Drivers, &self.assumed("drivers"), 1.0),
            false => inputs.fix(Key::Drivers, 0.0, "the driver ran on the machine measured"),
        }
        for (key, assumption) in [
            (Key::StoredShare, "stored_share"),
            (Key::Gets, "gets_per_gb"),
            (Key::Puts, "puts_per_gb"),
            (Key::EgressShare, "egress_share"),
        ] {
            inputs.book(key, &self.assumed(assumption), 1.0);
        }
        for (key, rate) in [
            (Key::StorageRate, "storage_gb_month"),
            (Key::GetRate, "get_per_1000"),
            (Key::PutRate, "put_per_1000"),
            (Key::EgressRate, "egress_gb"),
        ] {
            self.rate(&mut inputs, key, rate);
        }
        self.people(&mut inputs);
        inputs
    }

    fn rate(&self, inputs: &mut Inputs, key: Key, name: &str) {
        if let Some(entry) = self.book.rates.get(name) {
            inputs.book(key, entry, 1.0);
        }
    }

    /// Off unless asked for.
    fn people(&self, inputs: &mut Inputs) {
        if let Some(fte) = self.scenario.operations_fte {
            inputs.fix(Key::OperationsFte, fte.get(), ASKED);
            let own = self.book.salaries.iter().find(|s| s.engines.iter().any(|e| e == self.priced_as()));
            let missing = || Entry {
                range: None,
                why: format!("no role in the book names the engine {}", self.priced_as()),
                from: Provenance { key: "salary".to_owned(), as_of: None, source: String::new() },
            };
            inputs.book(Key::Salary, &own.map_or_else(missing, |s| s.per_year.clone()), 1.0);
        }
        if let Some((amount, months)) = self.scenario.migration {
            inputs.fix(Key::MigrationPerMonth, amount.get() / f64::from(months.max(1)), ASKED);
        }
    }

    fn on_instances(&self, instance: &Instance, purchase: Purchase) -> Inputs {
        const SECOND: f64 = 1.0 / 3600.0;
        let mut inputs = self.common();
        inputs.book(Key::WorkerHour, &instance.entry(purchase), 1.0);
        // A driver that is taken away takes its job with it: nobody rents it on the spot market.
        let driver = if purchase == Purchase::Spot { Purchase::OnDemand } else { purchase };
        inputs.book(Key::DriverHour, &instance.entry(driver), 1.0);
        inputs.book(Key::StartUp, &self.assumed("start_up_s"), SECOND);
        inputs.book(Key::Idle, &self.assumed("idle_s"), SECOND);
        inputs.book(Key::BilledMin, &self.assumed("minimum_s"), SECOND);
        let scratch = self.assumed("scratch_gb");
        let written = self.usage.written.map_or(0.0, Gigabytes::get);
        let needed = scratch.range.map(|r| r.map(|gb| gb.max(written)));
        let is_local = needed.is_some_and(|r| instance.local_disk_gb >= r.high);
        match is_local {
            true => inputs.fix(Key::Scratch, 0.0, "the type has a local disk"),
            false => inputs.book(Key::Scratch, &Entry { range: needed, ..scratch }, 1.0),
        }
        self.rate(&mut inputs, Key::DiskRate, "disk_gb_month");
        if self.usage.place.machines > 1 {
            match self.usage.exchanged {
                Some(share) => inputs.fix(Key::ExchangedShare, share.get(), "measured: bytes that nodes received"),
                None => inputs.book(Key::ExchangedShare, &self.assumed("exchanged_share"), 1.0),
            }
            inputs.book(Key::CrossZoneShare, &self.assumed("cross_zone_share"), 1.0);
            self.rate(&mut inputs, Key::CrossZoneRate, "cross_zone_gb");
        }
        inputs
    }
}

fn measured(what: &str) -> Provenance {
    Provenance { key: "measured".to_owned(), as_of: None, source: what.to_owned() }
}
