//! Folders that mean harm: markup, formulas and numbers from the edge in every place that a results folder has for them.

use crate::samples::{hostile, page_of, spoilt};
use crate::{every_format, fixture};
use bench_record::{Arm, Case, Family, Observation, Outcome, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeSet;

const FORMULA: &str = "=HYPERLINK(\"http://example.invalid\",\"x\")";

/// The tags of a page, each with the names of its attributes: what a browser would act on. Values are left out, and only those in
/// double quotes are known: whatever leaves its quotes shows as a name.
fn skeleton(page: &str) -> BTreeSet<(String, BTreeSet<String>)> {
    let body = &page[page.find("<body>").unwrap()..page.find("<script>").unwrap()];
    let mut found = BTreeSet::new();
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let name = rest.find(|c: char| c.is_whitespace() || c == '>').unwrap();
        let tag = rest[..name].to_owned();
        rest = &rest[name..];
        let mut attributes = BTreeSet::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix("/>").or_else(|| rest.strip_prefix('>')) {
                rest = after;
                break;
            }
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>')).unwrap();
            attributes.insert(rest[..end].to_owned());
            rest = &rest[end..];
            if let Some(value) = rest.strip_prefix("=\"") {
                rest = &value[value.find('"').unwrap() + 1..];
            } else if let Some(value) = rest.strip_prefix('=') {
                rest = value;
            }
        }
        found.insert((tag, attributes));
    }
    found
}

#[test]
fn a_skeleton_has_every_attribute_that_text_could_add() {
    let page = |inner: &str| format!("<body>{inner}<script></script>");
    let plain = skeleton(&page("<p class=\"a\">x</p>"));
    assert_eq!(plain, skeleton(&page("<p class=\"b\">y &lt;i&gt;</p>")));
    for broken in ["<p class=\"a\" onclick=\"x\">x</p>", "<p class=\"a\"onload=x>x</p>", "<p class=\"a\"><b>x</b></p>"]
    {
        assert_ne!(plain, skeleton(&page(broken)), "{broken}");
    }
}

#[test]
fn markup_in_a_folder_adds_no_element_to_the_page() {
    assert_eq!(skeleton(&page_of(&[hostile()])), skeleton(&page_of(&[spoilt("plain")])));
}

#[test]
fn formulas_in_a_folder_are_text_in_csv() {
    for format in every_format(&[spoilt(FORMULA)]).into_iter().filter(|(name, _)| name.starts_with("csv")) {
        let text = String::from_utf8(format.1).unwrap();
        let mut cells = 0;
        for (at, _) in text.match_indices("=HYPERLINK") {
            let before = &text[..at];
            let starts = ["\n", ",", "\""].iter().any(|end| before.ends_with(end));
            assert!(!starts, "{}", &text[at.saturating_sub(20)..at + 10]);
            cells += usize::from(before.ends_with('\''));
        }
        assert!(cells > 20, "{cells}");
    }
}

fn trial(engine: &str, trial: u32, wall_ns: u64, slots: u32) -> Observation {
    let case = Case { slots: slots.max(1), ..fixture::case(Family::Sql, "q", engine) };
    let mut o = Observation::new(case, Arm::Main, trial, Outcome::Completed, Timestamp::from_unix_ms(u64::MAX));
    (o.wall_ns, o.cpu_ns, o.rss_bytes_peak) = (Some(wall_ns), Some(wall_ns), Some(wall_ns));
    o
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_breaks_any_format(text in "\\PC{0,40}") {
        let page = page_of(&[spoilt(&text)]);
        prop_assert_eq!(skeleton(&page), skeleton(&page_of(&[spoilt("plain")])));
        every_format(&[spoilt(&text)]);
    }

    #[test]
    fn no_control_character_breaks_any_format(text in prop::collection::vec(any::<char>(), 0..20)) {
        every_format(&[spoilt(&text.into_iter().collect::<String>())]);
    }

    #[test]
    fn no_times_break_any_format(
        times in prop::collection::vec(prop_oneof![Just(1), Just(u64::MAX), any::<u64>(), 1u64..1_000_000_000], 1..14),
        slots in prop_oneof![Just(1), Just(u32::MAX), any::<u32>()],
    ) {
        let mut run = fixture::run();
        run.observations = times.iter().enumerate().map(|(i, ns)| {
            trial(["a", "b", "c"][i % 3], i as u32 / 3, *ns, slots)
        }).collect();
        for (name, bytes) in every_format(&[run]) {
            let text = String::from_utf8_lossy(&bytes);
            // The reader refuses a time of zero.
            prop_assert!(name == "json" || name.starts_with("arrow") || !text.contains("NaN"), "{}", name);
        }
    }
}
