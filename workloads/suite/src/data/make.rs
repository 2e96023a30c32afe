//! Making a set: parts in parallel into a folder that gets its name when it is complete.

use super::error::{DataError, io};
use super::journal::{self, Done, Journal};
use super::manifest::{self, MANIFEST_SCHEMA, Manifest, TableEntry};
use super::part_file;
use super::progress::{Event, Progress};
use super::{DataStore, free_bytes};
use crate::generate::{Part, generators, parts};
use crate::spec::DatasetSpec;
use bench_model::Bytes;
use std::collections::VecDeque;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

pub(super) fn make(
    store: &DataStore,
    spec: &DatasetSpec,
    jobs: NonZeroUsize,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> Result<Manifest, DataError> {
    spec.validate()?;
    let name = spec.name();
    let folder = store.folder(&name)?;
    // What is there is whole, and reading it needs no lock: runs that start at the same moment are not in each other's way.
    if folder.exists() {
        return complete(&folder, &name);
    }
    // Before the lock file too: an unwritable or full disk is reported without leaving anything behind.
    check_space(store, spec)?;
    let _lock = store.lock(&name)?;
    if folder.exists() {
        return complete(&folder, &name);
    }
    let partial = store.partial(&name)?;
    if partial.exists() && !journal::may_own(&partial) {
        let reason = "it has files but no journal of this program".to_owned();
        return Err(DataError::Foreign { path: partial, reason });
    }
    let (journal, done) = Journal::open(&partial, spec)?;
    let all = parts(spec);
    announce(&name, &all, &done, progress);
    let todo = all.iter().filter(|part| !done.iter().any(|d| d.is(part))).copied().collect();
    let work = Work { folder: &partial, spec, journal: &journal, progress, stop };
    let done = work.run(todo, done, jobs)?;

    let manifest = assemble(spec, &all, done);
    manifest::store(&partial, &manifest)?;
    fs::rename(&partial, &folder).map_err(io("rename", &partial))?;
    super::sync_folder(store.root())?;
    // Last, because until the folder has its name a kill must leave something to resume.
    journal::remove(&folder)?;
    progress.event(Event::Finished { rows: manifest.rows(), bytes: manifest.bytes() });
    Ok(manifest)
}

pub(super) fn bytes_to_make(store: &DataStore, spec: &DatasetSpec) -> u64 {
    let name = spec.name();
    if store.manifest(&name).is_ok() {
        return 0;
    }
    let done = store.partial(&name).map(|p| journal::peek(&p, spec)).unwrap_or_default();
    spec.disk_bytes_estimate().saturating_sub(done.iter().map(|d| d.file.bytes).sum())
}

fn check_space(store: &DataStore, spec: &DatasetSpec) -> Result<(), DataError> {
    let needed = bytes_to_make(store, spec);
    let free = free_bytes(store.root()).map_err(io("find the free space of", store.root()))?;
    if needed <= free {
        return Ok(());
    }
    let (needed, free) = (Bytes::new(needed), Bytes::new(free));
    Err(DataError::Space { name: spec.name(), root: store.root().to_owned(), needed, free })
}

/// A set that is there already: its manifest, if it can be used.
fn complete(folder: &Path, name: &str) -> Result<Manifest, DataError> {
    let manifest = manifest::load(folder, name)?;
    super::open::check_usable(folder, &manifest)?;
    Ok(manifest)
}

fn announce(name: &str, all: &[Part], done: &[Done], progress: &dyn Progress) {
    progress.event(Event::Started {
        name,
        parts: all.len() as u64,
        parts_done: done.len() as u64,
        units: all.iter().map(|p| p.rows).sum(),
        units_done: done.iter().map(|d| d.file.rows).sum(),
    });
}

struct Work<'a> {
    folder: &'a Path,
    spec: &'a DatasetSpec,
    journal: &'a Journal,
    progress: &'a dyn Progress,
    stop: &'a AtomicBool,
}

impl Work<'_> {
    /// Makes the parts with `jobs` threads, each taking the next one. The first error stops all.
    fn run(&self, todo: VecDeque<Part>, done: Vec<Done>, jobs: NonZeroUsize) -> Result<Vec<Done>, DataError> {
        for part in &todo {
            let folder = self.folder.join(part.table);
            fs::create_dir_all(&folder).map_err(io("create", &folder))?;
        }
        super::sync_folder(self.folder)?;
        let threads = jobs.get().min(todo.len());
        let todo = Mutex::new(todo);
        let state: Mutex<(Vec<Done>, Option<DataError>)> = Mutex::new((done, None));
        let halted = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.thread(&todo, &state, &halted));
            }
        });
        match state.into_inner().unwrap_or_else(PoisonError::into_inner) {
            (_, Some(error)) => Err(error),
            (done, None) => Ok(done),
        }
    }

    fn thread(&self, todo: &Mutex<VecDeque<Part>>, state: &Mutex<(Vec<Done>, Option<DataError>)>, halted: &AtomicBool) {
        while !halted.load(Ordering::Relaxed) {
            let next = todo.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(part) = next else { return };
            let result = part_file::write(self.folder, self.spec, &part, self.progress, self.stop)
                .and_then(|done| self.journal.append(self.folder, &done).map(|()| done));
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(done) => state.0.push(done),
                Err(error) => {
                    halted.store(true, Ordering::Relaxed);
                    state.1.get_or_insert(error);
                }
            }
        }
    }
}

fn assemble(spec: &DatasetSpec, all: &[Part], done: Vec<Done>) -> Manifest {
    let mut tables: Vec<TableEntry> = Vec::new();
    for part in all {
        let Some(done) = done.iter().find(|d| d.is(part)) else { continue };
        if tables.last().is_none_or(|t| t.name != part.table) {
            let (name, columns) = (part.table.to_owned(), done.columns.clone());
            tables.push(TableEntry { name, columns, rows: 0, bytes: 0, files: Vec::new() });
        }
        if let Some(table) = tables.last_mut() {
            table.rows += done.file.rows;
            table.bytes += done.file.bytes;
            table.files.push(done.file.clone());
        }
    }
    Manifest { schema: MANIFEST_SCHEMA, name: spec.name(), spec: spec.clone(), generators: generators(spec), tables }
}
