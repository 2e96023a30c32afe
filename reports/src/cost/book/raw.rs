//! A price book as it is written, before anything is checked. Fields that are not here are refused.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBook {
    pub(super) schema: u32,
    pub(super) name: String,
    pub(super) provider: String,
    pub(super) region: String,
    pub(super) currency: String,
    pub(super) source: BTreeMap<String, RawSource>,
    #[serde(default)]
    pub(super) instance: Vec<RawInstance>,
    pub(super) rates: RawRates,
    #[serde(default)]
    pub(super) assumption: BTreeMap<String, RawAssumption>,
    #[serde(default)]
    pub(super) managed: Vec<RawManaged>,
    #[serde(default)]
    pub(super) serverless: Vec<RawServerless>,
    #[serde(default)]
    pub(super) salary: Vec<RawSalary>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    pub(super) what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEntry {
    pub(super) price: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) base: Option<f64>,
    pub(super) high: Option<f64>,
    pub(super) unknown: Option<String>,
    pub(super) as_of: String,
    pub(super) source: String,
    pub(super) note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInstance {
    pub(super) name: String,
    pub(super) vcpus: u32,
    pub(super) memory_gib: f64,
    pub(super) arch: Option<String>,
    #[serde(default)]
    pub(super) gpus: u32,
    #[serde(default)]
    pub(super) local_disk_gb: f64,
    pub(super) on_demand: RawEntry,
    pub(super) spot: Option<RawEntry>,
    pub(super) committed: Option<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRates {
    pub(super) storage_gb_month: RawEntry,
    pub(super) put_per_1000: RawEntry,
    pub(super) get_per_1000: RawEntry,
    pub(super) egress_gb: RawEntry,
    pub(super) cross_zone_gb: RawEntry,
    pub(super) disk_gb_month: RawEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAssumption {
    pub(super) low: f64,
    pub(super) base: f64,
    pub(super) high: f64,
    #[serde(default)]
    #[expect(dead_code, reason = "for people who read the file; the model knows its units")]
    pub(super) unit: String,
    pub(super) what: String,
    pub(super) source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawManaged {
    pub(super) name: String,
    pub(super) engines: Vec<String>,
    pub(super) uplift_share: Option<RawEntry>,
    pub(super) unit_hour: Option<RawEntry>,
    pub(super) units_per_vcpu: Option<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServerless {
    pub(super) name: String,
    pub(super) engines: Vec<String>,
    pub(super) vcpu_hour: Option<RawEntry>,
    pub(super) gb_hour: Option<RawEntry>,
    pub(super) unit_hour: Option<RawEntry>,
    #[serde(default)]
    pub(super) units_per_vcpu: f64,
    #[serde(default)]
    pub(super) units_per_gb: f64,
    pub(super) gb_per_unit: Option<f64>,
    #[serde(default)]
    pub(super) minimum_units: f64,
    #[serde(default)]
    pub(super) minimum_s: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSalary {
    pub(super) role: String,
    pub(super) engines: Vec<String>,
    pub(super) per_year: RawEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAssumptions {
    pub(super) assumption: BTreeMap<String, RawAssumption>,
}
