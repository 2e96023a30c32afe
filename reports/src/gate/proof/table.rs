//! Counts in words.

use super::{Count, Fate, Plant, Proof, Share, Standing};
use crate::stats::share_bounds;
use std::fmt::Write;

pub(super) fn text(proof: &Proof) -> String {
    let mut out = String::from(
        "Equal things compared: experiments with a false alarm in any family (promised: at most 1 %), or with exit code 0, cases called fine.\n\
         A slow-down of 5 % planted, budget 5 %: one case of each experiment is called slower, inconclusive, or passes as fine (promised: at\n\
         most 5 %). `up to` is the upper bound of the true share with 95 % confidence (Clopper and Pearson).\n\n",
    );
    let _ = writeln!(
        out,
        "{:<34} {:>7} {:>11} {:>6} {:>6}  {:<10} {:>5} {:>7} {:>9} {:>11} {:>6}",
        "setting", "n", "alarms", "up to", "fine", "planted in", "of", "slower", "inconcl.", "passed", "up to"
    );
    let _ = writeln!(out, "{}", "-".repeat(122));
    proof.counts.iter().for_each(|count| rows(&mut out, count));
    let recorded = proof.counts.iter().find(|count| count.is_recorded);
    let verdict = match (proof.standing(), recorded) {
        (Standing::Shown, Some(count)) => {
            format!(
                "every promise is shown to be kept, on simulated runs and, by {} turns, on recorded ones",
                count.turns
            )
        }
        (Standing::Shown, None) => "every promise is shown to be kept on simulated runs".to_owned(),
        (Standing::Broken, _) => "a promise is broken".to_owned(),
        (Standing::Open, _) => {
            "no promise is broken, and there are too few experiments to show that they are kept".to_owned()
        }
    };
    let _ = writeln!(out, "\nResult: {verdict}.");
    out
}

fn rows(out: &mut String, count: &Count) {
    let n = format!("{}x{}", count.turns, count.trials);
    let alarms = of(count.alarms);
    let mut head =
        format!("{:<34} {n:>7} {alarms:>11} {:>6} {:>6}", count.setting, upper(count.alarms), share(count.fine),);
    for (plant, fate) in &count.planted {
        let _ = writeln!(out, "{head:<68}  {}", planted(*plant, *fate));
        head.clear();
    }
    let told = count.standings();
    let broken = told.iter().filter(|s| **s == Standing::Broken).count();
    let open = told.iter().filter(|s| **s == Standing::Open).count();
    let _ = writeln!(
        out,
        "{:<34} exit code 0 of equal things: {}; promises: {} shown, {open} open, {broken} broken",
        "",
        share(count.exit_zero),
        told.len() - broken - open
    );
}

fn planted(plant: Plant, fate: Fate) -> String {
    let name = match plant {
        Plant::Few => "a few",
        Plant::Engine => "an engine",
        Plant::All => "all",
    };
    let unsure = Share { count: fate.passed.of - fate.found.count - fate.passed.count, of: fate.passed.of };
    format!(
        "{name:<10} {:>5} {:>7} {:>9} {:>11} {:>6}",
        fate.passed.of,
        share(fate.found),
        share(unsure),
        of(fate.passed),
        upper(fate.passed)
    )
}

fn of(share: Share) -> String {
    format!("{} of {}", share.count, share.of)
}

fn share(share: Share) -> String {
    if share.of == 0 { "-".to_owned() } else { format!("{:.1}%", 100.0 * share.count as f64 / share.of as f64) }
}

fn upper(share: Share) -> String {
    format!("{:.1}%", 100.0 * share_bounds(share.count, share.of).1)
}
