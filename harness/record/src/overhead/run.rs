//! The only reader. Takes any bytes: what is no measurement is a typed error with a line number, never a panic.

use super::{OVERHEAD_FILE, OVERHEAD_SCHEMA, OverheadContext, OverheadSample, SAMPLES_FILE};
use crate::error::RecordError;
use crate::reader::{MAX_CONTEXT_BYTES, MAX_LINE_BYTES, open};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// What `bench overhead` left, finished or interrupted.
#[derive(Clone, Debug, PartialEq)]
pub struct OverheadRun {
    /// Its folder.
    pub path: PathBuf,
    /// What was asked for.
    pub context: OverheadContext,
    /// The measurements, in the order they ended.
    pub samples: Vec<OverheadSample>,
    /// Bytes of an unfinished last line, which does not count.
    pub torn_bytes: u64,
}

impl OverheadRun {
    /// Reads one from its folder.
    ///
    /// # Errors
    /// A folder that holds none, a newer schema, or a line that is no measurement.
    pub fn load(folder: &Path) -> Result<Self, RecordError> {
        let path = folder.join(OVERHEAD_FILE);
        if !path.exists() {
            return Err(RecordError::NotOverhead { path: folder.to_owned() });
        }
        let mut bytes = Vec::new();
        let file = open(&path)?;
        file.take(MAX_CONTEXT_BYTES).read_to_end(&mut bytes).map_err(RecordError::io("read", &path))?;
        let context: OverheadContext = parse(&bytes, &path, None)?;
        let path = folder.join(SAMPLES_FILE);
        let (samples, torn_bytes) = read_lines(BufReader::new(open(&path)?), &path)?;
        Ok(Self { path: folder.to_owned(), context, samples, torn_bytes })
    }
}

fn read_lines(mut input: impl BufRead, path: &Path) -> Result<(Vec<OverheadSample>, u64), RecordError> {
    let mut samples = Vec::new();
    let mut buffer = Vec::new();
    for line in 1u64.. {
        buffer.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        input.by_ref().take(limit).read_until(b'\n', &mut buffer).map_err(RecordError::io("read", path))?;
        let bad = |message: String| RecordError::Overhead {
            path: path.to_owned(),
            message: format!("line {line}: {message}"),
        };
        if buffer.len() > MAX_LINE_BYTES {
            return Err(bad(format!("longer than {MAX_LINE_BYTES} bytes")));
        }
        if buffer.last() != Some(&b'\n') {
            // A crash cut it short, or nothing is left.
            return Ok((samples, buffer.len() as u64));
        }
        let sample: OverheadSample = parse(&buffer, path, Some(line))?;
        sample.validate().map_err(bad)?;
        samples.push(sample);
    }
    Ok((samples, 0))
}

/// What bytes say of a version that this build knows.
fn parse<T: DeserializeOwned>(bytes: &[u8], path: &Path, line: Option<u64>) -> Result<T, RecordError> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: u64,
    }
    let at = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let bad = |e: serde_json::Error| RecordError::Overhead { path: path.to_owned(), message: format!("{at}{e}") };
    let version: Versioned = serde_json::from_slice(bytes).map_err(bad)?;
    if version.schema > u64::from(OVERHEAD_SCHEMA) {
        return Err(RecordError::NewerOverhead { path: path.to_owned(), found: version.schema });
    }
    serde_json::from_slice(bytes).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::super::{Measure, OverheadJournal};
    use super::*;
    use crate::{Build, Machine, Nanos, Outcome, Timestamp};
    use std::fs;

    fn context() -> OverheadContext {
        OverheadContext {
            schema: OVERHEAD_SCHEMA,
            bench: Build { version: "0.1.0".into(), build_id: "a".into() },
            command_line: vec!["bench".into(), "overhead".into()],
            trials: 2,
            settle_ns: Nanos::new(1),
            machine: Machine::default(),
            started_at: Timestamp::from_unix_ms(1),
            finished_at: None,
            warnings: vec![],
        }
    }

    #[test]
    fn what_was_written_is_read_and_a_line_cut_short_does_not_count() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new/overhead");
        let mut journal = OverheadJournal::create(&folder, &context()).unwrap();
        let all = [sample(Measure::Startup, Outcome::Completed), sample(Measure::IdleMemory, Outcome::Failed)];
        all.iter().for_each(|s| journal.append(s).unwrap());
        let run = OverheadRun::load(&folder).unwrap();
        assert_eq!((run.context.clone(), run.samples.as_slice(), run.torn_bytes), (context(), &all[..], 0));
        let path = folder.join(SAMPLES_FILE);
        let mut text = fs::read(&path).unwrap();
        text.truncate(text.len() - 1);
        fs::write(&path, text).unwrap();
        let run = OverheadRun::load(&folder).unwrap();
        assert!(run.samples.len() == 1 && run.torn_bytes > 0, "{run:?}");
    }

    #[test]
    fn a_folder_with_anything_in_it_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes"), "mine").unwrap();
        let refused = OverheadJournal::create(folder.path(), &context()).unwrap_err().to_string();
        assert!(refused.contains("it holds `notes`"), "{refused}");
    }

    #[test]
    fn what_is_no_measurement_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let refused = || OverheadRun::load(folder.path()).unwrap_err().to_string();
        assert!(refused().contains("no overhead.json"), "{}", refused());
        OverheadJournal::create(folder.path(), &context()).unwrap();
        let (path, good) = (folder.path().join(SAMPLES_FILE), sample(Measure::Startup, Outcome::Completed));
        let line = serde_json::to_string(&good).unwrap();
        for (bad, words) in [
            ("{}", "line 2: missing field `schema`"),
            (r#"{"schema":99}"#, "schema 99 is newer"),
            (&line.replace("[5]", "[]"), "line 2: a completed measurement has"),
        ] {
            fs::write(&path, format!("{line}\n{bad}\n")).unwrap();
            assert!(refused().contains(words), "{}", refused());
        }
    }
}
