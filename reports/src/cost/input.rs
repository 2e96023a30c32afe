//! What the model is fed: each number with its range and where it comes from.

use super::book::{Entry, Known, Provenance, Unknown};
use super::unit::{Range, Rate, Unit};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident: $text:literal, $unit:literal;)*) => {
        /// Which number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Key {
            $($(#[$doc])* $name,)*
        }

        impl Key {
            /// What it is called in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it is counted in; money is in the book's currency.
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$name => $unit,)* }
            }
        }
    };
}

keys! {
    /// How long the cluster works on a terabyte: measured, or predicted from what was.
    Busy: "time per TB", "h";
    /// The share of attempts that fail.
    FailedShare: "failed attempts", "share";
    /// Bytes between nodes per byte of data.
    ExchangedShare: "bytes between nodes", "per byte of data";
    /// Scratch disk of an instance.
    Scratch: "scratch disk per node", "GB";
    /// Data processed in a month.
    Volume: "data per month", "GB";
    /// Jobs in a month: how often a cluster is started.
    Jobs: "jobs per month", "jobs";
    /// Instances that work.
    Workers: "worker instances", "instances";
    /// Instances that only decide.
    Drivers: "driver instances", "instances";
    /// Logical cores of an instance.
    Vcpus: "vCPUs per instance", "vCPU";
    /// Memory that a serverless worker asks for.
    Memory: "memory per worker", "GB";
    /// An hour of a worker's instance.
    WorkerHour: "worker instance-hour", "money/h";
    /// An hour of the driver's instance.
    DriverHour: "driver instance-hour", "money/h";
    /// What the platform adds, as a share of the instance's price.
    UpliftShare: "platform uplift", "of the instance price";
    /// What a unit of the platform costs in an hour.
    PlatformUnitHour: "platform unit-hour", "money/h";
    /// Units of the platform that a vCPU takes.
    PlatformUnitsPerVcpu: "platform units per vCPU", "units";
    /// Serverless: an hour of a vCPU.
    VcpuHour: "serverless vCPU-hour", "money/h";
    /// Serverless: an hour of a gigabyte of memory.
    GbHour: "serverless GB-hour", "money/h";
    /// Serverless: an hour of a unit.
    UnitHour: "serverless unit-hour", "money/h";
    /// Serverless: units that a vCPU takes.
    UnitsPerVcpu: "units per vCPU", "units";
    /// Serverless: units that a gigabyte of memory takes.
    UnitsPerGb: "units per GB", "units";
    /// Serverless: units without which what a worker holds has no place, whatever its cores take.
    UnitsToHold: "units to hold what a worker held", "units";
    /// Serverless: the least units of a job.
    UnitsMin: "least units per job", "units";
    /// Paid time until a job starts.
    StartUp: "start-up", "h";
    /// Paid time after a job.
    Idle: "idle time after a job", "h";
    /// The least time that is billed for a job.
    BilledMin: "least billed time", "h";
    /// How long an instance is paid for in a month, used or not.
    Committed: "committed hours of a month", "h";
    /// How often a spot instance is taken away.
    Interruptions: "interruptions", "per instance and month";
    /// Work done again after that.
    Recomputed: "work done again after an interruption", "of the job";
    /// Scratch disk, per gigabyte and month.
    DiskRate: "disk", "money/GB-month";
    /// Object storage, per gigabyte and month.
    StorageRate: "object storage", "money/GB-month";
    /// Data kept per data processed.
    StoredShare: "data kept", "per byte processed in a month";
    /// Read requests per gigabyte.
    Gets: "read requests", "per GB";
    /// Write requests per gigabyte.
    Puts: "write requests", "per GB";
    /// A thousand read requests.
    GetRate: "1000 read requests", "money";
    /// A thousand write requests.
    PutRate: "1000 write requests", "money";
    /// Results that leave the provider, per byte of data.
    EgressShare: "results that leave", "of the data";
    /// A gigabyte out.
    EgressRate: "egress", "money/GB";
    /// Share of the bytes between nodes that crosses zones.
    CrossZoneShare: "bytes that cross zones", "of the bytes between nodes";
    /// A gigabyte across zones.
    CrossZoneRate: "cross-zone traffic", "money/GB";
    /// People who keep it running, full time.
    OperationsFte: "people for operations", "full-time";
    /// What one of them earns in a year.
    Salary: "salary per year", "money";
    /// Migration, spread over months.
    MigrationPerMonth: "migration per month", "money";
}

/// The numbers of one offer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs(BTreeMap<Key, Known<f64>>);

impl Inputs {
    /// Sets a number with its range.
    pub(super) fn set(&mut self, key: Key, range: Range<f64>, from: Provenance) {
        self.0.insert(key, Known::Range(range, from));
    }

    /// Sets a number that is what it is.
    pub(super) fn fix(&mut self, key: Key, value: f64, source: &str) {
        let from = Provenance { key: key.name().to_owned(), as_of: None, source: source.to_owned() };
        self.set(key, Range::exactly(value), from);
    }

    /// Sets a number of a book, times a factor.
    pub(super) fn book(&mut self, key: Key, entry: &Entry, factor: f64) {
        let known = match entry.range {
            Some(range) => Known::Range(range.map(|x| x * factor), entry.from.clone()),
            None => Known::Unknown(entry.unknown()),
        };
        self.0.insert(key, known);
    }

    /// All that are known, in order, each with its source.
    pub fn known(&self) -> impl Iterator<Item = (Key, &Range<f64>, &Provenance)> {
        self.0.iter().filter_map(|(key, known)| match known {
            Known::Range(range, from) => Some((*key, range, from)),
            Known::Unknown(_) => None,
        })
    }

    /// The range of one, if it is known.
    pub(super) fn range(&self, key: Key) -> Option<Range<f64>> {
        match self.0.get(&key) {
            Some(Known::Range(range, _)) => Some(*range),
            _ => None,
        }
    }

    /// The same with one number fixed elsewhere.
    pub(super) fn with(&self, key: Key, value: f64) -> Self {
        let mut other = self.clone();
        other.fix(key, value, "varied");
        other
    }

    /// One of them.
    pub(super) fn get(&self, key: Key) -> Option<&Known<f64>> {
        self.0.get(&key)
    }
}

/// Which value of every range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The lows.
    Low,
    /// The bases.
    Base,
    /// The highs.
    High,
}

impl At {
    pub(super) fn of(self, range: &Range<f64>) -> f64 {
        match self {
            Self::Low => range.low,
            Self::Base => range.base,
            Self::High => range.high,
        }
    }
}

/// A value for every number, and a note of which were used.
pub(super) struct Point<'a> {
    inputs: &'a Inputs,
    at: At,
    /// Numbers that are elsewhere than the others, each once.
    but: Vec<(Key, f64)>,
    used: RefCell<BTreeSet<Key>>,
}

impl<'a> Point<'a> {
    pub(super) fn new(inputs: &'a Inputs, at: At) -> Self {
        Self { inputs, at, but: Vec::new(), used: RefCell::default() }
    }

    pub(super) fn but(mut self, key: Key, value: f64) -> Self {
        self.but.push((key, value));
        self
    }

    fn number(&self, key: Key) -> Result<f64, Unknown> {
        self.used.borrow_mut().insert(key);
        if let Some((_, value)) = self.but.iter().find(|(k, _)| *k == key) {
            return Ok(*value);
        }
        match self.inputs.0.get(&key) {
            Some(Known::Range(range, _)) => Ok(self.at.of(range)),
            Some(Known::Unknown(unknown)) => Err(unknown.clone()),
            None => Err(Unknown { key: key.name().to_owned(), why: "not part of this offer".to_owned() }),
        }
    }

    /// A quantity.
    pub(super) fn get<U: Unit>(&self, key: Key) -> Result<U, Unknown> {
        self.number(key).map(U::of)
    }

    /// A price per unit.
    pub(super) fn rate<U>(&self, key: Key) -> Result<Rate<U>, Unknown> {
        self.number(key).map(Rate::of)
    }

    /// Whether the offer has such a number at all.
    pub(super) fn has(&self, key: Key) -> bool {
        self.inputs.0.contains_key(&key)
    }

    /// The numbers as they are given.
    pub(super) const fn inputs(&self) -> &'a Inputs {
        self.inputs
    }

    /// What was asked for.
    pub(super) fn used(&self) -> BTreeSet<Key> {
        self.used.borrow().clone()
    }
}
