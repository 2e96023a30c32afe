//! How engines are started: the same resources for all of them.

use crate::cli::place::Resources;
use crate::engines;
use anyhow::{Result, bail};
use bench_lab::live::EngineSpec;
use bench_model::{Bytes, Tuning};
use bench_record::EngineContext;
use std::collections::BTreeMap;

/// What a variant is called when nothing differs from the defaults.
const DEFAULT_VARIANT: &str = "default";

/// The engines asked for, or all of them, each with its resolved switches.
///
/// # Errors
/// An engine that is not there or named twice, a setting that does not fit, or settings for an engine that is not used.
pub(super) fn engine_specs(names: &[String], resources: &Resources, spans: bool) -> Result<Vec<EngineSpec>> {
    let names: Vec<&str> =
        if names.is_empty() { engines::NAMES.to_vec() } else { names.iter().map(String::as_str).collect() };
    if let Some(setting) = resources.set.iter().find(|s| !names.contains(&s.engine.as_str())) {
        bail!("--set {}.{}: engine `{}` is not part of this run", setting.engine, setting.key, setting.engine);
    }
    let mut specs: Vec<EngineSpec> = Vec::new();
    for name in names {
        if specs.iter().any(|s| s.name == name) {
            bail!("engine `{name}` is named twice; the A/A arm measures an engine twice by itself");
        }
        specs.push(engine_spec(name, resources, spans)?);
    }
    Ok(specs)
}

/// One engine with its resolved switches.
///
/// # Errors
/// As for [`engine_specs`].
pub(super) fn engine_spec(name: &str, resources: &Resources, spans: bool) -> Result<EngineSpec> {
    let engine = engines::by_name(name)?;
    let can = engine.capabilities();
    let switches = can.switches;
    let tuning = Tuning::resolve(switches, resources.settings_for(name))
        .map_err(|e| anyhow::anyhow!("engine `{name}`: {e}; `bench list engines` explains each"))?;
    let changes = tuning.changes(switches);
    let variant = if changes.is_empty() { DEFAULT_VARIANT.to_owned() } else { changes.join(",") };
    let slots = resources.slots.map_or_else(cores, |s| s.get()).min(can.slots_max.unwrap_or(u32::MAX));
    let memory = resources.memory.map(|m| m.get());
    Ok(EngineSpec { name: name.to_owned(), variant, slots, memory, tuning, spans })
}

/// Cores this process may use.
fn cores() -> u32 {
    u32::try_from(super::data::all_cores().get()).unwrap_or(1)
}

/// An engine as the run's context describes it.
pub(super) fn context_of(spec: &EngineSpec, version: String) -> EngineContext {
    EngineContext {
        name: spec.name.clone(),
        variant: spec.variant.clone(),
        version,
        slots: spec.slots,
        memory_bytes: spec.memory.map(Bytes::get),
        tuning: spec.tuning.clone(),
        settings: BTreeMap::new(),
    }
}
