//! The only writer of runs. A trial is one line, written in one call and synced before the next trial starts, so that a
//! crash at any moment loses at most the trial in flight.

use crate::context::RunContext;
use crate::error::RecordError;
use crate::observation::{Observation, TrialId};
use crate::own_file::{create_draft, open_own, own_folder, sync_folder};
use crate::reader::{MAX_LINE_BYTES, read_context, read_lines};
use crate::{CONTEXT_FILE, OBSERVATIONS_FILE, RESULTS_FOLDER};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const CONTEXT_DRAFT: &str = ".run.json.draft";

/// An open run. While it lives, no other process can open the same folder for writing.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    path: PathBuf,
    /// Locked: the lock ends with the process, however it ends.
    file: File,
    /// Where the last whole line ends.
    length: u64,
    recorded: BTreeSet<TrialId>,
}

/// An unfinished last line that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// How many bytes it had.
    pub bytes: u64,
}

/// A run opened to be continued.
#[derive(Debug)]
pub struct Resumed {
    /// Appends to it.
    pub journal: Journal,
    /// What was asked for.
    pub context: RunContext,
    /// What is already there, in the order it ended.
    pub observations: Vec<Observation>,
    /// The line that a crash left unfinished, if any; its trial has to run again.
    pub torn: Option<Torn>,
}

impl Journal {
    /// Whether [`Self::create`] could start a run here, asked before any work is done for one. Leaves nothing behind.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn check(folder: &Path) -> Result<(), RecordError> {
        let absolute = std::path::absolute(folder).map_err(RecordError::io("resolve", folder))?;
        if absolute.is_dir() {
            refuse_contents(&absolute)?;
        }
        let existing = absolute.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
        if !existing.is_dir() {
            let refusal = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(RecordError::io("create the folder", folder)(refusal));
        }
        // Permission bits do not tell of read-only file systems or of who is asking: only writing does.
        let probe = existing.join(format!(".bench-probe-{}", std::process::id()));
        let probed = File::create(&probe).and_then(|_| fs::remove_file(&probe));
        probed.map_err(RecordError::io("write to the folder", existing))
    }

    /// Starts a run in a new or empty folder, and makes its parents. A folder left by a run that was killed before its
    /// first record counts as empty.
    ///
    /// # Errors
    /// A folder that holds anything else, that cannot be written, or that another process is writing.
    pub fn create(folder: &Path, context: &RunContext) -> Result<Self, RecordError> {
        fs::create_dir_all(folder).map_err(RecordError::io("create the folder", folder))?;
        refuse_contents(folder)?;
        let journal = Self::open(folder)?;
        // Somebody else may have started and even finished a run here since the first look.
        refuse_contents(folder)?;
        journal.write_context(context)?;
        Ok(journal)
    }

    /// Opens a run to continue it: cuts off an unfinished last line and lists what is there.
    ///
    /// # Errors
    /// A folder that holds no run, a newer schema, a broken line, or another process writing it.
    pub fn resume(folder: &Path) -> Result<Resumed, RecordError> {
        let context = read_context(folder)?;
        let mut journal = Self::open(folder)?;
        let lines = read_lines(BufReader::new(&journal.file), &journal.path)?;
        journal.length = lines.whole_bytes;
        let torn = (lines.torn_bytes > 0).then_some(Torn { bytes: lines.torn_bytes });
        if torn.is_some() {
            journal.file.set_len(journal.length).map_err(RecordError::io("truncate", &journal.path))?;
            journal.sync()?;
        }
        journal.recorded = lines.observations.iter().map(Observation::id).collect();
        Ok(Resumed { journal, context, observations: lines.observations, torn })
    }

    fn open(folder: &Path) -> Result<Self, RecordError> {
        let path = folder.join(OBSERVATIONS_FILE);
        let file = open_own(&path, OpenOptions::new().create(true).read(true).write(true).truncate(false))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RecordError::Locked { path: folder.to_owned() }),
            Err(TryLockError::Error(e)) => return Err(RecordError::io("lock", path)(e)),
        }
        Ok(Self { folder: folder.to_owned(), path, file, length: 0, recorded: BTreeSet::new() })
    }

    /// Records a trial: checked, written in one call, synced to disk.
    ///
    /// # Errors
    /// An observation that contradicts itself, is already there or is too long; or the disk. Whatever the error,
    /// nothing half-written stays behind: the file ends with the last whole line, or resuming will cut it there.
    pub fn append(&mut self, observation: &Observation) -> Result<(), RecordError> {
        let id = observation.id();
        if let Err(source) = observation.validate() {
            return Err(RecordError::Invalid { id, source });
        }
        if self.recorded.contains(&id) {
            return Err(RecordError::Repeated { path: self.path.clone(), id });
        }
        let mut line = serde_json::to_vec(observation)
            .map_err(|e| RecordError::io("encode an observation for", &self.path)(e.into()))?;
        line.push(b'\n');
        if line.len() > MAX_LINE_BYTES {
            return Err(RecordError::TooLong { id, bytes: line.len(), limit: MAX_LINE_BYTES });
        }
        if let Err(source) = self.write_line(&line) {
            // A full disk may have taken part of the line. Best effort: a reader ignores the rest anyway.
            let _ = self.file.set_len(self.length);
            return Err(RecordError::io("append to", &self.path)(source));
        }
        self.length += line.len() as u64;
        self.recorded.insert(id);
        Ok(())
    }

    fn write_line(&mut self, line: &[u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(line)?;
        self.file.sync_data()
    }

    /// Replaces the context as a whole: readers see the old or the new one.
    ///
    /// # Errors
    /// The disk.
    pub fn write_context(&self, context: &RunContext) -> Result<(), RecordError> {
        let (draft, path) = (self.folder.join(CONTEXT_DRAFT), self.folder.join(CONTEXT_FILE));
        let mut text = serde_json::to_vec_pretty(context)
            .map_err(|e| RecordError::io("encode the context for", &path)(e.into()))?;
        text.push(b'\n');
        let mut file = create_draft(&draft)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(RecordError::io("write", &draft))?;
        fs::rename(&draft, &path).map_err(RecordError::io("put in place", &path))?;
        self.sync()
    }

    /// Makes the file's length and the folder's entries durable.
    fn sync(&self) -> Result<(), RecordError> {
        self.file.sync_all().map_err(RecordError::io("sync", &self.path))?;
        sync_folder(&self.folder)
    }

    /// Whether a trial is recorded, whatever its outcome: a finished trial is never measured again.
    #[must_use]
    pub fn contains(&self, id: &TrialId) -> bool {
        self.recorded.contains(id)
    }

    /// Every recorded trial.
    pub fn recorded(&self) -> impl Iterator<Item = &TrialId> {
        self.recorded.iter()
    }

    /// The run's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where kept results go; made on the first call.
    ///
    /// # Errors
    /// The disk.
    pub fn results_folder(&self) -> Result<PathBuf, RecordError> {
        let path = self.folder.join(RESULTS_FOLDER);
        own_folder(&path)?;
        Ok(path)
    }
}

/// Only an empty folder, or the remains of a run without any record, may become a run.
fn refuse_contents(folder: &Path) -> Result<(), RecordError> {
    let mut foreign = None;
    for entry in fs::read_dir(folder).map_err(RecordError::io("list", folder))? {
        let entry = entry.map_err(RecordError::io("list", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let size = entry.metadata().map(|m| m.len()).unwrap_or(u64::MAX);
        match name.as_str() {
            CONTEXT_FILE => return Err(RecordError::Occupied { path: folder.to_owned() }),
            CONTEXT_DRAFT => {}
            OBSERVATIONS_FILE if size == 0 => {}
            // The smallest name, so that the message does not depend on the order of the directory.
            _ => foreign = foreign.min(Some(name.clone())).or(Some(name)),
        }
    }
    foreign.map_or(Ok(()), |entry| Err(RecordError::Foreign { path: folder.to_owned(), entry }))
}
