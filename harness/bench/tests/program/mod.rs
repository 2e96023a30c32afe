//! The built binary in a folder of its own, over smoke tables that all tests share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A place to run `bench` in.
pub struct Program {
    folder: tempfile::TempDir,
    data: PathBuf,
}

/// What a finished process left.
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
    code: Option<i32>,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: Duration::ZERO,
            code: output.status.code(),
        }
    }

    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
    }

    /// Ended with code 2, without a panic, and its message has all of `words`.
    #[track_caller]
    pub fn assert_refused(&self, words: &[&str]) {
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
        let made = command(&data).args(["data", "make", "smoke"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        data
    })
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.env("BENCH_DATA", data).stdin(Stdio::null());
    command
}

impl Program {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), data: shared_data().to_owned() }
    }

    /// Tables of its own, for tests that damage them.
    pub fn with_own_data(mut self) -> Self {
        self.data = self.folder.path().join("data");
        self
    }

    pub fn bench(&self, arguments: &[&str]) -> Ran {
        let started = Instant::now();
        let output = command(&self.data).current_dir(&self.folder).args(arguments).output().unwrap();
        Ran { took: started.elapsed(), ..Ran::of(output) }
    }

    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = command(&self.data);
        command.current_dir(&self.folder).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn signal(&self, child: &Child, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// The whole lines of a run's journal.
    pub fn observations(&self, run: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.file(run).join("observations.ndjson")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until a run has recorded something, however slow the machine is.
    pub fn wait_for_observations(&self, run: &str, lines: usize, child: &mut Child) {
        let path = self.file(run).join("observations.ndjson");
        while fs::read_to_string(&path).unwrap_or_default().matches('\n').count() < lines {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before it recorded {lines} trials");
            std::thread::yield_now();
        }
    }

    /// Scratch folders that engines of this test left beside the tables.
    pub fn scratch_folders(&self) -> usize {
        let mine = format!("-{}-", std::process::id());
        let entries = fs::read_dir(&self.data).unwrap();
        entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).filter(|n| n.contains(&mine)).count()
    }

    /// A family of one query named `mine` over a table `t` of two rows, with an expected answer.
    pub fn user_workload(&self, sql: &str, expected: &str) -> String {
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
    pub fn flip_a_byte_of(&self, table: &str) {
        let mut files: Vec<PathBuf> = fs::read_dir(self.data.join(table)).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        let mut bytes = fs::read(&files[0]).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&files[0], bytes).unwrap();
    }
}
