//! The only writer: one append-only line per measurement, on disk before the next one begins.

use super::{OVERHEAD_FILE, OverheadContext, OverheadSample, SAMPLES_FILE};
use crate::error::RecordError;
use crate::own_file::{create_draft, sync_folder};
use crate::reader::MAX_LINE_BYTES;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const CONTEXT_DRAFT: &str = ".overhead.json.draft";

/// An open record.
#[derive(Debug)]
pub struct OverheadJournal {
    folder: PathBuf,
    path: PathBuf,
    file: File,
}

impl OverheadJournal {
    /// Starts one in a new or empty folder, and makes its parents.
    ///
    /// # Errors
    /// A folder that holds anything, or that cannot be written.
    pub fn create(folder: &Path, context: &OverheadContext) -> Result<Self, RecordError> {
        fs::create_dir_all(folder).map_err(RecordError::io("create the folder", folder))?;
        let entries = fs::read_dir(folder).map_err(RecordError::io("list", folder))?;
        let names = entries.map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned()));
        let names = names.collect::<Result<Vec<_>, _>>().map_err(RecordError::io("list", folder))?;
        if let Some(entry) = names.into_iter().min() {
            return Err(RecordError::Foreign { path: folder.to_owned(), entry });
        }
        let path = folder.join(SAMPLES_FILE);
        let opened = OpenOptions::new().create_new(true).append(true).open(&path);
        let file = opened.map_err(RecordError::io("create", &path))?;
        let journal = Self { folder: folder.to_owned(), path, file };
        journal.write_context(context)?;
        Ok(journal)
    }

    /// Records a measurement: checked, written in one call, synced to disk.
    ///
    /// # Errors
    /// One that contradicts itself, or the disk.
    pub fn append(&mut self, sample: &OverheadSample) -> Result<(), RecordError> {
        sample.validate().map_err(|message| RecordError::Overhead { path: self.path.clone(), message })?;
        let line = serde_json::to_vec(sample);
        let mut line = line.map_err(|e| RecordError::io("encode a measurement for", &self.path)(e.into()))?;
        line.push(b'\n');
        if line.len() > MAX_LINE_BYTES {
            let message = format!("a measurement of {} bytes, and a line has {MAX_LINE_BYTES} at most", line.len());
            return Err(RecordError::Overhead { path: self.path.clone(), message });
        }
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(RecordError::io("append to", &self.path))
    }

    /// Replaces the context as a whole: readers see the old or the new one.
    ///
    /// # Errors
    /// The disk.
    pub fn write_context(&self, context: &OverheadContext) -> Result<(), RecordError> {
        let (draft, path) = (self.folder.join(CONTEXT_DRAFT), self.folder.join(OVERHEAD_FILE));
        let text = serde_json::to_vec_pretty(context);
        let mut text = text.map_err(|e| RecordError::io("encode the context for", &path)(e.into()))?;
        text.push(b'\n');
        let mut file = create_draft(&draft)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(RecordError::io("write", &draft))?;
        fs::rename(&draft, &path).map_err(RecordError::io("put in place", &path))?;
        sync_folder(&self.folder)
    }
}
