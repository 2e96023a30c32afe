//! The HTML report and the tables for notebooks.
//!
//! | module | idea |
//! |---|---|
//! | `page` | what the page says, and that it says the same every time |

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "../fixture/mod.rs"]
mod fixture;

mod page;

use bench_record::Run;
use bench_reports::{Options, compare_with_sources, html};

fn page_of(runs: &[Run]) -> String {
    let (comparison, sources) = compare_with_sources(runs, &Options::default()).unwrap();
    html(&comparison, &sources, &[]).unwrap()
}
