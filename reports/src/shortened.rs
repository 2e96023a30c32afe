//! Names that have to be short and still tell apart what they name.

use crate::plain::{cut, plain};
use std::collections::{BTreeMap, BTreeSet};

/// Texts that stand beside each other, each cut to so many characters: no two different ones look the same.
pub(crate) struct Shortened {
    by_text: BTreeMap<String, String>,
    to: usize,
}

impl Shortened {
    /// Every one of `texts` in at most `to` characters, which have to be enough to number them. Where the middle of texts is all that
    /// differs, the middle stays and their ends go; where nothing else helps they are numbered.
    pub(crate) fn of<'t>(texts: impl IntoIterator<Item = &'t str>, to: usize) -> Self {
        let all: BTreeSet<String> = texts.into_iter().map(plain).collect();
        let mut alike: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for text in &all {
            alike.entry(cut(text, to)).or_default().push(text);
        }
        let mut taken: BTreeSet<String> = alike.keys().cloned().collect();
        let mut by_text = BTreeMap::new();
        for (short, texts) in alike {
            let shorts = if texts.len() == 1 { vec![short] } else { apart(&texts, to, &taken) };
            taken.extend(shorts.iter().cloned());
            by_text.extend(texts.into_iter().cloned().zip(shorts));
        }
        Self { by_text, to }
    }

    /// What stands for a text.
    pub(crate) fn text(&self, text: &str) -> String {
        let text = plain(text);
        self.by_text.get(&text).cloned().unwrap_or_else(|| cut(&text, self.to))
    }
}

/// Texts that the usual cut makes the same, cut in another place, the same for all.
fn apart(texts: &[&String], to: usize, taken: &BTreeSet<String>) -> Vec<String> {
    let kept = to.saturating_sub(1);
    // More of the beginning, then all of the end, then the place where they begin to differ.
    let tails = [kept / 4, 0, kept].map(|tail| Cut::Ends((kept - tail, tail)));
    let differ = shared_beginning(texts);
    let middles = [3, 1, 0].map(|before| Cut::Middle(differ.saturating_sub(before)));
    let is_clear = |shorts: &Vec<String>| {
        let distinct: BTreeSet<&String> = shorts.iter().collect();
        distinct.len() == shorts.len() && shorts.iter().all(|s| !taken.contains(s))
    };
    let mut attempts =
        tails.into_iter().chain(middles).map(|how| texts.iter().map(|t| how.of(t, to)).collect::<Vec<_>>());
    attempts.find(is_clear).unwrap_or_else(|| numbered(texts, to, taken))
}

/// How many characters all of them begin with.
fn shared_beginning(texts: &[&String]) -> usize {
    let Some((first, others)) = texts.split_first() else { return 0 };
    let shared = |other: &&String| first.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    others.iter().map(shared).min().unwrap_or_default()
}

/// Which part of a text stays.
#[derive(Clone, Copy)]
enum Cut {
    /// So many characters of its beginning and of its end.
    Ends((usize, usize)),
    /// What follows so many characters.
    Middle(usize),
}

impl Cut {
    fn of(self, text: &str, to: usize) -> String {
        let all: Vec<char> = text.chars().collect();
        if all.len() <= to {
            return text.to_owned();
        }
        match self {
            Self::Ends((head, tail)) => {
                let tail = all.iter().skip(all.len() - tail);
                all.iter().take(head).chain(&['…']).chain(tail).collect()
            }
            Self::Middle(from) => {
                let room = to.saturating_sub(2);
                let from = from.min(all.len().saturating_sub(room));
                ['…'].iter().chain(all.iter().skip(from).take(room)).chain(&['…']).collect()
            }
        }
    }
}

/// The last resort: the beginning and a number.
fn numbered(texts: &[&String], to: usize, taken: &BTreeSet<String>) -> Vec<String> {
    let mut numbers = 1usize..;
    let one = |text: &&String| {
        let short = |n: usize| {
            let number = format!("…{n}");
            let head: String = text.chars().take(to.saturating_sub(number.chars().count())).collect();
            format!("{head}{number}")
        };
        // No number is given twice.
        numbers.by_ref().map(short).find(|s| !taken.contains(s)).unwrap_or_default()
    };
    texts.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(texts: &[&str], to: usize, wanted: &[&str]) {
        let short = Shortened::of(texts.iter().copied(), to);
        assert_eq!(texts.iter().map(|t| short.text(t)).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn what_fits_stays_and_what_does_not_loses_its_middle() {
        check(&["stagedag", "datafusion"], 8, &["stagedag", "data…ion"]);
    }

    #[test]
    fn different_names_never_look_the_same() {
        check(&["actor/2+spans=on", "actor/4+spans=on"], 10, &["actor/2…on", "actor/4…on"]);
        check(&["aaaaaaaaaXbbbbbbbbb", "aaaaaaaaaYbbbbbbbbb"], 8, &["…aaaXbb…", "…aaaYbb…"]);
    }

    proptest! {
        #[test]
        fn no_two_texts_are_cut_to_the_same(texts in proptest::collection::btree_set("[ab+]{0,14}", 0..40), to in 6usize..10) {
            let short = Shortened::of(texts.iter().map(String::as_str), to);
            let cut: BTreeSet<String> = texts.iter().map(|t| short.text(t)).collect();
            prop_assert_eq!(cut.len(), texts.len());
            prop_assert!(cut.iter().all(|t| t.chars().count() <= to));
        }
    }
}
