//! Where a product's time goes, and styles beside their products.

use super::layout::{Block, Column, Kind, Row, Sheet, Tone};
use super::scale::{Scale, percent, ratio};
use super::wording::{column, cores, interval_column, or_dash, range, ratio_text};
use crate::comparison::{
    Anchor, AnchorCause, Decomposition, FamilyReport, KernelAnchor, KernelAnchorCause, SameKernels, TimePart,
    TotalRatio,
};

pub(super) fn blocks(family: &FamilyReport) -> Vec<Block> {
    let name = family.family.name();
    let mut blocks = Vec::new();
    if !family.decomposition.is_empty() {
        blocks.push(Block::Heading(3, format!("{name}: where the time of products goes")));
        blocks.push(parts_sheet(&family.decomposition));
        blocks.extend(family.decomposition.iter().flat_map(said));
        blocks.push(Block::Text(method(&family.decomposition)));
    }
    if !family.anchors.is_empty() {
        blocks.push(Block::Heading(3, format!("{name}: styles beside the products of the same architecture")));
        blocks.push(anchors_sheet(&family.anchors));
        blocks.extend(family.anchors.iter().filter_map(explained).map(Block::Item));
        blocks.extend(family.anchors.iter().filter_map(|a| left_out(&a.product, a.apart)).map(Block::Item));
        if family.decomposition.is_empty() {
            blocks.push(Block::Item(
                "how much of it is the kernel's work is not known: no product, its style and datafusion-1t completed the same \
                 workloads in one run; name all three under --engines"
                    .to_owned(),
            ));
        }
    }
    if !family.kernel_anchors.is_empty() {
        blocks.push(Block::Heading(3, format!("{name}: the best style beside products with kernels of their own")));
        blocks.push(kernel_anchors_sheet(&family.kernel_anchors));
        blocks.extend(family.kernel_anchors.iter().filter_map(why_slower).map(Block::Item));
        blocks.extend(family.kernel_anchors.iter().filter_map(|r| left_out(&r.product, r.apart)).map(Block::Item));
    }
    blocks
}

fn parts_sheet(all: &[Decomposition]) -> Block {
    let parts = |d: &Decomposition| [d.wall, d.kernel, d.architecture, d.runtime];
    let sizes = all.iter().flat_map(parts).map(|p| p.wall_ns.abs());
    let scale = Scale::time(sizes);
    let rows = all.iter().flat_map(|d| {
        let spread = format!("CPU of {} / {}", d.single_thread, cores(d.cores));
        let named = [
            ("in all", "wall time".to_owned(), d.wall, &d.product),
            ("kernel work", spread, d.kernel, &d.single_thread),
            ("architecture", format!("{} beyond that", d.style), d.architecture, &d.style),
            ("runtime", format!("beyond {}", d.style), d.runtime, &d.product),
        ];
        named.map(|(part, measured, time, about)| Row {
            about: Some(about.clone()),
            tone: Tone::Plain,
            cells: vec![
                d.product.clone(),
                part.to_owned(),
                measured,
                scale.show(time.wall_ns),
                or_dash(time.wall_ns_interval, |i| range(i, |ns| scale.show(ns))),
                percent(time.share),
            ],
        })
    });
    Block::Sheet(Sheet {
        rows: rows.collect(),
        columns: vec![
            column("product", Kind::Name),
            column("part", Kind::Words),
            column("measured as", Kind::Words),
            column(scale.unit, Kind::Number),
            column(interval_column(all.iter().map(|d| d.trials_min)), Kind::Number),
            column("%", Kind::Number),
        ],
    })
}

/// The parts in a sentence, and what a reader must know of them.
fn said(d: &Decomposition) -> Vec<Block> {
    let disturbed = d.contaminated.then(|| format!("{}: contaminated trials had to be counted", d.product));
    let kernels = d.same_kernels.as_ref().map(|same| own_kernels(d, same));
    [Some(sentence(d)), kernels, disturbed, left_out(&d.product, d.apart)]
        .into_iter()
        .flatten()
        .map(Block::Item)
        .collect()
}

fn sentence(d: &Decomposition) -> String {
    let over = format!("{} of {} workloads", d.common, d.cases);
    let architecture = match sign(d.architecture) {
        Sign::More => format!("{} is what its architecture costs", time(d.architecture.wall_ns)),
        Sign::Less => format!("{} needs {} less than that", d.style, time(-d.architecture.wall_ns)),
        Sign::Nothing => "what its architecture costs does not show".to_owned(),
    };
    let rest = match sign(d.runtime) {
        Sign::More => format!("{} is its runtime and its own kernels", time(d.runtime.wall_ns)),
        Sign::Less => format!("its own kernels make up for {} of it", time(-d.runtime.wall_ns)),
        Sign::Nothing => format!("what is left beyond {} does not show", d.style),
    };
    format!(
        "of the {} of {} over {over}, {} is kernel work, {architecture}, and {rest}",
        time(d.wall.wall_ns),
        d.product,
        time(d.kernel.wall_ns)
    )
}

/// How much of a product's time goes with its own kernels.
fn own_kernels(d: &Decomposition, same: &SameKernels) -> String {
    let rest = match sign(same.own_kernels) {
        Sign::More => format!("{} is its own kernels and plans", time(same.own_kernels.wall_ns)),
        Sign::Less => format!("its own kernels and plans save {}", time(-same.own_kernels.wall_ns)),
        Sign::Nothing => "its own kernels and plans make no difference that shows".to_owned(),
    };
    format!(
        "{} runs the kernels of {}, as a Python package and cut into tasks otherwise, in the runtime of {} and takes {} for the \
         same: {rest}",
        same.product,
        d.style,
        d.product,
        time(same.wall.wall_ns)
    )
}

enum Sign {
    More,
    Less,
    Nothing,
}

/// Nothing is said of a part whose interval holds zero, or that has none.
fn sign(part: TimePart) -> Sign {
    match part.wall_ns_interval {
        Some(interval) if interval.low > 0.0 => Sign::More,
        Some(interval) if interval.high < 0.0 => Sign::Less,
        _ => Sign::Nothing,
    }
}

/// One time with its unit.
fn time(ns: f64) -> String {
    let scale = Scale::time([ns]);
    format!("{} {}", scale.show(ns), scale.unit)
}

fn method(all: &[Decomposition]) -> String {
    let thread = |d: &Decomposition| {
        format!(
            "{} takes {}, {} of it CPU time, for {} beside {}",
            d.single_thread,
            time(d.single_thread_wall_ns),
            time(d.single_thread_cpu_ns),
            workloads(d.common),
            d.product
        )
    };
    let threads: Vec<String> = all.iter().map(thread).collect();
    format!(
        "Sums of medians over the workloads that a product, its style and the single thread all completed in the same \
         interleaved runs. Kernel work: the single thread's CPU time, spread evenly over the cores ({}). Architecture: the \
         style's wall time beyond that. Runtime: the product's wall time beyond its style's.",
        threads.join("; ")
    )
}

fn left_out(product: &str, apart: usize) -> Option<String> {
    let what = workloads(apart);
    (apart > 0).then(|| format!("{product}: left out, for not all were measured in the same runs: {what}"))
}

fn workloads(count: usize) -> String {
    if count == 1 { "1 workload".to_owned() } else { format!("{count} workloads") }
}

fn anchors_sheet(all: &[Anchor]) -> Block {
    let share = |share: Option<f64>| or_dash(share, percent);
    let rows = all.iter().map(|a| {
        let work = a.style_use.cpu_ns_total.zip(a.product_use.cpu_ns_total);
        Row {
            about: Some(a.style.clone()),
            tone: Tone::Plain,
            cells: beside(
                (&a.style, &a.product),
                (&a.ratio, a.cases),
                [
                    or_dash(work, |(style, product)| format!("{}x", ratio(style / product))),
                    format!("{} / {}", share(a.style_use.busy_share), share(a.product_use.busy_share)),
                ],
            ),
        }
    });
    let more = [column("cpu", Kind::Number), column("cores busy %", Kind::Number)];
    Block::Sheet(Sheet { rows: rows.collect(), columns: beside_columns(more) })
}

/// A style beside a product: how many times as long it takes, over how many workloads, and what else is known.
fn beside<const N: usize>(
    (style, product): (&str, &str),
    (ratio, cases): (&TotalRatio, usize),
    more: [String; N],
) -> Vec<String> {
    let mut cells = vec![
        format!("{style} / {product}"),
        ratio_text(&ratio.total),
        ratio_text(&ratio.geometric_mean),
        format!("{} of {cases}", ratio.common),
    ];
    cells.extend(more);
    cells
}

/// The columns of [`beside`].
fn beside_columns<const N: usize>(more: [Column; N]) -> Vec<Column> {
    let mut columns = vec![
        column("style / product", Kind::Name),
        column("total", Kind::Words),
        column("geometric mean", Kind::Words),
        column("over", Kind::Words),
    ];
    columns.extend(more);
    columns
}

fn kernel_anchors_sheet(all: &[KernelAnchor]) -> Block {
    let rows = all.iter().map(|r| Row {
        about: Some(r.style.clone()),
        tone: Tone::Plain,
        cells: beside(
            (&r.style, &r.product),
            (&r.ratio, r.cases),
            [or_dash(r.bare.as_ref().zip(r.kernel.as_ref()), |(bare, kernel)| {
                format!("{bare} {}", ratio_text(&kernel.total))
            })],
        ),
    });
    let more = [column("kernels alone / product", Kind::Words)];
    Block::Sheet(Sheet { rows: rows.collect(), columns: beside_columns(more) })
}

/// Why a style takes longer than needs no explanation.
fn why_slower(r: &KernelAnchor) -> Option<String> {
    let bare = r.bare.as_deref().unwrap_or_default();
    let alone = |kernel: f64| {
        format!("{bare}, its kernels without a style, takes {} times as long as {}", ratio(kernel), r.product)
    };
    let why = match (r.cause?, r.kernel.as_ref().map(|kernel| kernel.total.value)) {
        (KernelAnchorCause::Kernel, Some(kernel)) => format!("mostly the kernels: {}", alone(kernel)),
        (KernelAnchorCause::Style, Some(kernel)) => format!("mostly the style: {}", alone(kernel)),
        _ => "why is not known: datafusion did not complete the same workloads in the same runs".to_owned(),
    };
    let value = ratio(r.ratio.total.value);
    Some(format!("{} / {}: {value}x is above {}; {why}", r.style, r.product, ratio(KernelAnchor::MOST)))
}

/// Why a ratio is outside of what needs no explanation.
fn explained(a: &Anchor) -> Option<String> {
    let value = a.ratio.total.value;
    let (least, most) = (ratio(*Anchor::RANGE.start()), ratio(*Anchor::RANGE.end()));
    let (fast, slow) = if value < 1.0 { (&a.style, &a.product) } else { (&a.product, &a.style) };
    let (few, many) = if value < 1.0 { (a.style_use, a.product_use) } else { (a.product_use, a.style_use) };
    let why = match (a.cause?, few.cpu_ns_total.zip(many.cpu_ns_total), few.busy_share.zip(many.busy_share)) {
        (AnchorCause::Work, Some((less, more)), _) => format!(
            "mostly work: {slow} uses {} times the CPU time ({} against {})",
            ratio(more / less),
            time(more),
            time(less)
        ),
        (AnchorCause::Waiting, _, Some((high, low))) => {
            format!("mostly waiting: {slow} keeps {} % of its cores busy, {fast} {} %", percent(low), percent(high))
        }
        _ => "why is not known: CPU time was not counted".to_owned(),
    };
    Some(format!("{} / {}: {}x is outside {least} to {most}; {why}", a.style, a.product, ratio(value)))
}
