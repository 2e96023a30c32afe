//! What a run consists of: one part for each scale of its data. Only weak scaling has more than one, for there the data
//! grow with the nodes.

use super::super::identity::Identity;
use super::super::selection::{Filter, Selection, select, select_scaled};
use super::super::{data, setup};
use super::machines::{Machines, hosts};
use super::{GRACE, PROTOCOL, REPEATS, TIMEOUT, TRIALS};
use crate::cli::cluster::Scaling;
use crate::cli::run::RunArgs;
use crate::engines;
use crate::products::{Products, Provider};
use crate::progress::{complain, tell};
use anyhow::{Result, bail};
use bench_lab::hosted::ScratchRoot;
use bench_lab::live::EngineSpec;
use bench_lab::machine::may_drop_page_cache;
use bench_lab::runner::{OracleEngine, Plan, Twins};
use bench_model::{ClusterSpec, Dataset, Family};
use bench_record::Protocol;
use bench_suite::DataStore;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The workloads over data of one scale, and the engines that run them.
pub(super) struct Part {
    pub(super) selection: Selection,
    pub(super) specs: Vec<EngineSpec>,
}

/// A run as far as it is known before any table is made or any engine started.
pub(super) struct Prepared {
    /// At least one, scales ascending.
    pub(super) parts: Vec<Part>,
    pub(super) store: DataStore,
    pub(super) products: Products,
}

/// A run that only has to be carried out.
pub(super) struct Ready {
    /// One for each part.
    pub(super) plans: Vec<Plan>,
    pub(super) identity: Identity,
    pub(super) provider: Provider,
    pub(super) machines: Machines,
    /// Where engines keep their files; removed when the run is over.
    _scratch: ScratchRoot,
}

impl Ready {
    /// The run is over: other machines are tidied up.
    pub(super) fn leave(self) {
        self.machines.leave();
    }
}

pub(super) fn prepare(args: &RunArgs) -> Result<Prepared> {
    one_count(args)?;
    let filter = Filter { families: &args.families, names: &args.workloads };
    let clusters = args.clusters.specs()?;
    let products = Products::open(&args.products.folder)?;
    let specs = setup::engine_specs(args, &clusters, &products)?;
    if args.protocol == Some(Protocol::ColdCache) {
        if specs.iter().any(|spec| hosts(&spec.cluster).is_some()) {
            bail!(
                "--protocol cold-cache empties the page cache of this machine only, and nodes read tables through those of \
                 theirs: give --protocol cold-process, or another --cluster"
            );
        }
        may_drop_page_cache()?;
    }
    let parts = match args.clusters.scaling.unwrap_or_default() {
        Scaling::Strong => {
            let selection = select(args.suite.as_deref(), args.workload_dir.as_deref(), filter)?;
            vec![Part { selection, specs }]
        }
        Scaling::Weak => {
            let (Some(suite), None) = (&args.suite, &args.workload_dir) else {
                bail!(
                    "--scaling weak makes a suite's tables larger, and those of --workload-dir cannot be: give --suite alone"
                )
            };
            let scales: BTreeSet<u32> = clusters.iter().map(ClusterSpec::nodes).collect();
            let part = |scale: u32| {
                let specs = specs.iter().filter(|spec| runs_at(spec, scale)).cloned().collect();
                select_scaled(suite, scale, filter).map(|selection| Part { selection, specs })
            };
            scales.into_iter().map(part).collect::<Result<_>>()?
        }
    };
    Ok(Prepared { parts, store: DataStore::new(&args.data.path), products })
}

/// Whether an engine runs over data of that scale: nodes over their own share, one process over any, as a yardstick.
fn runs_at(spec: &EngineSpec, scale: u32) -> bool {
    spec.cluster == ClusterSpec::Local || spec.cluster.is_elsewhere() || spec.cluster.nodes() == scale
}

impl Prepared {
    /// The suite's name, or the user family's.
    pub(super) fn name(&self) -> &str {
        self.parts.first().map_or("", |part| part.selection.name.as_str())
    }

    /// Makes the tables that are missing, opens all of them, looks at what they hold, and finds a place for the engines.
    /// `None` if the user interrupted it.
    ///
    /// # Errors
    /// A table that cannot be made or opened, a folder that cannot be written, or another machine that cannot be made ready.
    pub(super) fn ready(mut self, args: &RunArgs, stop: &AtomicBool) -> Result<Option<Ready>> {
        let mut opened = Vec::with_capacity(self.parts.len());
        let mut identity = Identity::default();
        for part in &mut self.parts {
            let Some((datasets, known)) = open(&mut part.selection, &self.store, stop)? else {
                complain("interrupted while making tables; run the same command again to continue");
                return Ok(None);
            };
            identity.extend(known);
            opened.push(datasets);
        }
        let slots = args.resources.slots.map(|slots| slots.get());
        let Some(machines) = Machines::make_ready(&mut self.parts, &opened.concat(), slots, stop)? else {
            complain("interrupted while machines were made ready; nothing was recorded");
            return Ok(None);
        };
        let plans =
            self.parts.iter().zip(opened).map(|(part, datasets)| plan(args, part, datasets, &self.products)).collect();
        let scratch = setup::scratch_beside(&self.store)?;
        let provider = Provider::new(self.products.clone(), scratch.path().to_owned())?;
        Ok(Some(Ready { plans, identity, provider, machines, _scratch: scratch }))
    }
}

/// `None` if the user interrupted it.
fn open(
    selection: &mut Selection,
    store: &DataStore,
    stop: &AtomicBool,
) -> Result<Option<(Vec<Arc<Dataset>>, Identity)>> {
    for spec in selection.specs() {
        if store.bytes_to_make(&spec) > 0 {
            tell(&format!("making {} in {}", spec.name(), store.root().display()));
        }
        if data::make(store, &spec, data::all_cores())?.is_none() {
            return Ok(None);
        }
    }
    let datasets = selection.open(store)?;
    Ok(selection.identify(store, stop)?.map(|identity| (datasets, identity)))
}

/// Refuses a row of seeds beside another number of trials: one of the two would be ignored.
fn one_count(args: &RunArgs) -> Result<()> {
    match (args.trials.map(|t| t.get()), args.seed.count.map(|n| n.get())) {
        (Some(trials), Some(seeds)) if trials != seeds => {
            bail!(
                "--seed names {seeds} seeds, which is one trial for each, and --trials {trials}: leave one of them out"
            )
        }
        _ => Ok(()),
    }
}

/// Trials per case and arm: as asked for, one per seed of a row, or the default.
pub(super) fn trials(args: &RunArgs) -> u32 {
    args.trials.map(|t| t.get()).or(args.seed.count.map(|n| n.get())).unwrap_or(TRIALS)
}

/// In each family, the first engine that can run it runs twice, for the A/A arm: other work varies in other ways. One that would have
/// to be started anew for each turn of the two is passed over if there is another. Times under faults are compared with no noise
/// floor: what counts there is whether and how a run recovers.
pub(super) fn twins(args: &RunArgs, part: &Part, products: &Products) -> Twins {
    if !args.clusters.faults.is_empty() {
        return Twins::None;
    }
    let families: BTreeSet<Family> = part.selection.definitions.iter().map(|d| d.workload.family).collect();
    let alone = match args.protocol.unwrap_or(PROTOCOL) {
        Protocol::Warm(_) => one_at_a_time(part, products),
        // Nobody waits for its turn: each is started for it.
        Protocol::ColdProcess | Protocol::ColdCache => BTreeSet::new(),
    };
    let first = |family: &Family, may: &dyn Fn(&EngineSpec) -> bool| {
        part.specs.iter().position(|s| may(s) && setup::can_run(&s.name, *family, products))
    };
    let either = |family: &Family| first(family, &|s| !alone.contains(&s.name)).or_else(|| first(family, &|_| true));
    // Where nobody can, the record says so of somebody.
    let twin = |family: Family| (family, either(&family).unwrap_or_default());
    Twins::ByFamily(families.into_iter().map(twin).collect())
}

/// Products of which this machine can run only one at a time, and those whose cluster elsewhere gives one client everything.
fn one_at_a_time(part: &Part, products: &Products) -> BTreeSet<String> {
    let is_alone = |spec: &&EngineSpec| {
        let product = products.catalog.find(&spec.name);
        product.is_some_and(|product| match &spec.cluster {
            ClusterSpec::Local | ClusterSpec::Attached { starts_here: true, .. } => product.one_at_a_time.is_some(),
            ClusterSpec::Attached { address, .. } => product.is_alone_at(address),
            _ => false,
        })
    };
    part.specs.iter().filter(is_alone).map(|spec| spec.name.clone()).collect()
}

/// With a product, alone or in turn with others: each keeps processes that work a little even while they wait, and gigabytes of memory. Its
/// time is not to depend on who else is in the run.
pub(super) fn refreshes(part: &Part, products: &Products) -> bool {
    part.specs.iter().any(|spec| products.catalog.find(&spec.name).is_some())
}

pub(super) fn plan(args: &RunArgs, part: &Part, datasets: Vec<Arc<Dataset>>, products: &Products) -> Plan {
    let timeout = Some(args.timeout.map_or(TIMEOUT, |t| t.get()));
    let oracle = setup::engine_spec(engines::ORACLE, &Default::default(), false, products).ok();
    Plan {
        suite: part.selection.name.clone(),
        scale: part.selection.scale,
        faults: args.clusters.faults.clone(),
        workloads: part.selection.definitions.iter().map(|d| d.workload.clone()).collect(),
        datasets,
        engines: part.specs.clone(),
        twins: twins(args, part, products),
        one_at_a_time: one_at_a_time(part, products),
        protocol: args.protocol.unwrap_or(PROTOCOL),
        refresh: refreshes(part, products),
        trials: trials(args),
        seed: args.seed.first,
        timeout,
        grace: GRACE,
        repeats: if args.clusters.faults.is_empty() { REPEATS } else { 0 },
        oracle: oracle.map(|engine| OracleEngine { engine, timeout: timeout.map(|t| t * 4) }),
        keep_results: args.keep_results,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn args(line: &str) -> RunArgs {
        match Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command) {
            Ok(Command::Run(args)) => *args,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_row_of_seeds_is_so_many_trials_and_no_other_number() {
        let run = "bench run --suite smoke";
        for fine in ["", "--trials 5", "--seed 7 --trials 5", "--seed 1..20", "--seed 1..20 --trials 20"] {
            assert!(one_count(&args(&format!("{run} {fine}"))).is_ok(), "{fine}");
        }
        let message = one_count(&args(&format!("{run} --seed 1..20 --trials 5"))).unwrap_err().to_string();
        assert!(message.contains("20 seeds") && message.contains("--trials 5: leave one of them out"), "{message}");
    }

    #[test]
    fn the_twin_of_a_family_is_the_first_engine_that_can_run_it() {
        let folder = tempfile::tempdir().unwrap();
        let mine =
            "[[engine]]\nname = \"mine\"\nabout = \"x\"\nfamilies = [\"dataframe\"]\ncommand = [\"/bin/true\"]\n";
        std::fs::write(folder.path().join("engines.toml"), mine).unwrap();
        let twins = |engines: &str| {
            let at = folder.path().display();
            let run = "bench run --suite 1gb --families sql,dataframe --engines";
            let args = args(&format!("{run} {engines} --engines-dir {at}"));
            let prepared = prepare(&args).unwrap();
            let part = prepared.parts.first().unwrap();
            let Twins::ByFamily(of) = super::twins(&args, part, &prepared.products) else { panic!("{engines}") };
            of.into_iter().map(|(family, at)| (family, part.specs[at].name.clone())).collect::<Vec<_>>()
        };
        let (sql, frames) = (Family::Sql, Family::Dataframe);
        let both = |name: &str| vec![(sql, name.to_owned()), (frames, name.to_owned())];
        assert_eq!(twins("stagedag,datafusion"), both("stagedag"));
        assert_eq!(twins("mine,stagedag"), [(sql, "stagedag".to_owned()), (frames, "mine".to_owned())]);
        // What is not installed measures nothing.
        assert_eq!(twins("spark,stagedag"), both("stagedag"));
        assert_eq!(twins("spark,dask"), both("spark"), "the record says of somebody that nobody could");
    }

    #[test]
    fn the_twin_is_not_of_an_engine_that_cannot_wait_beside_itself_if_there_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let mine = "[[engine]]\nname = \"mine\"\nabout = \"x\"\nfamilies = [\"sql\"]\ncommand = [\"/bin/true\"]\n\
                    one_at_a_time = \"it has one port\"\nattach = [\"mine://\", \"own://\"]\nattach_alone = [\"own://\"]\n";
        std::fs::write(folder.path().join("engines.toml"), mine).unwrap();
        let planned = |line: &str| {
            let run = "bench run --suite 1gb --families sql --engines";
            let args = args(&format!("{run} {line} --engines-dir {}", folder.path().display()));
            let prepared = prepare(&args).unwrap();
            let part = prepared.parts.first().unwrap();
            let Twins::ByFamily(of) = super::twins(&args, part, &prepared.products) else { panic!("{line}") };
            let alone = one_at_a_time(part, &prepared.products);
            (part.specs[of[&Family::Sql]].name.clone(), alone.into_iter().collect::<Vec<_>>())
        };
        let said = |twin: &str, alone: &[&str]| (twin.to_owned(), alone.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(planned("mine,stagedag"), said("stagedag", &["mine"]));
        assert_eq!(planned("mine"), said("mine", &["mine"]), "one of the two at a time, rather than no noise floor");
        assert_eq!(planned("mine,spark --configs default,tuned"), said("mine", &["mine"]), "spark is not installed");
        assert_eq!(planned("mine,stagedag --protocol cold-process"), said("mine", &["mine"]), "nobody waits");
        let there = "mine,stagedag --attach mine=mine://h --attach-nodes 1 --attach-slots 1";
        assert_eq!(planned(there), said("mine", &[]), "a cluster takes two clients");
        let whole = "mine,stagedag --attach mine=own://h --attach-nodes 1 --attach-slots 1";
        assert_eq!(planned(whole), said("stagedag", &["mine"]), "or gives the first one everything");
    }
}
