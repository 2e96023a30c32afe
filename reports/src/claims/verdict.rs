//! From comparisons to a verdict. A claim is supported only by a difference that is beyond noise and chance, over all that
//! was asked for; whatever falls short of that is inconclusive.

use super::report::ClaimVerdict;
use crate::stats::P_MAX;

/// What one comparison leans to, before all comparisons are taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lean {
    /// It is as claimed.
    Agrees,
    /// It is the other way round.
    Disagrees,
    /// They are indistinguishable, because of this.
    Alike(String),
    /// Either is possible, because of this.
    Open(String),
}

/// What one comparison means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) verdict: ClaimVerdict,
    /// Why, by itself.
    pub(super) because: String,
    /// Why it is open, beside a table that says so and how many comparisons there are.
    pub(super) open: Option<String>,
}

/// What a comparison means once it is one of `of`.
pub(super) fn finding(lean: &Lean, p_adjusted: f64, of: usize) -> Finding {
    let open = |why: &str, because: String| Finding {
        verdict: ClaimVerdict::Inconclusive,
        because,
        open: Some(why.to_owned()),
    };
    let chance = || {
        let together = format!("with all {of} comparisons taken together (p {p_adjusted:.3})");
        let because = format!("beyond the noise, but not beyond chance {together}; use more trials");
        open("beyond the noise, but not beyond chance; use more trials", because)
    };
    let shown = |verdict, because: &str| Finding { verdict, because: because.to_owned(), open: None };
    // A probability that is no number is not at most 5 %.
    let beyond_chance = p_adjusted <= P_MAX;
    match lean {
        Lean::Alike(why) => open(why, format!("indistinguishable: {why}")),
        Lean::Open(why) => open(why, why.clone()),
        Lean::Agrees if beyond_chance => shown(ClaimVerdict::Supported, "as claimed"),
        Lean::Disagrees if beyond_chance => shown(ClaimVerdict::Contradicted, "not as claimed"),
        Lean::Agrees | Lean::Disagrees => chance(),
    }
}

/// What a table says to a test: nothing is decided while something is missing.
pub(super) fn of_table(gaps: &[String], findings: &[(ClaimVerdict, String)]) -> (ClaimVerdict, String) {
    if !gaps.is_empty() {
        return (ClaimVerdict::Inconclusive, gaps.join("; "));
    }
    let said = |wanted: ClaimVerdict| {
        let all = findings.iter().filter(|(v, _)| *v == wanted).map(|(_, why)| why.as_str());
        all.collect::<Vec<_>>().join("; ")
    };
    let has = |wanted: ClaimVerdict| findings.iter().any(|(v, _)| *v == wanted);
    if has(ClaimVerdict::Contradicted) {
        (ClaimVerdict::Contradicted, said(ClaimVerdict::Contradicted))
    } else if findings.is_empty() || findings.iter().any(|(v, _)| *v != ClaimVerdict::Supported) {
        (ClaimVerdict::Inconclusive, said(ClaimVerdict::Inconclusive))
    } else {
        (ClaimVerdict::Supported, said(ClaimVerdict::Supported))
    }
}

/// What several tables that speak of the same test say together. Only support and contradiction disagree: a table that
/// shows nothing takes nothing from one that does.
pub(super) fn of_tables(all: &[(ClaimVerdict, String)]) -> Option<(ClaimVerdict, String)> {
    let (first, why) = all.first()?;
    let count = |v: ClaimVerdict| all.iter().filter(|(other, _)| *other == v).count();
    let (supporting, against) = (count(ClaimVerdict::Supported), count(ClaimVerdict::Contradicted));
    let open = all.len() - supporting - against;
    let shown = match (supporting, against) {
        (0, 0) => return Some((*first, why.clone())),
        (_, 0) => ClaimVerdict::Supported,
        (0, _) => ClaimVerdict::Contradicted,
        _ => {
            let text = format!(
                "the runs do not agree: {supporting} support it, {against} contradict it, {open} are inconclusive"
            );
            return Some((ClaimVerdict::Inconclusive, text));
        }
    };
    let why = all.iter().find(|(v, _)| *v == shown).map(|(_, why)| why.clone()).unwrap_or_default();
    let besides = match open {
        0 => String::new(),
        1 => "; 1 other table is inconclusive".to_owned(),
        n => format!("; {n} other tables are inconclusive"),
    };
    Some((shown, format!("{why}{besides}")))
}

/// What one configuration says to a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Configured {
    pub(super) verdict: ClaimVerdict,
    pub(super) because: String,
    /// Whether one of its tables lacks nothing.
    pub(super) is_whole: bool,
}

/// What the products as they come and as they are tuned say together: where both were measured, they have to agree.
pub(super) fn of_configurations(
    default: Option<Configured>,
    tuned: Option<Configured>,
) -> Option<(ClaimVerdict, String)> {
    let (default, tuned) = match (default, tuned) {
        (Some(default), Some(tuned)) => (default, tuned),
        (Some(only), None) => return Some((only.verdict, only.because)),
        (None, only) => return only.map(|tuned| (tuned.verdict, format!("tuned: {}", tuned.because))),
    };
    let text = || format!("as they come: {}; tuned: {}", default.because, tuned.because);
    Some(match (default.verdict.is_shown(), tuned.verdict.is_shown()) {
        (true, true) if default.verdict == tuned.verdict => (default.verdict, text()),
        (true, true) => {
            let text = format!(
                "the configurations do not agree: {} as they come ({}), {} tuned ({})",
                default.verdict, default.because, tuned.verdict, tuned.because
            );
            (ClaimVerdict::Inconclusive, text)
        }
        (true, false) if !tuned.is_whole => (default.verdict, text()),
        (false, true) if !default.is_whole => (tuned.verdict, text()),
        (false, false) if default.because == tuned.because => (default.verdict, default.because),
        _ => (ClaimVerdict::Inconclusive, format!("shown in one configuration only; {}", text())),
    })
}

/// What all tests of a claim say together. One that fails contradicts the claim; all are needed to support it.
pub(super) fn of_tests(all: &[(ClaimVerdict, String)]) -> Option<(ClaimVerdict, String)> {
    let order =
        [ClaimVerdict::Contradicted, ClaimVerdict::Inconclusive, ClaimVerdict::NotTested, ClaimVerdict::Supported];
    let verdict = order.into_iter().find(|v| all.iter().any(|(other, _)| other == v))?;
    let mut reasons: Vec<&str> = all.iter().filter(|(v, _)| *v == verdict).map(|(_, why)| why.as_str()).collect();
    reasons.dedup();
    let reasons = reasons.join("; ");
    let (of, done) = (all.len(), all.iter().filter(|(v, _)| *v != ClaimVerdict::NotTested).count());
    let text = if verdict == ClaimVerdict::NotTested && done > 0 {
        format!("{done} of its {of} tests were run, none against it; {reasons}")
    } else {
        reasons
    };
    Some((verdict, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdicts() -> impl Strategy<Value = Vec<(ClaimVerdict, String)>> {
        let one = prop::sample::select(vec![
            ClaimVerdict::Supported,
            ClaimVerdict::Contradicted,
            ClaimVerdict::Inconclusive,
            ClaimVerdict::NotTested,
        ]);
        prop::collection::vec(one.prop_map(|v| (v, "why".to_owned())), 0..6)
    }

    #[test]
    fn only_support_against_contradiction_is_a_disagreement() {
        let said = |verdicts: &[ClaimVerdict]| {
            let all: Vec<_> = verdicts.iter().map(|v| (*v, format!("why {v}"))).collect();
            of_tables(&all).unwrap()
        };
        let (yes, no, open) = (ClaimVerdict::Supported, ClaimVerdict::Contradicted, ClaimVerdict::Inconclusive);
        assert_eq!(said(&[open, yes]), (yes, "why supported; 1 other table is inconclusive".to_owned()));
        assert_eq!(said(&[no, open, open]), (no, "why contradicted; 2 other tables are inconclusive".to_owned()));
        let (verdict, why) = said(&[no, open, yes]);
        assert_eq!(
            (verdict, why.contains("do not agree: 1 support it, 1 contradict it, 1 are")),
            (open, true),
            "{why}"
        );
    }

    #[test]
    fn configurations_that_were_both_measured_have_to_agree() {
        let one = |verdict, is_whole| Some(Configured { verdict, because: format!("why {verdict}"), is_whole });
        let said = |a, b| of_configurations(a, b).map(|v| v.0);
        let (yes, no, open) = (ClaimVerdict::Supported, ClaimVerdict::Contradicted, ClaimVerdict::Inconclusive);
        assert_eq!(said(one(yes, true), None), Some(yes));
        assert_eq!(said(None, one(no, true)), Some(no));
        assert_eq!(said(one(yes, true), one(yes, true)), Some(yes));
        assert_eq!(said(one(yes, true), one(no, true)), Some(open));
        assert_eq!(said(one(yes, true), one(open, true)), Some(open), "measured, and not shown");
        assert_eq!(said(one(open, true), one(no, true)), Some(open));
        assert_eq!(said(one(yes, true), one(open, false)), Some(yes), "not measured as a whole");
        assert_eq!(said(one(open, false), one(no, true)), Some(no));
        assert_eq!(said(None, None), None);
    }

    proptest! {
        #[test]
        fn what_is_open_or_left_to_chance_decides_nothing(p in 0.0f64..=1.0, of in 1usize..99) {
            prop_assert_eq!(finding(&Lean::Open("x".into()), p, of).verdict, ClaimVerdict::Inconclusive);
            prop_assert_eq!(finding(&Lean::Alike("x".into()), p, of).verdict, ClaimVerdict::Inconclusive);
            let agrees = finding(&Lean::Agrees, p, of).verdict;
            prop_assert_eq!(agrees == ClaimVerdict::Supported, p <= P_MAX);
            prop_assert_eq!(finding(&Lean::Agrees, f64::NAN, of).verdict, ClaimVerdict::Inconclusive);
            prop_assert_eq!(finding(&Lean::Disagrees, p, of).verdict == ClaimVerdict::Contradicted, p <= P_MAX);
        }

        #[test]
        fn a_table_supports_a_claim_only_if_nothing_is_missing_and_everything_agrees(
            findings in verdicts(), gaps in prop::collection::vec("[a-z]{1,4}", 0..2),
        ) {
            let verdict = of_table(&gaps, &findings).0;
            let all = !findings.is_empty() && findings.iter().all(|(v, _)| *v == ClaimVerdict::Supported);
            prop_assert_eq!(verdict == ClaimVerdict::Supported, gaps.is_empty() && all);
            prop_assert!(gaps.is_empty() || verdict == ClaimVerdict::Inconclusive);
        }

        #[test]
        fn tables_and_tests_support_a_claim_only_together(all in verdicts()) {
            let has = |wanted| all.iter().any(|(v, _)| *v == wanted);
            let (s, c) = (has(ClaimVerdict::Supported), has(ClaimVerdict::Contradicted));
            prop_assert_eq!(of_tables(&all).is_some_and(|v| v.0 == ClaimVerdict::Supported), s && !c);
            prop_assert_eq!(of_tables(&all).is_some_and(|v| v.0 == ClaimVerdict::Contradicted), c && !s);
            let supported = !all.is_empty() && all.iter().all(|(v, _)| *v == ClaimVerdict::Supported);
            prop_assert_eq!(of_tests(&all).is_some_and(|v| v.0 == ClaimVerdict::Supported), supported);
            let contradicted = all.iter().any(|(v, _)| *v == ClaimVerdict::Contradicted);
            prop_assert_eq!(of_tests(&all).is_some_and(|v| v.0 == ClaimVerdict::Contradicted), contradicted);
        }
    }
}
