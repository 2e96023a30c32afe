//! Where a run's trials go.

use bench_record::{Journal, Observation, RecordError};
use std::path::{Path, PathBuf};

/// Where trials are recorded: a journal, or a list in tests.
pub trait Sink {
    /// Records a trial durably.
    ///
    /// # Errors
    /// The trial is not recorded.
    fn record(&mut self, observation: &Observation) -> Result<(), RecordError>;
    /// The run's folder, if it has one: its disk is watched.
    fn folder(&self) -> Option<&Path>;
    /// The folder for kept results, made if need be.
    ///
    /// # Errors
    /// The disk.
    fn results_folder(&self) -> Result<Option<PathBuf>, RecordError>;
    /// The folder for traces, made if need be.
    ///
    /// # Errors
    /// The disk.
    fn traces_folder(&self) -> Result<Option<PathBuf>, RecordError> {
        Ok(None)
    }
}

impl Sink for Journal {
    fn record(&mut self, observation: &Observation) -> Result<(), RecordError> {
        self.append(observation)
    }
    fn folder(&self) -> Option<&Path> {
        Some(Journal::folder(self))
    }
    fn results_folder(&self) -> Result<Option<PathBuf>, RecordError> {
        Journal::results_folder(self).map(Some)
    }
    fn traces_folder(&self) -> Result<Option<PathBuf>, RecordError> {
        bench_record::traces_folder(Journal::folder(self)).map(Some)
    }
}

impl Sink for Vec<Observation> {
    fn record(&mut self, observation: &Observation) -> Result<(), RecordError> {
        self.push(observation.clone());
        Ok(())
    }
    fn folder(&self) -> Option<&Path> {
        None
    }
    fn results_folder(&self) -> Result<Option<PathBuf>, RecordError> {
        Ok(None)
    }
}
