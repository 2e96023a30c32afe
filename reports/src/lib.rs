//! From recorded trials to a comparison an engineer can trust. Pure functions: the same folders give the same bytes.
//!
//! | module | idea |
//! |---|---|
//! | `stats` | medians, bootstrap intervals, rank tests, and when two times are indistinguishable |
//! | `comparison` | what a report says, as data; its JSON is the stable machine-readable report |
//! | `compare` | recorded runs to a [`Comparison`] |
//! | `claims` | what others say of engines, with a verdict on each from recorded runs |
//! | `recommend` | engines ranked for a stated mix of work, and how sure that is |
//! | `gate` | two builds side by side: what became slower, and whether that can be said |
//! | `history` | many runs of one machine in a row: when something changed |
//! | `overhead` | what engines cost before they do any work |
//! | `cost` | what recorded work costs, from price books |
//! | `render` | a [`Comparison`] as text, Markdown, JSON or HTML |
//! | `plot` | a [`Comparison`] as SVG |
//! | `rows` | observations and cells as Arrow, and as CSV |
//! | `run_names` | what runs are called, no two alike |
//! | `shortened` | names that are cut and still told apart |
//! | `plain` | text from engines and files that no terminal and no viewer obeys |
//!
//! Nothing here runs an engine, reads a clock or touches the machine.

pub mod claims;
pub mod cost;
pub mod gate;
pub mod history;
pub mod overhead;
pub mod plot;
pub mod recommend;
pub mod stats;

mod compare;
mod comparison;
mod plain;
mod render;
mod rows;
mod run_names;
mod shortened;

pub use compare::{CompareError, Options, Source, Sources, compare, compare_all, compare_with_sources};
pub use comparison::{
    Ablation, AblationEntry, Anchor, AnchorCause, AnchorUse, AnswerChecks, BlockingCase, BlockingReport, Cell,
    Comparison, Contamination, Contestant, CostAnswer, CostEntry, CostReport, Decomposition, FamilyReport, FaultCase,
    FaultEffect, FaultReport, Incident, KernelAnchor, KernelAnchorCause, Law, NoiseFloor, REPORT_SCHEMA, Ratio,
    SameKernels, ScalingPoint, ScalingSeries, SpanBreakdown, Table, TimePart, Total, TotalRatio, Verdict, WeakPoint,
    WeakScaling, WeakSeries, WorkloadEffect, WorkloadReport,
};
pub use plain::plain;
pub use render::{Format, FormatError, Ink, Section, WIDTH, escape, html, html_by, places_of_cases, render};
pub use rows::{Rows, arrow_file, csv, rows};
pub use run_names::RunNames;
