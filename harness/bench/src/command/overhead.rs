//! `bench overhead`: what engines cost before they do any work, from processes to samples to a table.

use super::{report, say, setup};
use crate::build_id::build;
use crate::cli::exit;
use crate::cli::overhead::OverheadArgs;
use crate::cli::place::Resources;
use crate::engines;
use crate::interrupt;
use crate::products::{ALL, Products, Provider};
use crate::progress::{bar, complain, tell};
use anyhow::{Context, Result, bail};
use bench_lab::live::EngineSpec;
use bench_lab::machine::Doctor;
use bench_lab::overhead::{OverheadEnd, OverheadEvent, OverheadPlan, measure, measurements};
use bench_model::{Bytes, ClusterSpec, Nanos, Probe};
use bench_record::{
    Measure, OVERHEAD_SCHEMA, Outcome, OverheadContext, OverheadJournal, OverheadRun, OverheadSample, Timestamp,
};
use bench_reports::overhead::{OverheadFormat, overhead, render_overhead};
use bench_suite::DataStore;
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an engine is left alone before its memory is read: daemons of products settle after they say that they are ready.
const SETTLE: Duration = Duration::from_secs(1);
/// Enough tasks that starting and ending the job does not show.
const TASKS: u32 = 2_000;
/// Enough latencies for a median that one hiccup does not move.
const LATENCIES: u32 = 100;
/// Larger than any cache, small enough for a store of a few hundred MiB.
const VALUE: Bytes = Bytes::new(32 << 20);
const VALUES: u32 = 8;
/// Sleeping tasks among which a worker is killed: per slot so many, each this long.
const SLEEPS_PER_SLOT: u32 = 8;
const SLEEP: Nanos = Nanos::new(250_000_000);
/// The fewest nodes of which one can be lost.
const NODES_MIN: u32 = 2;

pub(super) fn measure_overhead(args: &OverheadArgs) -> Result<u8> {
    if let Some(folder) = &args.from {
        return shown(folder, args.json);
    }
    let products = Products::open(&args.folder)?;
    let engines = specs(args, &products)?;
    let scratch = setup::scratch_beside(&DataStore::new(&args.data.path))?;
    let provider = Provider::new(products, scratch.path().to_owned())?;
    let slots = engines.iter().map(|spec| spec.slots).max().unwrap_or(1);
    let plan =
        OverheadPlan { engines, trials: args.trials.get(), settle: SETTLE, probes: probes(args.memory.get(), slots) };
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("results").join(format!("overhead-{}", Timestamp::now().compact())));
    let mut context = context(args)?;
    let mut journal = OverheadJournal::create(&folder, &context)?;
    let stop = interrupt::flag();
    let console = Console::new(measurements(&plan));
    let end = measure(&plan, &provider, &mut journal, &stop, &mut |event| console.show(&event));
    console.bar.finish_and_clear();
    let end = end.with_context(|| format!("measuring stopped; what is in {} is whole", folder.display()))?;
    if end == OverheadEnd::Interrupted {
        complain(&format!("interrupted; what was measured is in {0}: bench overhead --from {0}", folder.display()));
        return Ok(exit::INTERRUPTED);
    }
    context.finished_at = Some(Timestamp::now());
    journal.write_context(&context)?;
    let code = shown(&folder, args.json)?;
    tell(&format!("\nsamples: {}   table again: bench overhead --from {0}", folder.display()));
    Ok(code)
}

/// Prints what a folder holds. Something that failed is no success, however well the rest went.
fn shown(folder: &Path, json: bool) -> Result<u8> {
    let found = overhead(&OverheadRun::load(folder)?);
    let format = if json { OverheadFormat::Json } else { OverheadFormat::Table };
    say(&render_overhead(&found, format, report::ink()))?;
    Ok(if found.has_failures() { exit::ERROR } else { exit::FINE })
}

/// The engines asked for; styles in one process, and on node processes where a worker can be lost.
pub(super) fn specs(args: &OverheadArgs, products: &Products) -> Result<Vec<EngineSpec>> {
    let resources = Resources { slots: args.slots, memory: Some(args.memory), set: args.set.clone() };
    let names: Vec<&str> = match args.engines.as_slice() {
        [] => engines::NAMES.to_vec(),
        [all] if all == ALL => products.names(),
        names => names.iter().map(String::as_str).collect(),
    };
    if let Some(setting) = args.set.iter().find(|s| !names.contains(&s.engine.as_str())) {
        bail!("--set {}.{}: engine `{}` is not measured here", setting.engine, setting.key, setting.engine);
    }
    let mut specs: Vec<EngineSpec> = Vec::new();
    for name in names {
        if specs.iter().any(|known| known.name == name) {
            bail!("engine `{name}` is named twice");
        }
        let spec = setup::engine_spec(name, &resources, false, products)?;
        let on_nodes = engines::by_name(name).is_ok_and(|engine| engine.capabilities().distributed);
        let nodes = spec.slots.max(NODES_MIN);
        let there =
            on_nodes.then(|| EngineSpec { slots: 1, cluster: ClusterSpec::Processes { nodes }, ..spec.clone() });
        specs.push(spec);
        specs.extend(there);
    }
    Ok(specs)
}

/// What may hurt an engine comes last.
fn probes(memory: Bytes, slots: u32) -> Vec<Probe> {
    let (bytes, count) = (VALUE.get(), VALUES);
    // A quarter more than the engine may hold.
    let spilled = u32::try_from((memory.get() + memory.get() / 4).div_ceil(bytes)).unwrap_or(u32::MAX);
    let recover = |kill| Probe::Recover { count: slots.saturating_mul(SLEEPS_PER_SLOT), task_ns: SLEEP.get(), kill };
    vec![
        Probe::Tasks { count: TASKS },
        Probe::RoundTrip { count: LATENCIES },
        Probe::Calls { count: TASKS },
        Probe::CallRoundTrip { count: LATENCIES },
        Probe::Put { bytes, count },
        Probe::Get { bytes, count },
        Probe::Serialize { bytes, count },
        Probe::Spill { bytes, count: spilled },
        recover(false),
        recover(true),
    ]
}

fn context(args: &OverheadArgs) -> Result<OverheadContext> {
    let doctor = Doctor::examine(&args.data.path);
    Ok(OverheadContext {
        schema: OVERHEAD_SCHEMA,
        bench: build()?,
        command_line: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        trials: args.trials.get(),
        settle_ns: Nanos::new(u64::try_from(SETTLE.as_nanos()).unwrap_or(u64::MAX)),
        machine: doctor.machine,
        started_at: Timestamp::now(),
        finished_at: None,
        warnings: doctor.limits.iter().map(ToString::to_string).collect(),
    })
}

/// What is shown while it goes on: a bar on a terminal, failures anywhere.
struct Console {
    bar: ProgressBar,
}

impl Console {
    fn new(total: u64) -> Self {
        let bar = bar("{bar:24} {pos}/{len} measurements, {elapsed} so far, {eta} left  {wide_msg}");
        bar.set_length(total);
        Self { bar }
    }

    fn show(&self, event: &OverheadEvent<'_>) {
        match event {
            OverheadEvent::Begun { engine, trial, measure } => {
                self.bar.set_message(format!("{}: {}, trial {trial}", engine.name, named(*measure)));
            }
            OverheadEvent::Ended(sample) => {
                self.bar.inc(1);
                let OverheadSample { outcome, measure, subject, .. } = sample;
                if !matches!(outcome, Outcome::Completed | Outcome::Unsupported) {
                    let reason = sample.reason.as_deref().unwrap_or_default();
                    let line = format!("{}: {}: {outcome}: {reason}", subject.engine, named(*measure));
                    self.bar.suspend(|| tell(&line));
                }
            }
        }
    }
}

fn named(measure: Measure) -> &'static str {
    match measure {
        Measure::Startup => "startup",
        Measure::IdleMemory => "idle_memory",
        Measure::Probe(probe) => probe.kind(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spilled_is_more_than_an_engine_may_hold_and_killing_comes_last() {
        let probes = probes(Bytes::new(1 << 30), 2);
        let spill = probes.iter().find_map(|p| match p {
            Probe::Spill { bytes, count } => Some(bytes * u64::from(*count)),
            _ => None,
        });
        assert_eq!(spill, Some((1 << 30) + (1 << 28)));
        assert_eq!(probes.last(), Some(&Probe::Recover { count: 16, task_ns: 250_000_000, kill: true }));
    }
}
