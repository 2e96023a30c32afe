//! The only reader of runs. Takes any bytes: what is not a run is a typed error with a line number, never a panic.

use crate::blocking::{CaseBlocking, read_blocking};
use crate::context::RunContext;
use crate::error::RecordError;
use crate::observation::{Observation, TrialId};
use crate::{CONTEXT_FILE, OBSERVATIONS_FILE, SCHEMA};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The longest line read or written, its newline included.
pub const MAX_LINE_BYTES: usize = 1 << 20;
/// The largest `run.json` read.
pub const MAX_CONTEXT_BYTES: u64 = 16 << 20;

/// A run as found on disk: finished, interrupted, or still being written.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its folder.
    pub path: PathBuf,
    /// What was asked for.
    pub context: RunContext,
    /// Its trials in the order they ended.
    pub observations: Vec<Observation>,
    /// Bytes of an unfinished last line, which does not count as a trial.
    pub torn_bytes: u64,
    /// Its cases played again without one kind of blocking, where that was done.
    pub blocking: Vec<CaseBlocking>,
}

impl Run {
    /// Reads a run from its folder.
    ///
    /// # Errors
    /// A folder that holds no run, a newer schema, or a line that is no observation.
    pub fn load(folder: &Path) -> Result<Self, RecordError> {
        let context = read_context(folder)?;
        let path = folder.join(OBSERVATIONS_FILE);
        let lines = match open(&path) {
            Ok(file) => read_lines(BufReader::new(file), &path)?,
            // A run that was killed before its first trial.
            Err(RecordError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Lines::default(),
            Err(e) => return Err(e),
        };
        Ok(Self {
            path: folder.to_owned(),
            context,
            observations: lines.observations,
            torn_bytes: lines.torn_bytes,
            blocking: read_blocking(folder)?,
        })
    }
}

/// The part of every version's JSON that tells the versions apart.
#[derive(Deserialize)]
struct Version {
    schema: u64,
}

pub(crate) fn newer(bytes: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Version>(bytes).ok().map(|v| v.schema).filter(|found| *found > u64::from(SCHEMA))
}

pub(crate) fn read_context(folder: &Path) -> Result<RunContext, RecordError> {
    let path = folder.join(CONTEXT_FILE);
    let absent =
        |e: &std::io::Error| matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory);
    let file = match open(&path) {
        Err(RecordError::Io { source, .. }) if absent(&source) => {
            return Err(RecordError::NotARun { path: folder.to_owned() });
        }
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_CONTEXT_BYTES + 1).read_to_end(&mut bytes).map_err(RecordError::io("read", &path))?;
    if bytes.len() as u64 > MAX_CONTEXT_BYTES {
        let message = format!("larger than {MAX_CONTEXT_BYTES} bytes");
        return Err(RecordError::Context { path, message });
    }
    if let Some(found) = newer(&bytes) {
        return Err(RecordError::NewerSchema { path, line: None, found });
    }
    let context = serde_json::from_slice::<RunContext>(&bytes)
        .map_err(|e| RecordError::Context { path: path.clone(), message: e.to_string() })?;
    if context.schema == 0 {
        return Err(RecordError::Context { path, message: "schema 0 does not exist".to_owned() });
    }
    Ok(context)
}

/// Opens a file for reading, and nothing else: a named pipe would keep its reader waiting for ever.
pub(crate) fn open(path: &Path) -> Result<File, RecordError> {
    let kind = std::fs::metadata(path).map_err(RecordError::io("open", path))?;
    if !kind.is_file() {
        return Err(RecordError::NotAFile { path: path.to_owned() });
    }
    File::open(path).map_err(RecordError::io("open", path))
}

/// What a file of observations holds.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) observations: Vec<Observation>,
    /// Where the last whole line ends.
    pub(crate) whole_bytes: u64,
    /// What follows it: a line that a crash cut short, or that is being written right now.
    pub(crate) torn_bytes: u64,
}

pub(crate) fn read_lines(mut input: impl BufRead, path: &Path) -> Result<Lines, RecordError> {
    let mut lines = Lines::default();
    let mut seen: BTreeMap<TrialId, u64> = BTreeMap::new();
    let mut buffer = Vec::new();
    for number in 1u64.. {
        buffer.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        input.by_ref().take(limit).read_until(b'\n', &mut buffer).map_err(RecordError::io("read", path))?;
        if buffer.is_empty() {
            break;
        }
        if buffer.len() > MAX_LINE_BYTES {
            let message = format!("longer than {MAX_LINE_BYTES} bytes");
            return Err(RecordError::Line { path: path.to_owned(), line: number, message });
        }
        if buffer.last() != Some(&b'\n') {
            lines.torn_bytes = buffer.len() as u64;
            break;
        }
        let observation = parse_line(&buffer, path, number)?;
        if let Some(first) = seen.insert(observation.id(), number) {
            return Err(RecordError::Duplicate { path: path.to_owned(), line: number, first, id: observation.id() });
        }
        lines.whole_bytes += buffer.len() as u64;
        lines.observations.push(observation);
    }
    Ok(lines)
}

fn parse_line(bytes: &[u8], path: &Path, line: u64) -> Result<Observation, RecordError> {
    let bad = |message: String| RecordError::Line { path: path.to_owned(), line, message };
    let observation: Observation = match serde_json::from_slice(bytes) {
        Ok(observation) => observation,
        // Only a line that cannot be read is worth asking whether it is of a later version.
        Err(e) => {
            return Err(newer(bytes).map_or_else(
                || bad(e.to_string()),
                |found| RecordError::NewerSchema { path: path.to_owned(), line: Some(line), found },
            ));
        }
    };
    match observation.schema {
        0 => Err(bad("schema 0 does not exist".to_owned())),
        1..=SCHEMA => observation.validate().map(|()| observation).map_err(|e| bad(e.to_string())),
        found => Err(RecordError::NewerSchema { path: path.to_owned(), line: Some(line), found: found.into() }),
    }
}
