//! The HTML report in a real browser: Chromium, without a window.
//!
//! Where there is none, every test is reported as ignored, with the reason: this has a runner of its own, because the
//! standard one cannot say that at run time. `scripts/test-tools.sh` installs one.
//!
//! | module | idea |
//! |---|---|
//! | `chromium` | a browser, driven over a pipe |
//! | `reading` | the page in that browser |

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "../fixture/mod.rs"]
mod fixture;
#[path = "../fixture/probed.rs"]
mod probed;
#[path = "../cluster/runs.rs"]
mod runs;
#[path = "../html/samples.rs"]
mod samples;

mod chromium;
mod reading;

use std::panic::catch_unwind;
use std::process::ExitCode;

/// The claims by name: a name that is not listed here would never run, and the compiler warns about it.
macro_rules! claims {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), reading::$name as fn())),*] };
}

const CLAIMS: &[(&str, fn())] = claims! {
    the_page_is_legible_and_fits_in_both_themes_on_desktop_and_phone,
    a_keyboard_sorts_filters_and_changes_the_theme,
    a_number_leads_to_its_observations_with_and_without_the_script,
    what_is_folded_opens_by_keyboard_and_is_there_on_paper,
    nothing_is_cut_off_on_paper_and_ink_is_dark_on_white,
    what_did_not_complete_leads_to_its_observations,
    every_link_within_the_page_has_a_target_and_every_id_is_unique,
    text_from_results_is_shown_and_never_run,
    costs_alone_are_legible_and_fit_on_a_phone_and_on_paper,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filter = arguments.iter().find(|a| !a.starts_with('-'));
    let chosen: Vec<_> = CLAIMS.iter().filter(|(name, _)| filter.is_none_or(|f| name.contains(f.as_str()))).collect();
    if arguments.iter().any(|a| a == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let is_there = chromium::program().is_some();
    if !is_there {
        eprintln!(
            "NOT TESTED: the HTML report in a browser: there is no Chromium; run scripts/test-tools.sh, or set CHROMIUM"
        );
    }
    println!("\nrunning {} tests", chosen.len());
    let (mut passed, mut failed) = (0, 0);
    for (name, claim) in &chosen {
        if !is_there {
            println!("test {name} ... ignored, there is no Chromium");
        } else if catch_unwind(claim).is_ok() {
            println!("test {name} ... ok");
            passed += 1;
        } else {
            println!("test {name} ... FAILED");
            failed += 1;
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let ignored = chosen.len() - passed - failed;
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
