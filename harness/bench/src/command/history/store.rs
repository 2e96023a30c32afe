//! A store of runs: a folder with a file `KEY.ndjson` per machine. Lines are appended and on disk before they count; nothing is
//! changed. A last line without a newline was cut short by a crash: readers ignore it, the next writer cuts it off.

use anyhow::{Context, Result, bail};
use bench_reports::history::{Entry, EntryId};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The longest line: a run of a few thousand cases has a megabyte or two.
const MAX_LINE_BYTES: usize = 16 << 20;
const EXTENSION: &str = "ndjson";

/// A store.
pub(super) struct Store {
    folder: PathBuf,
}

/// What a machine's file holds.
#[derive(Default)]
struct Lines {
    entries: Vec<Entry>,
    /// Where the last whole line ends.
    whole_bytes: u64,
    torn: bool,
}

impl Store {
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Appends runs, each with the folder it comes from; how many its machine has then, for each. All of them or, if one is refused, none:
    /// every file is locked and looked through before the first is written.
    ///
    /// # Errors
    /// A run that is there already or given twice, a file that is no history, the disk.
    pub(super) fn add(&self, entries: &[(&Path, &Entry)]) -> Result<Vec<usize>> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make the store {}", self.folder.display()))?;
        // In one order, so that two that add at the same time wait for each other and not both for ever.
        let machines: BTreeSet<&str> = entries.iter().map(|(_, entry)| entry.machine.as_str()).collect();
        let mut files: BTreeMap<&str, Locked> = BTreeMap::new();
        for machine in machines {
            files.insert(machine, Locked::open(self.folder.join(machine).with_extension(EXTENSION))?);
        }
        let mut counts = Vec::new();
        for (folder, entry) in entries {
            let Some(file) = files.get_mut(entry.machine.as_str()) else { continue };
            counts.push(file.accept(entry).with_context(|| format!("cannot add {}", folder.display()))?);
        }
        files.values_mut().try_for_each(Locked::write)?;
        // A new file's name is on disk when its folder is.
        let sync = || File::open(&self.folder)?.sync_all();
        sync().with_context(|| format!("cannot write {}", self.folder.display()))?;
        Ok(counts)
    }

    /// Every run of one machine, or of all.
    ///
    /// # Errors
    /// No store, a machine that is not in it, or a file that is no history.
    pub(super) fn read(&self, machine: Option<&str>) -> Result<Vec<Entry>> {
        let shown = self.folder.display();
        let files = fs::read_dir(&self.folder)
            .with_context(|| format!("cannot read the store {shown}; `bench history add {shown} DIR` makes one"))?;
        let mut paths = Vec::new();
        for file in files {
            let path = file.with_context(|| format!("cannot read the store {shown}"))?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                paths.push(path);
            }
        }
        paths.sort();
        let key = |path: &Path| path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let known: Vec<String> = paths.iter().map(|path| key(path)).collect();
        if known.is_empty() {
            bail!("{shown} holds no history; `bench history add {shown} DIR` adds a run");
        }
        if let Some(machine) = machine.filter(|m| !known.iter().any(|k| k == m)) {
            bail!("{shown} has no machine `{machine}`; it has {}", known.join(", "));
        }
        let mut entries = Vec::new();
        for path in paths.iter().filter(|path| machine.is_none_or(|m| key(path) == m)) {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            let lines = read(&file, path)?;
            if let Some(other) = lines.entries.iter().find(|e| e.machine != key(path)) {
                bail!(
                    "{} holds a run of machine {}; a file of a store is one machine's",
                    path.display(),
                    other.machine
                );
            }
            entries.extend(lines.entries);
        }
        Ok(entries)
    }
}

/// A machine's file while nobody else may write to it.
struct Locked {
    path: PathBuf,
    file: File,
    lines: Lines,
    accepted: Vec<u8>,
    ids: Vec<EntryId>,
}

impl Locked {
    fn open(path: PathBuf) -> Result<Self> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.with_context(|| format!("cannot open {}", path.display()))?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        let lines = read(&file, &path)?;
        let ids = lines.entries.iter().map(Entry::id).collect();
        Ok(Self { path, file, lines, accepted: Vec::new(), ids })
    }

    /// Takes a run among those to be written; how many there are then.
    fn accept(&mut self, entry: &Entry) -> Result<usize> {
        let line = entry.line();
        if line.len() > MAX_LINE_BYTES {
            bail!("its line would be longer than {MAX_LINE_BYTES} bytes; run fewer workloads at a time");
        }
        if let Some(at) = self.ids.iter().position(|known| *known == entry.id()) {
            let (run, path) =
                (format!("the run started {} by build {}", entry.started_at, entry.bench.build_id), &self.path);
            match self.lines.entries.get(at) {
                Some(_) => bail!("{run} is in {} already, in line {}", path.display(), at + 1),
                None => bail!("{run} is given twice"),
            }
        }
        self.ids.push(entry.id());
        self.accepted.extend(line);
        Ok(self.ids.len())
    }

    fn write(&mut self) -> Result<()> {
        let write = |file: &mut File| -> std::io::Result<()> {
            if self.lines.torn {
                file.set_len(self.lines.whole_bytes)?;
            }
            file.seek(SeekFrom::Start(self.lines.whole_bytes))?;
            file.write_all(&self.accepted)?;
            file.sync_all()
        };
        write(&mut self.file).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn read(file: &File, path: &Path) -> Result<Lines> {
    let mut input = BufReader::new(file);
    let mut lines = Lines::default();
    let mut buffer = Vec::new();
    for number in 1u64.. {
        let place = || format!("{}, line {number}", path.display());
        buffer.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        match input.by_ref().take(limit).read_until(b'\n', &mut buffer) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            result => result.with_context(place)?,
        };
        if buffer.is_empty() {
            break;
        }
        if buffer.len() > MAX_LINE_BYTES {
            bail!("{}: longer than {MAX_LINE_BYTES} bytes", place());
        }
        let Some(line) = buffer.strip_suffix(b"\n") else {
            lines.torn = true;
            break;
        };
        lines.entries.push(Entry::parse(line).with_context(place)?);
        lines.whole_bytes += buffer.len() as u64;
    }
    Ok(lines)
}
