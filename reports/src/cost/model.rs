//! The model: what a month of jobs costs, line by line. Pure functions of an offer's [`Inputs`].
//!
//! `busy` is how long the cluster works in a month: time per TB x data. `paid` adds start-up and idle time per job, and what is
//! missing to the least billed time. Every line grows with each of its numbers, so that the lows of all numbers give the low
//! of the total and the highs its high; what is missing to a least time or to a commitment shrinks as work grows, and its sum with that
//! work does not.
//!
//! Long because: every line of a bill, its formula and what lines have in common are one model.

use super::book::Unknown;
use super::input::{At, Inputs, Key, Point};
use super::unit::{Amount, Count, GigabyteMonths, Gigabytes, Hours, Range};
use serde::{Deserialize, Serialize};

/// Who runs the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deployment {
    /// Rented instances, engine installed by oneself.
    SelfHosted,
    /// A platform on instances that are paid for besides.
    Managed,
    /// A platform that bills what a job holds.
    Serverless,
}

impl Deployment {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SelfHosted => "self-hosted",
            Self::Managed => "managed",
            Self::Serverless => "serverless",
        }
    }
}

macro_rules! lines {
    ($($(#[$doc:meta])* $name:ident: $title:literal, $formula:literal;)*) => {
        /// A line of a bill.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Line {
            $($(#[$doc])* #[doc = concat!("\n\n`", $formula, "`")] $name,)*
        }

        impl Line {
            /// All of them, in the order of a bill.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in reports.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// How it is computed.
            #[must_use]
            pub const fn formula(self) -> &'static str {
                match self { $(Self::$name => $formula,)* }
            }
        }
    };
}

lines! {
    /// Instances while jobs run.
    Workers: "workers", "workers x busy x worker instance-hour";
    /// The driver's instance, for as long as it is paid.
    Driver: "driver", "drivers x paid x driver instance-hour";
    /// Instances until a job starts.
    StartUp: "start-up", "workers x jobs x start-up x worker instance-hour";
    /// Instances after a job.
    Idle: "idle", "workers x jobs x idle x worker instance-hour";
    /// What is missing to the least billed time.
    MinimumBilling: "minimum billing", "workers x jobs x max(0, least billed time - paid per job) x worker instance-hour";
    /// Hours of a commitment in which nothing runs.
    Unused: "unused commitment", "(workers x worker + drivers x driver instance-hour) x (hours of a month x clusters - paid - retried)";
    /// What a platform adds to the instances.
    PlatformUplift: "platform uplift", "instances x paid x (uplift share x instance-hour + vCPUs x units per vCPU x unit-hour)";
    /// What a serverless platform bills.
    Serverless: "serverless",
        "jobs x max(least time, busy per job) x (workers + drivers) x (vCPUs x vCPU-hour + GB x GB-hour + units x unit-hour)";
    /// Work done again because spot instances were taken away.
    Interruption: "interruption",
        "interruptions x workers x busy in months x share done again x busy per job x workers x worker instance-hour";
    /// Jobs run again because they failed.
    Retries: "retries", "failed / (1 - failed) x (workers + driver + platform uplift while busy, or serverless)";
    /// Disks for shuffles and spills.
    ShuffleDisk: "shuffle disk", "instances x GB x paid in months x disk per GB-month";
    /// Data at rest.
    Storage: "storage", "data in GiB x share kept x storage per GB-month x 1 month";
    /// Requests to object storage.
    Requests: "requests", "data x (reads per GB x read + writes per GB x write)";
    /// Results that leave the provider.
    Egress: "egress", "data in GiB x share that leaves x egress per GB";
    /// Bytes between nodes of different zones.
    CrossZone: "cross-zone", "data in GiB x bytes between nodes per byte x share that crosses x cross-zone per GB";
    /// People who keep it running.
    Operations: "operations", "people x salary / 12";
    /// Moving there, spread over months.
    Migration: "migration", "migration / months";
}

impl Line {
    /// Without it there is no total that means anything.
    #[must_use]
    pub const fn is_essential(self) -> bool {
        matches!(self, Self::Workers | Self::PlatformUplift | Self::Serverless)
    }

    /// Whether it depends on the data alone: the same on every deployment and for every engine.
    #[must_use]
    pub const fn is_of_data(self) -> bool {
        matches!(self, Self::Storage | Self::Requests | Self::Egress)
    }

    /// The lines of an offer.
    pub(super) fn of(deployment: Deployment, inputs: &Inputs) -> impl Iterator<Item = Self> {
        let has = |key: Key| inputs.get(key).is_some();
        let (serverless, spot) = (deployment == Deployment::Serverless, has(Key::Interruptions));
        let (several, people, moves) = (has(Key::ExchangedShare), has(Key::OperationsFte), has(Key::MigrationPerMonth));
        Self::ALL.iter().copied().filter(move |line| match line {
            Self::Workers | Self::Driver | Self::StartUp | Self::Idle | Self::MinimumBilling | Self::ShuffleDisk => {
                !serverless
            }
            Self::Unused => has(Key::Committed),
            Self::PlatformUplift => deployment == Deployment::Managed,
            Self::Serverless => serverless,
            Self::Interruption => spot && !serverless,
            Self::CrossZone => several && !serverless,
            Self::Operations => people,
            Self::Migration => moves,
            Self::Retries | Self::Storage | Self::Requests | Self::Egress => true,
        })
    }

    /// What it comes to in a month.
    pub(super) fn amount(self, at: &Point<'_>) -> Result<Amount, Unknown> {
        let month = Month { at };
        match self {
            Self::Workers => month.workers(),
            Self::Driver => Ok(at.rate::<Hours>(Key::DriverHour)? * (month.paid()? * at.get::<Count>(Key::Drivers)?)),
            Self::StartUp => month.per_job(at.get(Key::StartUp)?),
            Self::Idle => month.per_job(at.get(Key::Idle)?),
            Self::MinimumBilling => month.per_job(month.shortfall()?),
            Self::Unused => month.unused(),
            Self::PlatformUplift => month.uplift(month.paid()?),
            Self::Serverless => month.serverless(),
            Self::Interruption => month.interruption(),
            Self::Retries => month.retries(),
            Self::ShuffleDisk => month.disk(),
            Self::Storage => {
                let kept: Gigabytes = month.data()? * at.get::<Count>(Key::StoredShare)?;
                Ok(at.rate::<GigabyteMonths>(Key::StorageRate)? * kept.billed().kept_for(super::unit::HOURS_PER_MONTH))
            }
            Self::Requests => month.requests(),
            Self::Egress => {
                let leaving = month.data()? * at.get::<Count>(Key::EgressShare)?;
                Ok(at.rate::<Gigabytes>(Key::EgressRate)? * leaving.billed())
            }
            Self::CrossZone => {
                let exchanged = month.data()? * at.get::<Count>(Key::ExchangedShare)?;
                let crossing = exchanged * at.get::<Count>(Key::CrossZoneShare)?;
                Ok(at.rate::<Gigabytes>(Key::CrossZoneRate)? * crossing.billed())
            }
            Self::Operations => {
                let year = at.rate::<Count>(Key::Salary)? * at.get::<Count>(Key::OperationsFte)?;
                Ok(year * part(1.0 / 12.0))
            }
            Self::Migration => at.get(Key::MigrationPerMonth),
        }
    }
}

/// A pure number.
fn part(raw: f64) -> Count {
    <Count as super::unit::Unit>::of(raw)
}

/// What lines have in common.
struct Month<'p, 'a> {
    at: &'p Point<'a>,
}

impl Month<'_, '_> {
    fn data(&self) -> Result<Gigabytes, Unknown> {
        self.at.get(Key::Volume)
    }

    fn jobs(&self) -> Result<Count, Unknown> {
        self.at.get(Key::Jobs)
    }

    fn busy(&self) -> Result<Hours, Unknown> {
        Ok(self.at.get::<Hours>(Key::Busy)? * part(self.data()?.terabytes()))
    }

    /// Start-up, work and idle time of a job.
    fn of_job(&self) -> Result<Hours, Unknown> {
        let busy = self.busy()?.over(self.jobs()?);
        Ok(busy + self.at.get(Key::StartUp)? + self.at.get(Key::Idle)?)
    }

    /// What is missing of a job to the least billed time.
    fn shortfall(&self) -> Result<Hours, Unknown> {
        Ok(self.of_job()?.short_of(self.at.get(Key::BilledMin)?))
    }

    /// How long an instance is paid for.
    fn paid(&self) -> Result<Hours, Unknown> {
        let per_job: Hours = self.at.get::<Hours>(Key::StartUp)? + self.at.get(Key::Idle)? + self.shortfall()?;
        Ok(self.busy()? + per_job * self.jobs()?)
    }

    fn workers(&self) -> Result<Amount, Unknown> {
        Ok(self.at.rate::<Hours>(Key::WorkerHour)? * (self.busy()? * self.at.get::<Count>(Key::Workers)?))
    }

    /// The workers for a time per job.
    fn per_job(&self, time: Hours) -> Result<Amount, Unknown> {
        let hours = time * self.jobs()? * self.at.get::<Count>(Key::Workers)?;
        Ok(self.at.rate::<Hours>(Key::WorkerHour)? * hours)
    }

    /// All instances for a time.
    fn instances(&self, time: Hours) -> Result<Amount, Unknown> {
        let at = self.at;
        let workers = at.rate::<Hours>(Key::WorkerHour)? * (time * at.get::<Count>(Key::Workers)?);
        Ok(workers + at.rate::<Hours>(Key::DriverHour)? * (time * at.get::<Count>(Key::Drivers)?))
    }

    /// What whole clusters are committed for beyond what is used of it, attempts that failed included.
    fn unused(&self) -> Result<Amount, Unknown> {
        let (month, used): (Hours, Hours) =
            (self.at.get(Key::Committed)?, self.paid()? + self.busy()? * self.attempts_lost()?);
        let clusters = (used.get() / month.get()).ceil().max(1.0);
        self.instances(used.short_of(month * part(if clusters.is_finite() { clusters } else { 1.0 })))
    }

    /// Attempts that failed for each that did not.
    fn attempts_lost(&self) -> Result<Count, Unknown> {
        let failed = self.at.get::<Count>(Key::FailedShare)?.get().min(0.999);
        Ok(part(failed / (1.0 - failed)))
    }

    /// What the platform adds to instances that are paid for a time.
    fn uplift(&self, time: Hours) -> Result<Amount, Unknown> {
        let at = self.at;
        let mut sum = Amount::default();
        if at.has(Key::UpliftShare) {
            sum = sum + self.instances(time)? * at.get(Key::UpliftShare)?;
        }
        if at.has(Key::PlatformUnitHour) {
            let instances: Count = at.get::<Count>(Key::Workers)? + at.get(Key::Drivers)?;
            let units = at.get::<Count>(Key::Vcpus)? * instances * at.get::<Count>(Key::PlatformUnitsPerVcpu)?;
            sum = sum + at.rate::<Hours>(Key::PlatformUnitHour)? * (time * units);
        }
        Ok(sum)
    }

    fn serverless(&self) -> Result<Amount, Unknown> {
        let at = self.at;
        let busy = self.busy()?.over(self.jobs()?);
        let time = (busy + busy.short_of(at.get(Key::BilledMin)?)) * self.jobs()?;
        let workers: Count = at.get::<Count>(Key::Workers)? + at.get(Key::Drivers)?;
        let (vcpus, memory) = (at.get::<Count>(Key::Vcpus)? * workers, at.get::<Count>(Key::Memory)? * workers);
        let mut sum = Amount::default();
        if at.has(Key::VcpuHour) {
            sum = sum + at.rate::<Hours>(Key::VcpuHour)? * (time * vcpus);
        }
        if at.has(Key::GbHour) {
            sum = sum + at.rate::<Hours>(Key::GbHour)? * (time * memory);
        }
        if at.has(Key::UnitHour) {
            let held = vcpus * at.get::<Count>(Key::UnitsPerVcpu)? + memory * at.get::<Count>(Key::UnitsPerGb)?;
            // A unit is cores with memory: who needs more of one pays for the other too.
            let to_hold = workers * at.get::<Count>(Key::UnitsToHold)?;
            let least: Count = at.get(Key::UnitsMin)?;
            let units = [to_hold, least].into_iter().fold(held, |most, units| if most < units { units } else { most });
            sum = sum + at.rate::<Hours>(Key::UnitHour)? * (time * units);
        }
        Ok(sum)
    }

    fn interruption(&self) -> Result<Amount, Unknown> {
        let at = self.at;
        let workers: Count = at.get(Key::Workers)?;
        let busy = self.busy()?;
        let times = at.get::<Count>(Key::Interruptions)? * workers * busy.months();
        let again = busy.over(self.jobs()?) * at.get::<Count>(Key::Recomputed)? * workers;
        Ok(at.rate::<Hours>(Key::WorkerHour)? * (again * times))
    }

    fn retries(&self) -> Result<Amount, Unknown> {
        let at = self.at;
        let once = if at.has(Key::WorkerHour) {
            self.instances(self.busy()?)? + self.uplift(self.busy()?)?
        } else {
            self.serverless()?
        };
        Ok(once * self.attempts_lost()?)
    }

    fn disk(&self) -> Result<Amount, Unknown> {
        let at = self.at;
        let instances: Count = at.get::<Count>(Key::Workers)? + at.get(Key::Drivers)?;
        let disks = at.get::<Gigabytes>(Key::Scratch)? * instances;
        if disks.get() <= 0.0 {
            return Ok(Amount::default());
        }
        Ok(at.rate::<GigabyteMonths>(Key::DiskRate)? * disks.kept_for(self.paid()?))
    }

    fn requests(&self) -> Result<Amount, Unknown> {
        let at = self.at;
        let thousand_gb = part(self.data()?.get() / 1000.0);
        let gets = at.rate::<Count>(Key::GetRate)? * (thousand_gb * at.get::<Count>(Key::Gets)?);
        let puts = at.rate::<Count>(Key::PutRate)? * (thousand_gb * at.get::<Count>(Key::Puts)?);
        Ok(gets + puts)
    }
}

/// A line with what it comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct LineCost {
    /// Which.
    pub line: Line,
    /// Per month.
    pub amount: Result<Range<Amount>, Unknown>,
    /// The numbers it rests on.
    pub inputs: Vec<Key>,
}

/// A month's bill.
#[derive(Clone, Debug, PartialEq)]
pub struct Bill {
    /// Its lines.
    pub lines: Vec<LineCost>,
    /// The sum of all lines that are known; none if one without which a sum means nothing is unknown.
    pub total: Option<Range<Amount>>,
    /// The sum of those that depend on the engine or the deployment: without storage, requests and egress.
    pub running: Option<Range<Amount>>,
    /// What is not in the sum because nobody says what it costs.
    pub unknown: Vec<Unknown>,
}

impl Bill {
    /// The lines that are missing from what running comes to, in the order of a bill. Only sums that lack the same lines say which is
    /// the smaller one.
    #[must_use]
    pub fn missing(&self) -> Vec<Line> {
        let missing = self.lines.iter().filter(|l| l.amount.is_err() && !l.line.is_of_data());
        missing.map(|l| l.line).collect()
    }
}

/// The bill of an offer.
#[must_use]
pub fn bill(deployment: Deployment, inputs: &Inputs) -> Bill {
    let lines: Vec<LineCost> = Line::of(deployment, inputs).map(|line| line_cost(line, inputs)).collect();
    let sum = |part: Part| {
        let [low, base, high] =
            [At::Low, At::Base, At::High].map(|at| total(deployment, part, &Point::new(inputs, at)));
        low.zip(base).zip(high).map(|((low, base), high)| Range::around(base, [low, high]))
    };
    let (total, running) = (sum(Part::All), sum(Part::Running));
    let mut unknown: Vec<Unknown> = lines.iter().filter_map(|l| l.amount.clone().err()).collect();
    unknown.sort();
    unknown.dedup();
    Bill { lines, total, running, unknown }
}

fn line_cost(line: Line, inputs: &Inputs) -> LineCost {
    let base = Point::new(inputs, At::Base);
    let amount = line.amount(&base).and_then(|amount| {
        let others = [At::Low, At::High].map(|at| line.amount(&Point::new(inputs, at)));
        let [low, high] = others;
        Ok(Range::around(amount, [low?, high?]))
    });
    LineCost { line, amount, inputs: base.used().into_iter().collect() }
}

/// Which lines are summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// Those that do not depend on the data alone.
    Running,
}

/// The sum of the lines that are known at a point.
pub(super) fn total(deployment: Deployment, part: Part, at: &Point<'_>) -> Option<Amount> {
    let mut sum = Amount::default();
    let lines = Line::of(deployment, at.inputs()).filter(|line| part == Part::All || !line.is_of_data());
    for line in lines {
        match line.amount(at) {
            Ok(amount) => sum = sum + amount,
            Err(_) if line.is_essential() => return None,
            Err(_) => {}
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests;
