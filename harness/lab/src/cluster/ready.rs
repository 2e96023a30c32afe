//! Makes machines ready for a run: reachable, with the program, with the tables.
//!
//! Everything that can be missing is found before the first trial. Machines are made ready at the same time.

use super::deliver::{Program, copy};
use super::hold::Hold;
use super::hosts_file::HostsError;
use super::ssh::{self, Input, utf8};
use bench_model::{HostSite, HostTables, SshHost};
use bench_record::NodeMachine;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Says which files are not there, or not as long as they should be.
const MISSING: &str = r#"
while read -r size file; do
    if [ ! -f "$file" ] || [ "$(wc -c <"$file")" != "$size" ]; then printf '%s\n' "$file"; fi
done
"#;

/// Prints a file, if it is there.
const SHOW: &str = r#"if [ -f "$1" ]; then cat "$1"; fi"#;

/// The files that tables consist of, by absolute path.
#[derive(Clone, Debug, Default)]
pub struct TableFiles {
    /// What holds the rows: the same length everywhere.
    pub files: Vec<PathBuf>,
    /// Manifests, which name the checksums of the files in their folder: the same content everywhere.
    pub manifests: Vec<PathBuf>,
}

/// A machine that nodes can be started on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyHost {
    /// Where things lie there.
    pub site: HostSite,
    /// What it is.
    pub machine: NodeMachine,
}

/// What a run holds on other machines. Dropping it tidies up there.
#[derive(Debug)]
pub struct Holds(Vec<Hold>);

impl Holds {
    /// Whether all machines are still there.
    ///
    /// # Errors
    /// The first one that is not, with what ssh says. Whatever fails there from now on is no engine's fault.
    pub fn check(&mut self) -> Result<(), String> {
        self.0.iter_mut().for_each(Hold::ask);
        self.0.iter_mut().try_for_each(Hold::answer)
    }

    /// The run is over: waits until all machines are tidy. Returns what to look after by hand.
    #[must_use]
    pub fn end(mut self) -> Vec<String> {
        self.0.iter_mut().for_each(Hold::let_go);
        self.0.iter_mut().filter_map(|hold| hold.end().err()).collect()
    }
}

impl Drop for Holds {
    fn drop(&mut self) {
        // All of them first, so that they tidy up at the same time.
        self.0.iter_mut().for_each(Hold::let_go);
    }
}

/// Makes every machine ready: `program` is there (copied unless it is already), and so are the tables. Returns what each is
/// and where things lie there; `None` if `stop` was raised meanwhile. `tell` hears of what takes long. The calling thread
/// must live as long as the holds.
///
/// # Errors
/// The first machine, in their order, that cannot be reached or lacks something, with what to do about it.
pub fn make_ready(
    hosts: &[SshHost],
    program: &Path,
    tables: &TableFiles,
    tell: &(dyn Fn(&str) + Sync),
    stop: &AtomicBool,
) -> Result<Option<(Vec<ReadyHost>, Holds)>, HostsError> {
    let holds = hosts.iter().map(Hold::begin).collect::<Result<Vec<_>, _>>().map_err(HostsError::Unready)?;
    let mut holds = Holds(holds);
    let ready = begin(hosts, &mut holds, stop).and_then(|begun| furnish(hosts, begun, program, tables, tell, stop));
    if stop.load(Ordering::Relaxed) {
        // What failed failed because of it.
        holds.0.iter_mut().for_each(Hold::give_up);
        return Ok(None);
    }
    Ok(Some((ready.map_err(HostsError::Unready)?, holds)))
}

/// Where each run's folder is, and what the machine is.
fn begin(hosts: &[SshHost], holds: &mut Holds, stop: &AtomicBool) -> Result<Vec<(PathBuf, NodeMachine)>, String> {
    let begun = hosts.iter().zip(&mut holds.0).map(|(host, hold)| {
        let (folder, said) = hold.ready(stop)?;
        let machine = node_machine(host.address, &said);
        let machine = machine.ok_or_else(|| format!("{} said `{said}` instead of what machine it is", host.ssh))?;
        Ok((folder, machine))
    });
    begun.collect()
}

/// What a machine says of itself: cores, kibibytes of memory, and the model of its processor. `None` if it does not say how
/// many cores.
fn node_machine(address: IpAddr, said: &str) -> Option<NodeMachine> {
    let mut words = said.split_whitespace();
    let cores = words.next()?.parse::<u32>().ok().filter(|cores| *cores > 0)?;
    let memory = words.next()?.parse::<u64>().ok().filter(|kib| *kib > 0);
    let model = words.collect::<Vec<_>>().join(" ");
    Some(NodeMachine {
        address,
        cpu_model: Some(model).filter(|model| !model.is_empty()),
        cores,
        memory_bytes: memory.map(|kib| kib.saturating_mul(1024)),
    })
}

/// Makes sure that program and tables are on all machines.
fn furnish(
    hosts: &[SshHost],
    begun: Vec<(PathBuf, NodeMachine)>,
    program: &Path,
    tables: &TableFiles,
    tell: &(dyn Fn(&str) + Sync),
    stop: &AtomicBool,
) -> Result<Vec<ReadyHost>, String> {
    let program = Program::read(program)?;
    std::thread::scope(|scope| {
        let program = &program;
        let ready = hosts.iter().zip(begun).map(|(host, (folder, machine))| {
            scope.spawn(move || {
                let copying = || tell(&format!("copying this program to {}", host.ssh));
                let site = program.install(host, folder, copying, stop)?;
                provide(host, tables, tell, stop).map(|()| ReadyHost { site, machine })
            })
        });
        let ready: Vec<_> = ready.collect();
        let lost = |_| Err("a machine could not be made ready: this is a defect of bench".to_owned());
        ready.into_iter().map(|thread| thread.join().unwrap_or_else(lost)).collect()
    })
}

/// Makes sure that the tables are on a machine.
fn provide(host: &SshHost, tables: &TableFiles, tell: &dyn Fn(&str), stop: &AtomicBool) -> Result<(), String> {
    let missing = missing(host, tables, stop)?;
    let Some(example) = missing.files.first().or(missing.manifests.first()) else { return Ok(()) };
    if host.tables == HostTables::Present {
        return Err(format!(
            "{} lacks {} of {} table files, or has others of that name, such as {}: the same paths must lead to the \
             same tables there; share the folder, copy it, or write `tables = \"copy\"` for this host",
            host.ssh,
            missing.files.len().max(missing.manifests.len()),
            tables.files.len(),
            example.display()
        ));
    }
    tell(&format!("copying {} table files to {}", missing.files.len(), host.ssh));
    // Manifests last: what has none is not taken for whole.
    missing.files.iter().chain(&missing.manifests).try_for_each(|file| copy(host, file, file, "644", stop))
}

/// What is not there, or not the same.
fn missing(host: &SshHost, tables: &TableFiles, stop: &AtomicBool) -> Result<TableFiles, String> {
    let mut list = String::new();
    for file in &tables.files {
        let bytes = fs::metadata(file).map_err(|e| format!("cannot examine {}: {e}", file.display()))?.len();
        let path = utf8(file)?;
        if path.contains('\n') {
            return Err(format!("{} cannot be named over ssh: it has a line break; rename it", file.display()));
        }
        // Writing to a string cannot fail.
        let _ = writeln!(list, "{bytes} {path}");
    }
    let said = ssh::run(host, MISSING, &[], Input::Text(&list), stop)?;
    let mut missing: BTreeSet<PathBuf> = said.lines().map(PathBuf::from).collect();
    let mut manifests = Vec::new();
    for manifest in &tables.manifests {
        let ours = fs::read_to_string(manifest).map_err(|e| format!("cannot read {}: {e}", manifest.display()))?;
        if ssh::run(host, SHOW, &[utf8(manifest)?], Input::Nothing, stop)? != ours {
            manifests.push(manifest.clone());
            // Files of the same length may hold something else.
            let folder = manifest.parent().unwrap_or(Path::new("/"));
            missing.extend(tables.files.iter().filter(|file| file.starts_with(folder)).cloned());
        }
    }
    Ok(TableFiles { files: missing.into_iter().collect(), manifests })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_what_it_says_it_is() {
        let said = |text: &str| node_machine([10, 0, 0, 7].into(), text).map(|machine| machine.to_string());
        assert_eq!(said("8 32768000 Example  CPU").as_deref(), Some("Example CPU, 8 cores, 31.2 GiB"));
        assert_eq!(said("2 0 ").as_deref(), Some("unknown processor, 2 cores"));
        assert_eq!(said("0 5 x"), None);
    }
}
