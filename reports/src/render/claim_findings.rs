//! What evidence says to a claim, without what the table above it says already.

use super::claim_places::Places;
use super::claim_words as words;
use crate::claims::{AssessedClaim, AssessedTest, ClaimVerdict, Compared, Evidence, Remove};

/// So many measured values of a claim are told in one cell.
const MEASURED_MAX: usize = 6;

/// What was measured of a claim, nearest to it, if anything was: nothing of styles, which are no evidence of a product.
pub(crate) fn measured(claim: &AssessedClaim) -> Option<String> {
    let nearest = claim.tests.iter().flat_map(|t| &t.evidence).map(|e| e.remove).min();
    let (remove, prefix) = match nearest {
        Some(Remove::Direct) => (Remove::Direct, String::new()),
        Some(Remove::OtherScale) => (Remove::OtherScale, "at another scale, ".to_owned()),
        Some(Remove::Architecture) => return Some("of styles only".to_owned()),
        None => return None,
    };
    let (mut values, mut of): (Vec<String>, Option<String>) = (Vec::new(), None);
    let evidence = claim.tests.iter().flat_map(|t| t.evidence.iter().map(move |e| (t, e)));
    for (test, e) in evidence.filter(|(_, e)| e.remove == remove) {
        let what = format!("{}{}", test.metric, words::configured(e));
        for c in &e.compared {
            // What is measured is told where it changes.
            let again = of.as_ref() == Some(&what);
            values.push(if again { words::value_of(c) } else { format!("{what}: {}", words::value_of(c)) });
            of = Some(what.clone());
        }
        values.extend((e.compared.is_empty() && e.finding.is_shown()).then(|| e.because.clone()));
    }
    let more = values.len().saturating_sub(MEASURED_MAX);
    values.truncate(MEASURED_MAX);
    values.extend((more > 0).then(|| format!("and {more} more")));
    let (run, all) = (claim.tests.iter().filter(|t| t.verdict != ClaimVerdict::NotTested).count(), claim.tests.len());
    let some = if (1..all).contains(&run) { format!("{run} of {all} tests: ") } else { String::new() };
    (!values.is_empty()).then(|| format!("{some}{prefix}{}", values.join("; ")))
}

/// A test with what each piece of its evidence comes to; pieces that say the same are one.
pub(super) fn told(test: &AssessedTest, places: &Places<'_>) -> String {
    let (direct, beside): (Vec<&Evidence>, Vec<&Evidence>) =
        test.evidence.iter().partition(|e| e.remove == Remove::Direct);
    let mut text = format!("\"{}\": {}", test.reading, test.verdict);
    let pieces: Vec<&Evidence> = match direct.as_slice() {
        [only] => {
            text.push_str(&format!(", {} on {}{}", kind(only), places.letter(only), bracketed(&reason(only))));
            beside
        }
        several => {
            text.push_str(&bracketed(&test.because));
            several.iter().copied().chain(beside).collect()
        }
    };
    let said = |e: &Evidence| {
        let finding = match e.remove {
            Remove::Direct => e.finding.to_string(),
            Remove::OtherScale | Remove::Architecture => words::leaning(e.finding).to_owned(),
        };
        ((kind(e), format!("{finding}{}", bracketed(&reason(e)))), places.letter(e))
    };
    for ((kind, finding), letters) in words::shared(pieces.into_iter().map(said)) {
        text.push_str(&format!("; {kind} on {}: {finding}", letters.join(", ")));
    }
    text
}

fn bracketed(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

/// What it is evidence of, and of whom where a product does not go by its own name. Whom styles stand for is told once.
fn kind(e: &Evidence) -> String {
    let named = || e.who.iter().filter(|who| who.contains(" for ")).map(String::as_str).collect::<Vec<_>>();
    let who = if e.remove == Remove::Architecture { Vec::new() } else { named() };
    let who = if who.is_empty() { String::new() } else { format!(" ({})", who.join(", ")) };
    format!("{}{who}", words::brief(e))
}

/// Why, where the table of comparisons does not say so: nothing of what was shown, and of what is open once for all
/// comparisons that are open for the same reason.
fn reason(e: &Evidence) -> String {
    let own: Vec<&Compared> = e.compared.iter().filter(|c| c.finding == e.finding).collect();
    if own.is_empty() || !e.by_comparisons {
        return e.because.clone();
    }
    if e.finding.is_shown() {
        return String::new();
    }
    let why = |c: &Compared| c.open.clone().unwrap_or_else(|| c.because.clone());
    match words::shared(own.into_iter().map(|c| (why(c), c.what.as_str()))).as_slice() {
        [(why, _)] => why.clone(),
        several => {
            let told: Vec<String> = several.iter().map(|(why, whose)| format!("{}: {why}", whose.join(", "))).collect();
            told.join("; ")
        }
    }
}
