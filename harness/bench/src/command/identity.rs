//! What identifies programs and tables in a record: their content, so that neither a copy nor another path makes a
//! difference, and every edit does.

use anyhow::{Context, Result};
use bench_model::{Dataset, Workload};
use bench_record::{DatasetContext, WorkloadContext};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use twox_hash::{XxHash3_64, XxHash3_128};

/// What a run reads and computes, as its context describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// Every table set that is read.
    pub(super) datasets: Vec<DatasetContext>,
    /// Every program, with the answer it is held to.
    pub(super) workloads: Vec<WorkloadContext>,
}

impl Identity {
    /// Adds what another part of the run reads and computes.
    pub(super) fn extend(&mut self, other: Self) {
        self.datasets.extend(other.datasets);
        self.workloads.extend(other.workloads);
    }
}

/// A workload by what it computes and how its answer is judged: neither its title nor who vouches for the answer matters.
///
/// # Errors
/// A program that cannot be written down.
pub(super) fn of_workload(workload: &Workload, scale: u32) -> Result<WorkloadContext> {
    let mut bare = Workload { title: String::new(), ..workload.clone() };
    if let Some((_, origin)) = &mut bare.check.expected {
        origin.clear();
    }
    let text = serde_json::to_vec(&bare).with_context(|| format!("cannot encode workload {}", workload.name))?;
    let checksum = format!("{:016x}", XxHash3_64::oneshot(&text));
    Ok(WorkloadContext { name: workload.name.clone(), checksum, scale })
}

/// A user's tables by their names, formats and the bytes of their files. Reads every file once, as engines will many times.
/// `None` if the user interrupted it.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn of_tables(dataset: &Dataset, stop: &AtomicBool) -> Result<Option<DatasetContext>> {
    let mut hash = XxHash3_128::new();
    let mut chunk = vec![0; 1 << 20];
    for table in &dataset.tables {
        // Lengths and separators: moving a byte from one name or file to the next must show.
        hash.write(format!("{}\0{:?}\0{}\0", table.name, table.format, table.files.len()).as_bytes());
        for path in &table.files {
            let Some(bytes) = read_into(&mut hash, path, &mut chunk, stop)? else { return Ok(None) };
            hash.write(&bytes.to_le_bytes());
        }
    }
    Ok(Some(DatasetContext {
        name: dataset.name.clone(),
        derived_from: None,
        rows: dataset.tables.iter().map(|t| t.rows).sum(),
        bytes: dataset.tables.iter().map(|t| t.bytes).sum(),
        checksum: format!("{:032x}", hash.finish_128()),
        // A user's tables have the one size they have.
        scale: 1,
    }))
}

/// Hashes a file; how many bytes it had, or `None` if interrupted.
fn read_into(hash: &mut XxHash3_128, path: &Path, chunk: &mut [u8], stop: &AtomicBool) -> Result<Option<u64>> {
    let named = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(named)?;
    let mut bytes = 0;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let length = file.read(chunk).with_context(named)?;
        if length == 0 {
            return Ok(Some(bytes));
        }
        hash.write(chunk.get(..length).unwrap_or_default());
        bytes += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{Check, Digest, Family, Format, Program, Query, Table};
    use std::sync::Arc;

    fn workload() -> Workload {
        Workload {
            name: "q".into(),
            family: Family::Sql,
            title: "One query.".into(),
            program: Program::Query(Query::Sql("select 1".into())),
            dataset: None,
            check: Check { expected: Some((Digest::default(), "duckdb 1".into())), ..Check::default() },
        }
    }

    #[test]
    fn a_workload_is_its_program_and_its_answer() {
        let same = |change: fn(&mut Workload)| {
            let mut other = workload();
            change(&mut other);
            of_workload(&workload(), 1).unwrap() == of_workload(&other, 1).unwrap()
        };
        assert!(same(|w| w.title = "Another title.".into()));
        assert!(same(|w| w.check.expected = Some((Digest::default(), "duckdb 2".into()))));
        assert!(!same(|w| w.program = Program::Query(Query::Sql("select 2".into()))));
        assert!(!same(|w| w.check.expected = None));
        assert!(!same(|w| w.check.ties_at_cut = true));
        assert!(!same(|w| w.dataset = Some("d".into())));
    }

    #[test]
    fn tables_are_their_bytes_wherever_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let dataset = |place: &str, files: &[&str]| {
            let place = folder.path().join(place);
            std::fs::create_dir_all(&place).unwrap();
            let files = files.iter().enumerate().map(|(i, text)| {
                let path = place.join(i.to_string());
                std::fs::write(&path, text).unwrap();
                path
            });
            let table = Table {
                name: "t".into(),
                format: Format::Csv,
                files: files.collect(),
                schema: Arc::new(arrow::datatypes::Schema::empty()),
                rows: 1,
                bytes: 8,
            };
            Dataset { name: "own".into(), tables: vec![table] }
        };
        let stop = AtomicBool::new(false);
        let checksum = |dataset: &Dataset| of_tables(dataset, &stop).unwrap().unwrap().checksum;
        let first = checksum(&dataset("a", &["k\n1\n", "k\n2\n"]));
        assert_eq!(first, checksum(&dataset("b", &["k\n1\n", "k\n2\n"])), "a copy is the same");
        for other in [&["k\n1\n", "k\n3\n"][..], &["k\n2\n", "k\n1\n"], &["k\n1\nk\n2\n", ""], &["k\n1\nk\n2\n"]] {
            assert_ne!(first, checksum(&dataset("c", other)), "{other:?}");
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(of_tables(&dataset("a", &["k\n"]), &stop).unwrap(), None);
    }
}
