//! The HTML report and the tables for notebooks.
//!
//! | module | idea |
//! |---|---|
//! | `page` | what the page says, and that it says the same every time |
//! | `tables` | rows for notebooks |
//! | `hostile` | folders that mean harm |
//! | `refusals` | engines that do no work of a family |
//! | `winners` | who wins a workload of many, and where the numbers of COST lead |
//! | `probes` | a record of `bench overhead` |
//! | `samples` | the runs whose pages are looked at, here and in a browser (`tests/browser`) |

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "../fixture/mod.rs"]
mod fixture;
#[path = "../fixture/probed.rs"]
mod probed;
#[path = "../cluster/runs.rs"]
mod runs;

mod hostile;
mod page;
mod probes;
mod refusals;
mod samples;
mod tables;
mod winners;

use bench_record::Run;
use bench_reports::{Format, Ink, Options, Rows, arrow_file, compare_with_sources, csv, html, plot, render, rows};

/// Every format of a report, by name.
fn every_format(runs: &[Run]) -> Vec<(&'static str, Vec<u8>)> {
    let (comparison, sources) = compare_with_sources(runs, &Options::default()).unwrap();
    let text = |format| render(&comparison, format, Ink::Plain).into_bytes();
    let table = |of| rows(&comparison, &sources, of).unwrap();
    vec![
        ("table", text(Format::Table)),
        ("md", text(Format::Markdown)),
        ("json", text(Format::Json)),
        ("svg", plot::svg(&comparison).unwrap_or_default().into_bytes()),
        ("html", html(&comparison, &sources, &[]).unwrap().into_bytes()),
        ("csv observations", csv(&table(Rows::Observations)).unwrap()),
        ("csv cells", csv(&table(Rows::Cells)).unwrap()),
        ("arrow observations", arrow_file(&table(Rows::Observations)).unwrap()),
        ("arrow cells", arrow_file(&table(Rows::Cells)).unwrap()),
    ]
}
