//! What a report says of clusters and of products: several node counts, faults, mechanisms switched off, styles beside products.
//!
//! | module | idea |
//! |---|---|
//! | `runs` | synthetic runs on clusters |
//! | `weak` | data that grow with the nodes |
//! | `nodes` | labels, widths, speedup, and the law behind it |
//! | `faults` | what counts, what is void, and what never mixes |
//! | `ablation` | what each mechanism is worth |
//! | `blocking` | what would have been without one kind of blocking |
//! | `decomposition` | where the time of products goes |
//! | `schema` | the document names everything that the JSON report holds |

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "../fixture/mod.rs"]
mod fixture;

mod ablation;
mod blocking;
mod decomposition;
mod faults;
mod nodes;
mod runs;
mod schema;
mod weak;

use bench_record::Run;
use bench_reports::{Comparison, FamilyReport, Format, Ink, Options, WIDTH, compare, render};

fn compared(runs: &[Run]) -> Comparison {
    compare(runs, &Options::default()).unwrap()
}

/// The only family of the only table.
fn family(runs: &[Run]) -> FamilyReport {
    let mut comparison = compared(runs);
    assert_eq!((comparison.tables.len(), comparison.tables[0].families.len()), (1, 1));
    comparison.tables.remove(0).families.remove(0)
}

/// The rendered report, which keeps its width.
fn text(runs: &[Run], format: Format) -> String {
    let text = render(&compared(runs), format, Ink::Plain);
    assert!(format != Format::Table || text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
    text
}

/// The part of a report from some words on to others.
fn part<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = &text[text.find(from).unwrap()..];
    rest[..rest.find(to).unwrap()].trim_end()
}
