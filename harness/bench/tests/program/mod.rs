//! The built binary in a folder of its own, over smoke tables that all tests share.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::fs;
use std::io::Read;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Where `engines/external` is.
pub(crate) fn external() -> String {
    format!("{}/../../engines/external", env!("CARGO_MANIFEST_DIR"))
}

/// A place to run `bench` in.
pub(crate) struct Program {
    folder: tempfile::TempDir,
    data: PathBuf,
}

/// What a finished process left.
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
    code: Option<i32>,
}

/// A process at work. A test that fails meanwhile does not leave it behind: dropping kills it, and what it has started ends with it.
pub(crate) struct Running(Option<Child>);

impl Running {
    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ran {
        Ran::of(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: Duration::ZERO,
            code: output.status.code(),
        }
    }

    /// Its exit code; none if a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.code
    }

    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
    }

    /// Ended with code 2, without a panic, and its message has all of `words`.
    #[track_caller]
    pub(crate) fn assert_refused(&self, words: &[&str]) {
        self.assert_code(2);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing:\n{}", self.stderr);
        }
    }
}

/// The smoke tables, made once for all tests and kept for the next time.
fn shared_data() -> &'static Path {
    static DATA: OnceLock<PathBuf> = OnceLock::new();
    DATA.get_or_init(|| {
        let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-data");
        let make = || command(&data).args(["data", "make", "smoke"]).output().unwrap();
        let mut made = make();
        if !made.status.success() {
            // Left by an earlier version of the generators.
            let _ = fs::remove_dir_all(&data);
            made = make();
        }
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        data
    })
}

fn command(data: &Path) -> Command {
    command_by(&[], data)
}

/// The program, started by another command line.
fn command_by(prefix: &[String], data: &Path) -> Command {
    let mut words = prefix.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_bench")]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command.env("BENCH_DATA", data).stdin(Stdio::null());
    command
}

impl Program {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), data: shared_data().to_owned() }
    }

    /// Tables of its own, for tests that damage them.
    pub(crate) fn with_own_data(mut self) -> Self {
        self.data = self.folder.path().join("data");
        self
    }

    /// Where its tables are.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn bench(&self, arguments: &[&str]) -> Ran {
        self.bench_by(&[], arguments)
    }

    /// As [`Program::bench`], started by another command line.
    pub(crate) fn bench_by(&self, prefix: &[String], arguments: &[&str]) -> Ran {
        let started = Instant::now();
        let output = command_by(prefix, &self.data).current_dir(&self.folder).args(arguments).output().unwrap();
        Ran { took: started.elapsed(), ..Ran::of(output) }
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        self.spawn_by(&[], arguments)
    }

    /// As [`Program::spawn`], started by another command line.
    pub(crate) fn spawn_by(&self, prefix: &[String], arguments: &[&str]) -> Running {
        let mut command = command_by(prefix, &self.data);
        command.current_dir(&self.folder).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(Some(command.spawn().unwrap()))
    }

    pub(crate) fn signal(&self, child: &Child, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// The whole lines of a run's journal.
    pub(crate) fn observations(&self, run: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.file(run).join("observations.ndjson")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every trial of a run completed, and at least this many cases were measured, twins counted.
    #[track_caller]
    pub(crate) fn assert_all_completed(&self, run: &str, at_least: usize) {
        let lines = self.observations(run);
        let failed: Vec<_> = lines.iter().filter(|o| o["outcome"] != "completed").collect();
        assert!(failed.is_empty(), "{failed:?}");
        let mut measured: Vec<String> = lines.iter().map(|o| format!("{} {}", o["key"], o["arm"])).collect();
        measured.sort();
        measured.dedup();
        assert!(measured.len() >= at_least, "{measured:?}");
    }

    /// Waits until a run has recorded something, however slow the machine is.
    pub(crate) fn wait_for_observations(&self, run: &str, lines: usize, child: &mut Child) {
        let path = self.file(run).join("observations.ndjson");
        while fs::read_to_string(&path).unwrap_or_default().matches('\n').count() < lines {
            if let Some(status) = child.try_wait().unwrap() {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("the run ended ({status}) before it recorded {lines} trials: {said}");
            }
            std::thread::yield_now();
        }
    }

    /// Scratch folders that are left beside the tables; only meaningful with tables of its own.
    pub(crate) fn scratch_folders(&self) -> usize {
        let entries = fs::read_dir(&self.data).unwrap();
        entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).filter(|n| n.starts_with(".scratch-")).count()
    }

    /// A folder of engines with one of its own, `tiny`, the example driver.
    pub(crate) fn engines(&self) -> String {
        let folder = self.file("engines");
        fs::create_dir_all(&folder).unwrap();
        let (driver, python) =
            (format!("{}/tests/drivers/tiny/driver.py", external()), format!("{}/python", external()));
        let text = format!(
            "[[engine]]\nname = \"tiny\"\nabout = \"Counts rows.\"\nfamilies = [\"sql\"]\ncommand = [\"python3\", \"{driver}\"]\n\
             environment = {{ PYTHONPATH = \"{python}\", PYTHONDONTWRITEBYTECODE = \"1\" }}\n"
        );
        fs::write(folder.join("engines.toml"), text).unwrap();
        folder.display().to_string()
    }

    /// A family of one query named `mine` over a table `t` of two rows, with an expected answer.
    pub(crate) fn user_workload(&self, sql: &str, expected: &str) -> String {
        let folder = tempfile::Builder::new().prefix("own-").tempdir_in(&self.folder).unwrap().keep();
        fs::write(folder.join("t.csv"), "k,v\n1,10\n2,20\n").unwrap();
        fs::write(folder.join("mine.sql"), sql).unwrap();
        fs::write(folder.join("mine.csv"), expected).unwrap();
        let family = "name = \"own\"\ntitle = \"A test.\"\n\n[[table]]\nname = \"t\"\nfiles = [\"t.csv\"]\n\n\
                      [[workload]]\nname = \"mine\"\ntitle = \"One query.\"\nsql = \"mine.sql\"\n\n\
                      [workload.check]\nexpected = { file = \"mine.csv\" }\n";
        fs::write(folder.join("family.toml"), family).unwrap();
        folder.display().to_string()
    }

    /// Changes one bit in the middle of the first file of a table.
    pub(crate) fn flip_a_byte_of(&self, table: &str) {
        let mut files: Vec<PathBuf> = fs::read_dir(self.data.join(table)).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        let mut bytes = fs::read(&files[0]).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&files[0], bytes).unwrap();
    }
}
