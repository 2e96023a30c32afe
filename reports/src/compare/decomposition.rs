//! What part of a product's time is the kernel's work, what its architecture costs, and what is left; and styles beside the
//! products whose architecture they play, or whose kernels are others.
//!
//! Only times of the same runs meet here: trials of one run take turns, so what happens to the machine happens to all.

use super::field::Field;
use super::floors::Floors;
use super::measured::Measured;
use super::totals::total_ratio;
use super::workloads::ByWorkload;
use crate::comparison::{
    Anchor, AnchorCause, AnchorUse, Contestant, Decomposition, KernelAnchor, KernelAnchorCause, SameKernels, TimePart,
    TotalRatio, Verdict,
};
use crate::stats::{Bootstrap, Sample};
use bench_record::{Arm, Case, Family};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Styles with the products whose architecture they play; the last two run the kernel of the styles.
const COUNTERPARTS: [(&str, &str); 6] = [
    ("stagedag", "ballista"),
    ("stagedag", "spark"),
    ("taskgraph", "dask"),
    ("actor", "ray"),
    ("taskgraph", "dask-datafusion"),
    ("actor", "ray-datafusion"),
];
/// Products with the same runtime and the kernel of the styles in its tasks.
const SAME_KERNELS: [(&str, &str); 2] = [("dask", "dask-datafusion"), ("ray", "ray-datafusion")];
/// Products that are a library in one process, with kernels of their own.
const LIBRARIES: [&str; 2] = ["duckdb", "polars"];
/// Whoever is best of these stands beside them.
const STYLES: [&str; 3] = ["actor", "taskgraph", "stagedag"];
/// The kernels of the styles without a style.
const BARE: &str = "datafusion";
/// The kernels of the styles on one thread.
const SINGLE_THREAD: &str = "datafusion-1t";
/// Settings that leave the comparison what it is: a product's configuration, and span accounting.
const OWN: [&str; 2] = ["config=", "spans="];
/// Makes a case's CPU times draw independently of its wall times.
const CPU_SEED: u64 = 0x6370_755f_6e73;

/// Every product that took part beside its style, in the order of [`COUNTERPARTS`].
pub(super) fn reports(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    family: Family,
) -> (Vec<Decomposition>, Vec<Anchor>) {
    let runs = runs_of(field, family);
    let (mut parts, mut anchors) = (Vec::new(), Vec::new());
    for (style, product) in COUNTERPARTS {
        for (at, who) in field.compared().filter(|(_, c)| c.engine == product) {
            let Some(style) = counterpart(field, who, style) else { continue };
            anchors.extend(anchor(field, &Side { cases, runs: &runs, members: &[style, at] }, floors));
            let Some(single) = counterpart(field, who, SINGLE_THREAD) else { continue };
            parts.extend(decomposition(field, &Side { cases, runs: &runs, members: &[single, style, at] }));
        }
    }
    (parts, anchors)
}

/// The best style beside every product with kernels of its own that took part.
pub(super) fn kernel_anchors(
    field: &Field<'_>,
    cases: &ByWorkload<'_, '_>,
    floors: &Floors<'_>,
    family: Family,
) -> Vec<KernelAnchor> {
    let runs = runs_of(field, family);
    let libraries = LIBRARIES.iter().flat_map(|product| field.compared().filter(|(_, c)| c.engine == *product));
    let beside = |(at, who): (usize, &Contestant)| {
        let kernel_anchor = |style: &str| {
            let members = [counterpart(field, who, style)?, at];
            kernel_anchor(field, &Side { cases, runs: &runs, members: &members }, floors, counterpart(field, who, BARE))
        };
        let least = |a: &KernelAnchor, b: &KernelAnchor| {
            let most_first = b.ratio.common.cmp(&a.ratio.common);
            most_first.then(a.ratio.total.value.total_cmp(&b.ratio.total.value))
        };
        STYLES.iter().filter_map(|style| kernel_anchor(style)).min_by(least)
    };
    libraries.filter_map(beside).collect()
}

/// By workload and contestant, the folders that hold its trials.
type Runs<'a> = BTreeMap<(&'a str, usize), BTreeSet<&'a Path>>;

fn runs_of<'a>(field: &Field<'a>, family: Family) -> Runs<'a> {
    let mut runs = Runs::new();
    for trial in field.trials.iter().filter(|t| !t.excluded) {
        let case = &trial.observation.case;
        if case.family == family && trial.observation.arm == Arm::Main {
            runs.entry((&case.workload, trial.contestant)).or_default().insert(&trial.run.path);
        }
    }
    runs
}

/// The engine of that name under the same conditions as a product; without span accounting if there is a choice.
fn counterpart(field: &Field<'_>, product: &Contestant, engine: &str) -> Option<usize> {
    let single = engine == SINGLE_THREAD;
    let same_place = |c: &Contestant| {
        (&c.cluster, c.nodes, &c.build_id) == (&product.cluster, product.nodes, &product.build_id)
            && (single || c.slots == product.slots)
    };
    let all = field.compared().filter(|(_, c)| c.engine == engine && same_place(c));
    let alike = all.filter(|(_, c)| conditions(c) == conditions(product));
    alike.min_by_key(|(_, c)| c.variant.len()).map(|(i, _)| i)
}

fn conditions(c: &Contestant) -> BTreeSet<&str> {
    let all = c.variant.split(',').filter(|setting| *setting != Case::DEFAULT_VARIANT);
    all.filter(|setting| !OWN.iter().any(|own| setting.starts_with(own))).collect()
}

/// Contestants to be compared on what all of them completed in the same runs.
struct Side<'s, 'm, 'a> {
    cases: &'s ByWorkload<'m, 'a>,
    runs: &'s Runs<'a>,
    members: &'s [usize],
}

/// One row per workload that counts, a case per member.
struct Together<'m, 'a> {
    rows: Vec<Vec<(&'m Measured<'a>, &'m Sample)>>,
    apart: usize,
}

impl<'m, 'a> Side<'_, 'm, 'a> {
    fn together(&self) -> Together<'m, 'a> {
        let (mut rows, mut apart) = (Vec::new(), 0);
        for (workload, of_case) in self.cases {
            let one = |who: &usize| {
                let (_, measured) = of_case.iter().find(|(c, _)| c == who)?;
                measured.sample.as_ref().map(|sample| (*measured, sample))
            };
            let Some(row) = self.members.iter().map(one).collect::<Option<Vec<_>>>() else { continue };
            let mut folders = self.members.iter().map(|who| self.runs.get(&(*workload, *who)));
            let first = folders.next().flatten();
            if folders.all(|other| other == first) {
                rows.push(row);
            } else {
                apart += 1;
            }
        }
        Together { rows, apart }
    }
}

fn decomposition(field: &Field<'_>, side: &Side<'_, '_, '_>) -> Option<Decomposition> {
    let [single, style, product] = *side.members else { return None };
    let Together { rows, apart } = side.together();
    let cpu: Vec<Sample> = rows.iter().map(|row| cpu_sample(row.first()?.0)).collect::<Option<_>>()?;
    if rows.is_empty() {
        return None;
    }
    let cores = field.contestants.get(product)?.cores;
    let column = |at: usize| rows.iter().filter_map(|row| row.get(at).map(|(_, s)| *s)).collect::<Vec<_>>();
    let (styles, products) = (Sum::of(&column(1)), Sum::of(&column(2)));
    let work = Sum::of(&cpu.iter().collect::<Vec<_>>());
    let kernel = Sum { value: work.value / cores, resampled: work.resampled.map(|r| r.map(|ns| ns / cores)) };
    let total = products.value;
    let same_kernels = same_kernels(field, side, &products, rows.len());
    Some(Decomposition {
        product: field.label(product).to_owned(),
        style: field.label(style).to_owned(),
        single_thread: field.label(single).to_owned(),
        cores,
        common: rows.len(),
        cases: side.cases.len(),
        apart,
        trials_min: rows.iter().flatten().map(|(measured, _)| measured.trials.len()).min().unwrap_or_default(),
        contaminated: rows.iter().flatten().any(|(_, s)| s.contaminated),
        wall: products.part(total),
        kernel: kernel.part(total),
        architecture: styles.beyond(&kernel).part(total),
        runtime: products.beyond(&styles).part(total),
        same_kernels,
        single_thread_wall_ns: Sum::of(&column(0)).value,
        single_thread_cpu_ns: work.value,
    })
}

/// What is left of a product's time with the styles' kernels, over the same workloads; of fewer it would be no part of it.
fn same_kernels(field: &Field<'_>, side: &Side<'_, '_, '_>, products: &Sum, common: usize) -> Option<SameKernels> {
    let [single, style, product] = *side.members else { return None };
    let who = field.contestants.get(product)?;
    let (_, engine) = SAME_KERNELS.iter().find(|(of, _)| *of == who.engine)?;
    let other = counterpart(field, who, engine)?;
    let Together { rows, .. } = Side { members: &[single, style, product, other], ..*side }.together();
    if rows.len() != common {
        return None;
    }
    let left = Sum::of(&rows.iter().filter_map(|row| row.get(3).map(|(_, s)| *s)).collect::<Vec<_>>());
    Some(SameKernels {
        product: field.label(other).to_owned(),
        wall: left.part(products.value),
        own_kernels: products.beyond(&left).part(products.value),
    })
}

/// The CPU times of a case; none unless every trial counted them.
fn cpu_sample(measured: &Measured<'_>) -> Option<Sample> {
    let all: Option<Vec<f64>> = measured.trials.iter().map(|o| o.cpu_ns.map(|ns| ns as f64)).collect();
    Sample::resampled(all?, measured.draw.seed ^ CPU_SEED, measured.draw.resamples)
}

/// A sum of medians.
struct Sum {
    value: f64,
    resampled: Option<Bootstrap>,
}

impl Sum {
    fn of(samples: &[&Sample]) -> Self {
        let resampled: Option<Vec<&Bootstrap>> = samples.iter().map(|s| s.bootstrap.as_ref()).collect();
        let resampled = resampled.and_then(|all| Bootstrap::sum(all.into_iter()));
        Self { value: samples.iter().map(|s| s.median).sum(), resampled }
    }

    fn beyond(&self, other: &Self) -> Self {
        let resampled = self.resampled.as_ref().zip(other.resampled.as_ref());
        Self { value: self.value - other.value, resampled: resampled.map(|(a, b)| a.combine(b, |a, b| a - b)) }
    }

    fn part(&self, total: f64) -> TimePart {
        TimePart {
            wall_ns: self.value,
            wall_ns_interval: self.resampled.as_ref().map(Bootstrap::interval),
            share: self.value / total,
        }
    }
}

fn kernel_anchor(
    field: &Field<'_>,
    side: &Side<'_, '_, '_>,
    floors: &Floors<'_>,
    bare: Option<usize>,
) -> Option<KernelAnchor> {
    let [style, product] = *side.members else { return None };
    let Together { rows, apart } = side.together();
    let ratio = ratio_of(&rows, floors)?;
    let kernel = bare.and_then(|bare| {
        let Together { rows, .. } = Side { members: &[bare, product, style], ..*side }.together();
        // Of fewer workloads it would be no part of the ratio.
        ratio_of(&rows, floors).filter(|kernel| kernel.common == ratio.common)
    });
    let is_slower = ratio.total.value > KernelAnchor::MOST && ratio.total.verdict == Verdict::Slower;
    let cause = is_slower.then(|| match kernel.as_ref().filter(|kernel| kernel.total.interval.is_some()) {
        None => KernelAnchorCause::NotMeasured,
        Some(kernel) if kernel.total.value.ln() >= 0.5 * ratio.total.value.ln() => KernelAnchorCause::Kernel,
        Some(_) => KernelAnchorCause::Style,
    });
    Some(KernelAnchor {
        style: field.label(style).to_owned(),
        product: field.label(product).to_owned(),
        cases: side.cases.len(),
        apart,
        bare: bare.filter(|_| kernel.is_some()).map(|bare| field.label(bare).to_owned()),
        ratio,
        kernel,
        cause,
    })
}

/// The first members' times over the second ones'.
fn ratio_of(rows: &[Vec<(&Measured<'_>, &Sample)>], floors: &Floors<'_>) -> Option<TotalRatio> {
    let pairs: Vec<_> = rows.iter().filter_map(|r| r.first()?.0.timed().zip(r.get(1)?.0.timed())).collect();
    total_ratio(&pairs, floors.whole())
}

fn anchor(field: &Field<'_>, side: &Side<'_, '_, '_>, floors: &Floors<'_>) -> Option<Anchor> {
    let [style, product] = *side.members else { return None };
    let Together { rows, apart } = side.together();
    let ratio = ratio_of(&rows, floors)?;
    let of = |at: usize, who: usize| {
        let column: Vec<_> = rows.iter().filter_map(|row| row.get(at)).copied().collect();
        used(&column, field.contestants.get(who).map_or(f64::NAN, |c| c.cores))
    };
    let (style_use, product_use) = (of(0, style), of(1, product));
    let outside = !Anchor::RANGE.contains(&ratio.total.value);
    Some(Anchor {
        style: field.label(style).to_owned(),
        product: field.label(product).to_owned(),
        cases: side.cases.len(),
        apart,
        cause: outside.then(|| cause(ratio.total.value, style_use, product_use)),
        ratio,
        style_use,
        product_use,
    })
}

fn used(column: &[(&Measured<'_>, &Sample)], cores: f64) -> AnchorUse {
    let wall: f64 = column.iter().map(|(_, s)| s.median).sum();
    let cpu: Option<f64> = column.iter().map(|(m, _)| cpu_sample(m).map(|s| s.median)).sum();
    AnchorUse { wall_ns_total: wall, cpu_ns_total: cpu, busy_share: cpu.map(|cpu| cpu / (wall * cores)) }
}

/// A ratio of times is that of the CPU times, divided by that of the shares of busy cores: the larger factor is the cause.
fn cause(ratio: f64, style: AnchorUse, product: AnchorUse) -> AnchorCause {
    let Some((style, product)) = style.cpu_ns_total.zip(product.cpu_ns_total) else { return AnchorCause::NotMeasured };
    let work = (style / product).ln() / ratio.ln();
    if !work.is_finite() {
        AnchorCause::NotMeasured
    } else if work >= 0.5 {
        AnchorCause::Work
    } else {
        AnchorCause::Waiting
    }
}
