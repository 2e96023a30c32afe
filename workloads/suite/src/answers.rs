//! Stored digests of known answers: made once by independent code from the same bytes, compared with ever after.

use crate::family::Definition;
use bench_model::Digest;
use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

static ANSWERS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/answers");

/// The newest schema of answer files that this program reads and writes.
const SCHEMA: u32 = 1;

/// Known answers to questions about one dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// The version of this format.
    pub schema: u32,
    /// The dataset, such as `tpch-sf1`.
    pub dataset: String,
    /// The [`crate::Manifest::fingerprint`] of the bytes that the answers were made from. They hold for no other bytes.
    pub fingerprint: String,
    /// By whom and how they were made, such as `duckdb 2.0.0, scripts/answers.py`.
    pub origin: String,
    /// The answers, by workload.
    pub workloads: BTreeMap<String, Stored>,
}

/// One known answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// XXH3-64 of the question's text: an answer to another question is no answer.
    pub question: String,
    /// The answer.
    pub digest: Digest,
}

/// Why stored answers cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum AnswersError {
    /// The file is not one of stored answers.
    #[error("{file}: {message}; make it again with scripts/answers.py and `bench answers`")]
    Malformed {
        /// Which file.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// The file was written by a newer program.
    #[error("{file} has schema {found} and this program reads up to {SCHEMA}; use a newer `bench`")]
    Newer {
        /// Which file.
        file: String,
        /// Its schema.
        found: u32,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {source}")]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Answers {
    /// No answers yet, for the dataset with this fingerprint.
    #[must_use]
    pub fn new(dataset: &str, fingerprint: &str, origin: &str) -> Self {
        Self {
            schema: SCHEMA,
            dataset: dataset.to_owned(),
            fingerprint: fingerprint.to_owned(),
            origin: origin.to_owned(),
            workloads: BTreeMap::new(),
        }
    }

    /// Adds the answer to a question, which is given as the text that was answered.
    pub fn add(&mut self, workload: &str, question: &str, digest: Digest) {
        self.workloads.insert(workload.to_owned(), Stored { question: fingerprint_of(question), digest });
    }

    /// The answer to this question about these bytes, and its origin; none if it was made from other bytes or for
    /// another text.
    #[must_use]
    pub fn expected(&self, fingerprint: &str, workload: &str, question: &str) -> Option<(Digest, String)> {
        let stored = self.workloads.get(workload)?;
        let holds = self.fingerprint == fingerprint && stored.question == fingerprint_of(question);
        holds.then(|| (stored.digest.clone(), self.origin.clone()))
    }

    /// Gives every definition that asks this dataset the answer that is stored for it. Returns how many there were.
    pub fn apply(&self, fingerprint: &str, definitions: &mut [Definition]) -> usize {
        let mut applied = 0;
        for d in definitions.iter_mut().filter(|d| d.workload.dataset.as_ref() == Some(&self.dataset)) {
            let Some(question) = &d.oracle_sql else { continue };
            if let Some(known) = self.expected(fingerprint, &d.workload.name, question) {
                d.workload.check.expected = Some(known);
                applied += 1;
            }
        }
        applied
    }

    /// Why none of these answers can be used for bytes of this fingerprint, if so: worth a warning, because answers are
    /// then computed by an engine of this build instead of coming from independent code.
    #[must_use]
    pub fn mismatch(&self, fingerprint: &str) -> Option<String> {
        (self.fingerprint != fingerprint).then(|| {
            format!(
                "the {} known answers about {} are for other bytes (checksum {:.8}, not {:.8}) and are not used; make the \
                 set again with this build, or make the answers again with scripts/answers.py",
                self.workloads.len(),
                self.dataset,
                self.fingerprint,
                fingerprint
            )
        })
    }

    /// The built-in answers about a dataset; none if there are no such answers.
    ///
    /// # Errors
    /// Never in a released build: a test reads them all.
    pub fn built_in(dataset: &str) -> Result<Option<Self>, AnswersError> {
        let file = file_name(dataset);
        ANSWERS.get_file(&file).map(|f| Self::parse(&file, f.contents())).transpose()
    }

    /// Reads an answer file's bytes.
    ///
    /// # Errors
    /// It is malformed, has unknown fields, or a newer schema.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, AnswersError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let malformed =
            |e: serde_json::Error| AnswersError::Malformed { file: file.to_owned(), message: e.to_string() };
        let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
        if version.schema > SCHEMA {
            return Err(AnswersError::Newer { file: file.to_owned(), found: version.schema });
        }
        serde_json::from_slice(bytes).map_err(malformed)
    }

    /// Writes the answers to `folder/DATASET.json` and returns the path. The next build has them built in if the folder
    /// is `workloads/suite/answers`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<PathBuf, AnswersError> {
        let path = folder.join(file_name(&self.dataset));
        let failed = |source| AnswersError::Unwritable { path: path.clone(), source };
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| failed(e.into()))?;
        text.push(b'\n');
        let temporary = path.with_extension("tmp");
        std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, &path)).map_err(failed)?;
        Ok(path)
    }
}

fn file_name(dataset: &str) -> String {
    format!("{dataset}.json")
}

fn fingerprint_of(question: &str) -> String {
    format!("{:016x}", twox_hash::XxHash3_64::oneshot(question.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answers() -> Answers {
        let mut answers = Answers::new("tpch-sf1", "f00", "duckdb 2.0.0, scripts/answers.py");
        answers.add("tpch-q01", "SELECT 1", Digest { rows: 1, ..Digest::default() });
        answers
    }

    #[test]
    fn answers_survive_their_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = answers().save(folder.path()).unwrap();
        assert_eq!(path.file_name().unwrap(), "tpch-sf1.json");
        assert_eq!(Answers::parse("f", &std::fs::read(path).unwrap()).unwrap(), answers());
    }

    #[test]
    fn an_answer_to_another_question_or_about_other_bytes_is_never_used() {
        let answers = answers();
        assert!(answers.expected("f00", "tpch-q01", "SELECT 1").is_some());
        assert_eq!(answers.expected("f01", "tpch-q01", "SELECT 1"), None);
        assert_eq!(answers.expected("f00", "tpch-q01", "SELECT 2"), None);
        assert_eq!(answers.expected("f00", "tpch-q02", "SELECT 1"), None);
        assert_eq!(answers.mismatch("f00"), None);
        insta::assert_snapshot!(answers.mismatch("f01").unwrap(), @"the 1 known answers about tpch-sf1 are for other bytes (checksum f00, not f01) and are not used; make the set again with this build, or make the answers again with scripts/answers.py");
    }

    #[test]
    fn answers_reach_the_workloads_they_answer() {
        let mut all = crate::workloads(&crate::suite("1gb").unwrap()).unwrap();
        let mut answers = Answers::new("tpch-sf1", "f00", "duckdb");
        let question = all[0].oracle_sql.clone().unwrap();
        answers.add("tpch-q01", &question, Digest { rows: 4, ..Digest::default() });
        answers.add("groupby-q01", &question, Digest::default());
        assert_eq!(answers.apply("f00", &mut all), 1);
        assert_eq!(all[0].workload.check.expected.as_ref().map(|(d, _)| d.rows), Some(4));
    }

    #[test]
    fn every_built_in_file_can_be_read_and_is_named_after_its_dataset() {
        for file in ANSWERS.files().filter(|f| f.path().extension().is_some_and(|e| e == "json")) {
            let name = file.path().file_stem().and_then(|s| s.to_str()).unwrap();
            assert_eq!(Answers::built_in(name).unwrap().unwrap().dataset, name);
        }
        assert!(Answers::built_in("tpch-sf77").unwrap().is_none());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..120), at in 0usize..400, byte: u8) {
            let _ = Answers::parse("garbage", &bytes);
            let mut text = serde_json::to_vec(&answers()).unwrap();
            let at = at % text.len();
            text[at] = byte;
            let _ = Answers::parse("garbage", &text);
        }
    }
}
