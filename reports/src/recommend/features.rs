//! Features, and who is said to have them: those that somebody cannot do without, and those of work that nobody measured.

use super::rank::engine_of;
use super::report::CitedFeature;
use crate::claims::{Claim, ClaimsFile};
use std::collections::BTreeSet;

/// A feature that is required: a claim that says who has it and who lacks it. It is cited, and no run decides it.
#[derive(Clone, Copy, Debug)]
pub struct Feature<'a> {
    file: &'a ClaimsFile,
    claim: &'a Claim,
}

/// An id that names no such claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{id}` is no feature that a claim says anybody has or lacks; these are: {known}",
    id = id.escape_debug(),
    known = if known.is_empty() { "none; give claims with `--file`".to_owned() } else { known.join(", ") }
)]
pub struct UnknownFeature {
    /// The id.
    pub id: String,
    /// Ids that do.
    pub known: Vec<String>,
}

/// Everything that a claim says somebody has or lacks.
fn known(claims: &[ClaimsFile]) -> impl Iterator<Item = Feature<'_>> {
    let all = claims.iter().flat_map(|file| file.claim.iter().map(move |claim| Feature { file, claim }));
    // Files are refused that say it of a claim of another kind.
    all.filter(|f| !(f.claim.has.is_empty() && f.claim.lacks.is_empty()))
}

/// What claims say of families of work, of engines that took part and of whom the claims are about.
pub(super) fn of_families(claims: &[ClaimsFile], families: &[&str], engines: &BTreeSet<String>) -> Vec<CitedFeature> {
    let is_asked = |f: &Feature<'_>| f.claim.families.iter().any(|family| families.contains(&family.as_str()));
    let one = |f: Feature<'_>| {
        let subjects = f.file.subject.values().map(|s| s.engine.clone());
        let all: BTreeSet<String> = engines.iter().cloned().chain(subjects).collect();
        f.cited(&all)
    };
    known(claims).filter(is_asked).map(one).collect()
}

/// The features of these ids, in the order given and each once.
///
/// # Errors
/// An id that names no claim with `has` or `lacks`.
pub fn features<'a>(claims: &'a [ClaimsFile], ids: &[String]) -> Result<Vec<Feature<'a>>, UnknownFeature> {
    let known: Vec<Feature<'a>> = known(claims).collect();
    let mut found: Vec<Feature<'a>> = Vec::new();
    for id in ids {
        let feature = known.iter().find(|f| f.id() == id).ok_or_else(|| UnknownFeature {
            id: id.clone(),
            known: known.iter().map(|f| f.id().to_owned()).collect(),
        })?;
        if found.iter().all(|f| f.id() != id) {
            found.push(*feature);
        }
    }
    Ok(found)
}

impl<'a> Feature<'a> {
    fn id(&self) -> &'a str {
        self.claim.id.get_ref()
    }

    /// What a report calls it.
    fn title(&self) -> String {
        format!("{} ({})", self.claim.text, self.id())
    }

    fn names(&self, subjects: &[String], engine: &str) -> bool {
        subjects.iter().any(|s| self.file.subject.get(s).is_some_and(|s| s.engine == engine))
    }

    fn has(&self, name: &str) -> bool {
        self.names(&self.claim.has, engine_of(name))
    }

    fn lacks(&self, name: &str) -> bool {
        self.names(&self.claim.lacks, engine_of(name))
    }

    /// Of these engines: who is said to have it, who to lack it, and of whom nothing is said.
    pub(super) fn cited(&self, engines: &BTreeSet<String>) -> CitedFeature {
        let of = |wanted: &dyn Fn(&str) -> bool| engines.iter().filter(|e| wanted(e)).cloned().collect();
        CitedFeature {
            id: self.id().to_owned(),
            text: self.claim.text.clone(),
            source: self.file.source.cited(),
            has: of(&|e| self.has(e)),
            lacks: of(&|e| self.lacks(e)),
            unsaid: of(&|e| !self.has(e) && !self.lacks(e)),
        }
    }
}

/// Why somebody has no place, if they are said to lack something that is required.
pub(super) fn excluded(required: &[Feature<'_>], name: &str) -> Option<String> {
    let lacked = required.iter().find(|f| f.lacks(name))?;
    Some(format!("said to lack {}: {}; cited, not tested here", lacked.title(), lacked.file.source.cited()))
}

/// What keeps a leader from being the answer: that nobody says it has what is required.
pub(super) fn unsaid(required: &[Feature<'_>], leader: &str) -> Vec<String> {
    let open = required.iter().filter(|f| !f.has(leader) && !f.lacks(leader));
    open.map(|f| format!("nothing is said of whether {leader} has {}", f.title())).collect()
}
