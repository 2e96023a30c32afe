//! Where evidence on claims is from: each place is told once, under a letter that stands for it everywhere else.

use super::layout::Block;
use crate::claims::{ClaimsReport, Evidence, Remove};
use std::collections::{BTreeMap, BTreeSet};

/// All places of a report, in the order in which its evidence speaks of them.
pub(super) struct Places<'r> {
    all: Vec<Place<'r>>,
    /// The styles that stand for somebody, by whom they stand for.
    styles: BTreeMap<&'r str, BTreeSet<&'r str>>,
}

struct Place<'r> {
    text: &'r str,
    machine: &'r str,
    files: BTreeSet<&'r str>,
}

impl Place<'_> {
    fn is_of(&self, e: &Evidence) -> bool {
        (self.text, self.machine) == (e.place.as_str(), e.machine.as_str())
    }
}

impl<'r> Places<'r> {
    pub(super) fn of(report: &'r ClaimsReport) -> Self {
        let mut all: Vec<Place<'r>> = Vec::new();
        let mut styles: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let tests = report.groups.iter().flat_map(|g| &g.claims).flat_map(|c| &c.tests);
        for e in tests.flat_map(|t| &t.evidence) {
            let files = e.links.iter().map(|l| l.file.as_str());
            match all.iter_mut().find(|p| p.is_of(e)) {
                Some(known) => known.files.extend(files),
                None => all.push(Place { text: &e.place, machine: &e.machine, files: files.collect() }),
            }
            for who in e.who.iter().filter(|_| e.remove == Remove::Architecture) {
                let (style, whom) = who.split_once(" for ").unwrap_or((who, who));
                styles.entry(whom).or_default().insert(style);
            }
        }
        Self { all, styles }
    }

    /// What stands for the place of evidence of this report.
    pub(super) fn letter(&self, e: &Evidence) -> String {
        let at = self.all.iter().position(|p| p.is_of(e));
        at.map_or_else(|| "-".to_owned(), letter)
    }

    /// The section that tells them.
    pub(super) fn blocks(&self) -> Vec<Block> {
        if self.all.is_empty() {
            return Vec::new();
        }
        let machines: BTreeSet<&str> = self.all.iter().map(|p| p.machine).collect();
        let mut blocks = vec![Block::Heading(2, "Where the evidence is from".to_owned())];
        let one = machines.first().filter(|_| machines.len() == 1);
        blocks.extend(one.map(|machine| Block::Text(format!("All of it is from one machine: {machine}."))));
        for (at, place) in self.all.iter().enumerate() {
            let machine = format!("; {}", place.machine);
            let text = place.text.strip_suffix(&machine).unwrap_or(place.text);
            let machine = if one.is_some() { "" } else { &machine };
            let files: Vec<&str> = place.files.iter().copied().collect();
            let files = if files.is_empty() { String::new() } else { format!("; in {}", files.join(", ")) };
            blocks.push(Block::Item(format!("{}: {text}{machine}{files}", letter(at))));
        }
        if !self.styles.is_empty() {
            let of = |(whom, styles): (&&str, &BTreeSet<&str>)| {
                format!("{} for {whom}", styles.iter().copied().collect::<Vec<_>>().join(", "))
            };
            let styles: Vec<String> = self.styles.iter().map(of).collect();
            blocks.push(Block::Item(format!(
                "style: engine styles that have a product's architecture and not its code: {}",
                styles.join("; ")
            )));
        }
        blocks.push(Block::Text(
            "The key of every observation is in --format json, and in --format html beside the evidence it belongs to."
                .to_owned(),
        ));
        blocks
    }
}

/// a, b, .., z, aa, ab, ..
fn letter(at: usize) -> String {
    let last = char::from(b'a' + u8::try_from(at % 26).unwrap_or_default());
    match at / 26 {
        0 => last.to_string(),
        more => format!("{}{last}", letter(more - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::letter;
    use std::collections::BTreeSet;

    #[test]
    fn every_place_has_letters_of_its_own() {
        assert_eq!([0, 1, 25, 26, 27, 701, 702].map(letter), ["a", "b", "z", "aa", "ab", "zz", "aaa"]);
        assert_eq!((0..5000).map(letter).collect::<BTreeSet<_>>().len(), 5000);
    }
}
