//! How engines are started: the same resources for all of them.

use crate::cli::cluster::ClusterKind;
use crate::cli::place::Resources;
use crate::cli::run::RunArgs;
use crate::cli::value::Setting;
use crate::engines;
use crate::products::{ALL, Products};
use anyhow::{Context, Result, bail};
use bench_external::{AttachOption, CONFIG, Product, State};
use bench_lab::hosted::ScratchRoot;
use bench_lab::live::EngineSpec;
use bench_model::{Bytes, Capabilities, ClusterSpec, Family, NodeLimits, Tuning};
use bench_record::{Case, EngineContext};
use bench_suite::DataStore;
use std::collections::BTreeMap;
use twox_hash::XxHash3_64;

/// The engines asked for, or all of them, each with its resolved switches.
///
/// # Errors
/// An engine that is not there or named twice, a setting that does not fit, or settings for an engine that is not used.
pub(super) fn engine_specs(args: &RunArgs, clusters: &[ClusterSpec], products: &Products) -> Result<Vec<EngineSpec>> {
    let (resources, spans) = (&args.resources, args.spans);
    let names: Vec<&str> = match args.engines.as_slice() {
        [] => engines::NAMES.to_vec(),
        [all] if all == ALL => products.names(),
        names => names.iter().map(String::as_str).collect(),
    };
    if let Some(attach) = args.products.attach.iter().find(|a| !names.contains(&a.engine.as_str())) {
        bail!("--attach {}={}: engine `{}` is not part of this run", attach.engine, attach.address, attach.engine);
    }
    if let Some(setting) = resources.set.iter().find(|s| !names.contains(&s.engine.as_str())) {
        bail!("--set {}.{}: engine `{}` is not part of this run", setting.engine, setting.key, setting.engine);
    }
    let mut specs: Vec<EngineSpec> = Vec::new();
    for name in names {
        if specs.iter().any(|s| s.name == name) {
            bail!("engine `{name}` is named twice; the A/A arm measures an engine twice by itself");
        }
        if let Some(product) = products.catalog.find(name) {
            specs.extend(product_specs(product, args, clusters)?);
            continue;
        }
        let can = capabilities(name, products)?;
        let spec = resolved(name, &can, resources, spans)?;
        let variants = if args.ablate { ablations(&spec, &can, resources)? } else { vec![spec] };
        specs.extend(variants.iter().flat_map(|spec| on_clusters(spec, &can, resources, clusters)));
    }
    Ok(specs)
}

/// One engine with its resolved switches.
///
/// # Errors
/// As for [`engine_specs`].
pub(super) fn engine_spec(name: &str, resources: &Resources, spans: bool, products: &Products) -> Result<EngineSpec> {
    let spec = resolved(name, &capabilities(name, products)?, resources, spans)?;
    products.catalog.find(name).map_or(Ok(()), |product| refuse_unknown_configuration(product, &spec))?;
    Ok(spec)
}

/// # Errors
/// A configuration that the product does not have. One of somebody's own is asked when it starts.
fn refuse_unknown_configuration(product: &Product, spec: &EngineSpec) -> Result<()> {
    let (known, chosen) = (product.configurations(), spec.tuning.word(CONFIG[0].name));
    if !known.is_empty() && known.iter().all(|name| name != chosen) {
        bail!("`{}` has no configuration `{chosen}`; it has {}", product.name, known.join(", "));
    }
    Ok(())
}

/// Whether an engine can run a family, and, of a product, whether it is installed.
pub(super) fn can_run(name: &str, family: Family, products: &Products) -> bool {
    let is_here = products
        .catalog
        .find(name)
        .is_none_or(|product| matches!(products.store.state(product), State::Installed { .. }));
    is_here && capabilities(name, products).is_ok_and(|can| can.families.contains(&family))
}

fn capabilities(name: &str, products: &Products) -> Result<Capabilities> {
    if let Some(product) = products.catalog.find(name) {
        return Ok(Products::capabilities(product));
    }
    if !engines::NAMES.contains(&name) {
        bail!("unknown engine `{name}`; known: {}", products.names().join(", "));
    }
    Ok(engines::by_name(name)?.capabilities())
}

/// A product in each of its configurations that are asked for, here, on one emulated node or on its own cluster.
fn product_specs(product: &Product, args: &RunArgs, clusters: &[ClusterSpec]) -> Result<Vec<EngineSpec>> {
    let name = product.name.as_str();
    let cluster = product_cluster(product, args, clusters)?;
    let can = Products::capabilities(product);
    let is_set = args.resources.settings_for(name).any(|(key, _)| key == CONFIG[0].name);
    let set = |resources: &Resources| {
        let spec = resolved(name, &can, resources, args.spans)?;
        refuse_unknown_configuration(product, &spec)?;
        Ok(on_product_cluster(spec, cluster.clone(), args))
    };
    if is_set || args.products.configs.is_empty() {
        return Ok(vec![set(&args.resources)?]);
    }
    let in_config = |config: &String| {
        let chosen = Setting { engine: name.to_owned(), key: CONFIG[0].name.to_owned(), value: config.clone() };
        let mut resources = args.resources.clone();
        resources.set.push(chosen);
        set(&resources)
    };
    args.products.configs.iter().map(in_config).collect()
}

/// Where a product runs.
///
/// # Errors
/// An address that is not one of its clusters', or options that would reach nobody there: a time must not be filed under settings
/// that it was not measured with.
fn product_cluster(product: &Product, args: &RunArgs, clusters: &[ClusterSpec]) -> Result<ClusterSpec> {
    let name = product.name.as_str();
    let mut attached = args.products.attach.iter().filter(|a| a.engine == name);
    let address = match (attached.next(), attached.next()) {
        (None, _) => match args.clusters.cluster.as_ref() {
            None | Some(ClusterKind::Local) => return Ok(ClusterSpec::Local),
            Some(ClusterKind::Emulated) => return product_node(name, args, clusters),
            Some(ClusterKind::Processes | ClusterKind::Hosts(_)) => bail!(
                "such nodes are for the engine styles: `{name}` runs as one process group on this machine, under the limits of one \
                 node with --cluster emulated, or on a cluster of its own that runs already; give --attach {name}=ADDRESS, or measure \
                 it in a run without --cluster"
            ),
        },
        (Some(_), Some(_)) => bail!("--attach {name}=...: one cluster per run"),
        (Some(a), None) if product.can_attach(&a.address) => a.address.clone(),
        (Some(_), None) if product.attach.is_empty() => bail!("--attach: `{name}` has no clusters"),
        (Some(_), None) => bail!("--attach: an address of `{name}` begins with {}", product.attach.join(" or ")),
    };
    let is_set = args.resources.settings_for(name).next().is_some() || !args.products.configs.is_empty();
    if is_set && !product.attach_takes.contains(&AttachOption::Config) {
        bail!("--attach {name}: a running cluster keeps its own settings; leave out --configs and --set {name}.config");
    }
    if args.resources.memory.is_some() && !product.attach_takes.contains(&AttachOption::Memory) {
        bail!(
            "--attach {name}: a running cluster keeps its own limits; leave out --memory, or measure `{name}` in another run"
        );
    }
    let nodes = args.products.attach_nodes.context("--attach needs --attach-nodes")?.get();
    let starts_here = product.starts_at(&address);
    Ok(ClusterSpec::Attached { address, nodes, starts_here })
}

/// The one emulated node that all of a product's processes are on.
///
/// # Errors
/// There is no single node, or what is asked of it is for nodes of the styles.
fn product_node(name: &str, args: &RunArgs, clusters: &[ClusterSpec]) -> Result<ClusterSpec> {
    if !args.clusters.faults.is_empty() {
        bail!("--faults hurts nodes of the engine styles; measure `{name}` in a run without");
    }
    match clusters.iter().find(|cluster| cluster.nodes() == 1) {
        None => bail!(
            "`{name}` and all that it starts are one emulated node: add 1 to --nodes, or measure it in another run"
        ),
        Some(ClusterSpec::Emulated { limits, .. }) if *limits == NodeLimits::default() => {
            bail!(
                "without --node-limits an emulated node of `{name}` would differ from no node in name only: add them, or leave out --cluster"
            )
        }
        Some(ClusterSpec::Emulated { limits, .. }) if limits.rate_mbit.is_some() => {
            bail!(
                "a link is between nodes, and `{name}` is one: leave out link= of --node-limits, or measure it in another run"
            )
        }
        Some(cluster) => Ok(cluster.clone()),
    }
}

/// A product where it runs. A cluster that runs already has the slots that it is said to have, and its times are not repetitions of
/// another one's: its address is part of the variant, as a fingerprint.
fn on_product_cluster(spec: EngineSpec, cluster: ClusterSpec, args: &RunArgs) -> EngineSpec {
    let ClusterSpec::Attached { address, .. } = &cluster else {
        return EngineSpec { variant: limited(&spec.variant, &cluster), cluster, ..spec };
    };
    let fingerprint = format!("attached={:08x}", XxHash3_64::oneshot(address.as_bytes()) >> 32);
    let variant = match spec.variant.as_str() {
        Case::DEFAULT_VARIANT => fingerprint,
        other => format!("{other},{fingerprint}"),
    };
    let slots = args.products.attach_slots.map_or(spec.slots, |slots| slots.get());
    EngineSpec { slots, variant, cluster, ..spec }
}

fn resolved(name: &str, can: &Capabilities, resources: &Resources, spans: bool) -> Result<EngineSpec> {
    let switches = can.switches;
    let tuning = Tuning::resolve(switches, resources.settings_for(name))
        .map_err(|e| anyhow::anyhow!("engine `{name}`: {e}; `bench list engines` explains each"))?;
    let slots = resources.slots.map_or_else(cores, |s| s.get()).min(can.slots_max.unwrap_or(u32::MAX));
    let memory = resources.memory.map(|m| m.get());
    let variant = variant(tuning.changes(switches), memory, spans);
    Ok(EngineSpec { name: name.to_owned(), variant, slots, memory, tuning, spans, cluster: ClusterSpec::Local })
}

/// Everything that differs from how the engine runs by itself: times under a memory limit or with span accounting are not
/// repetitions of times without.
fn variant(mut changes: Vec<String>, memory: Option<Bytes>, spans: bool) -> String {
    changes.extend(memory.map(|limit| format!("memory={}", exact(limit))));
    changes.extend(spans.then(|| "spans=on".to_owned()));
    if changes.is_empty() { Case::DEFAULT_VARIANT.to_owned() } else { changes.join(",") }
}

/// A size in the largest unit that divides it: different sizes never look the same.
fn exact(size: Bytes) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let bytes = size.get();
    match units.iter().find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift)) {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

/// An engine as it is, and with each of its mechanisms switched off.
fn ablations(spec: &EngineSpec, can: &Capabilities, resources: &Resources) -> Result<Vec<EngineSpec>> {
    let switches = can.switches;
    let mut variants = vec![spec.clone()];
    for switch in switches {
        if !spec.tuning.is_on(switch.name) {
            continue;
        }
        let settings = resources.settings_for(&spec.name).chain([(switch.name, "off")]);
        let tuning = Tuning::resolve(switches, settings)?;
        let variant = variant(tuning.changes(switches), spec.memory, spec.spans);
        variants.push(EngineSpec { variant, tuning, ..spec.clone() });
    }
    Ok(variants)
}

/// An engine on each cluster; one that is a single process stays one. Without --slots, nodes of this machine share its
/// cores: each has at least one.
fn on_clusters(
    spec: &EngineSpec,
    can: &Capabilities,
    resources: &Resources,
    clusters: &[ClusterSpec],
) -> Vec<EngineSpec> {
    if !can.distributed {
        return vec![spec.clone()];
    }
    let on = |cluster: &ClusterSpec| {
        let shared = match cluster {
            ClusterSpec::Processes { nodes } | ClusterSpec::Emulated { nodes, .. } => *nodes,
            ClusterSpec::Local | ClusterSpec::Hosts { .. } | ClusterSpec::Attached { .. } => 1,
        };
        let slots = resources.slots.map_or_else(|| (spec.slots / shared).max(1), |s| s.get());
        EngineSpec { slots, variant: limited(&spec.variant, cluster), cluster: cluster.clone(), ..spec.clone() }
    };
    clusters.iter().map(on).collect()
}

/// A variant on nodes with limits, or with encryption between them: times under other limits are not repetitions.
fn limited(variant: &str, cluster: &ClusterSpec) -> String {
    let limits = match cluster {
        ClusterSpec::Emulated { limits, .. } => *limits,
        ClusterSpec::Local
        | ClusterSpec::Processes { .. }
        | ClusterSpec::Hosts { .. }
        | ClusterSpec::Attached { .. } => NodeLimits::default(),
    };
    let named = [
        cluster.tls().map(|_| "tls=on".to_owned()),
        limits.cpu_milli.map(|milli| format!("node-cpu={}", f64::from(milli) / 1000.0)),
        limits.memory.map(|memory| format!("node-memory={}", exact(memory))),
        limits.rate_mbit.map(|mbit| format!("node-link={mbit}")),
    ];
    let mut all: Vec<String> = named.into_iter().flatten().collect();
    if variant != Case::DEFAULT_VARIANT || all.is_empty() {
        all.insert(0, variant.to_owned());
    }
    all.join(",")
}

/// Cores this process may use.
fn cores() -> u32 {
    u32::try_from(super::data::all_cores().get()).unwrap_or(1)
}

/// Scratch folders lie beside the tables: the disk that has the room. Removes those that killed runs left there.
///
/// # Errors
/// A folder that cannot be made.
pub(super) fn scratch_beside(store: &DataStore) -> Result<ScratchRoot> {
    let root = store.root();
    ScratchRoot::create(root)
        .with_context(|| format!("cannot make a scratch folder in {}; point --data elsewhere", root.display()))
}

/// An engine as the run's context describes it.
pub(super) fn context_of(spec: &EngineSpec, version: String, products: &Products) -> EngineContext {
    let mut settings = BTreeMap::new();
    let mut version = version;
    if let ClusterSpec::Attached { address, nodes, starts_here } = &spec.cluster {
        settings.insert("attach".to_owned(), address.clone());
        settings.insert("attach_nodes".to_owned(), nodes.to_string());
        if !starts_here {
            // The cluster's own nobody tells.
            version += " (of the client)";
        }
    }
    if let Some(product) = products.catalog.find(&spec.name) {
        let config = spec.tuning.word(CONFIG[0].name);
        settings.extend(products.store.identity(product, config));
        // Shown with every table: nobody may take it for what its makers published.
        version += &settings.get("fitted").map(|what| format!(" (fitted: {what})")).unwrap_or_default();
    }
    EngineContext {
        name: spec.name.clone(),
        variant: spec.variant.clone(),
        version,
        slots: spec.slots,
        memory_bytes: spec.memory.map(Bytes::get),
        tuning: spec.tuning.clone(),
        settings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_span_accounting_make_another_variant() {
        let off = || vec!["speculation=off".to_owned()];
        assert_eq!(variant(vec![], None, false), "default");
        assert_eq!(variant(off(), None, false), "speculation=off");
        assert_eq!(variant(vec![], Some(Bytes::new(1 << 30)), false), "memory=1GiB");
        assert_eq!(variant(off(), Some(Bytes::new(64 << 20)), true), "speculation=off,memory=64MiB,spans=on");
    }

    #[test]
    fn sizes_are_exact() {
        let sizes = [(1536 << 20, "1536MiB"), (2 << 40, "2TiB"), ((1 << 30) + 1, "1073741825B"), (3 << 10, "3KiB")];
        for (bytes, text) in sizes {
            assert_eq!(exact(Bytes::new(bytes)), text);
        }
    }
}
