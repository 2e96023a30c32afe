//! What a run holds on another machine: a folder, the program, and somebody there who tidies up.
//!
//! For as long as a run lasts, one ssh session per machine does nothing but wait for its input to end. That happens on
//! every path: the run is over, has failed, was interrupted, or was killed. Then the script at the other end gives the
//! run's nodes some seconds to end, kills those that have not, and removes the run's folder. A session that was cut off
//! together with its script (a machine that was switched off) leaves a folder, which the next run there removes.
//!
//! ```text
//! FOLDER/programs/bench-BUILD     the program, kept for the next run if the hosts file says so
//! FOLDER/run-NAME-PID             the run's: PID is the waiting script's on machine NAME
//!   bench                         the program, if it is not kept
//!   node-PID                      a node's scratch folder: PID is the node's
//! ```

use super::ssh::{self, Input};
use crate::offspring::{Isolation, die_with_parent};
use bench_model::{HostSite, SshHost};
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use twox_hash::XxHash3_64;

/// How long a machine may take until it is ready.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long tidying up may take.
const END_PATIENCE: Duration = Duration::from_secs(20);
/// Tenths of a second that nodes get of it to end by themselves.
const NODE_GRACE: &str = "60";

/// Makes the run's folder, removes those of dead runs, says where it is and waits for the end.
const HOLD: &str = r#"
umask 077
mkdir -p "$1/programs" && cd "$1" || exit 3
name=$(uname -n)
for old in "run-$name"-* programs/*.part-*; do
    if [ -e "$old" ] && [ ! -d "/proc/${old##*-}" ]; then rm -rf "$old"; fi
done
run=$1/run-$name-$$
mkdir "$run" || exit 3
trap '' HUP INT TERM PIPE
printf '%s\n' "$run"
cat >/dev/null
tries=0
while [ "$tries" -lt $(($2 + 50)) ]; do
    alive=
    for node in "$run"/node-*; do
        if grep -qF "$node" "/proc/${node##*-}/cmdline" 2>/dev/null; then alive="$alive ${node##*-}"; fi
    done
    [ -n "$alive" ] || break
    if [ "$tries" -ge "$2" ]; then kill -s KILL $alive; fi
    tries=$((tries + 1))
    sleep 0.1
done
rm -rf "$run"
"#;

/// Says whether the program is there, whole.
const LOOK: &str = r#"
if [ -x "$1" ] && [ "$(wc -c <"$1")" -eq "$2" ]; then echo there; fi
"#;

/// Writes a file. One that was cut short has another name and is removed.
const COPY: &str = r#"
umask 022
part=$1.part-$$
trap 'rm -f "$part"' EXIT
mkdir -p "${1%/*}" && cat >"$part" || exit 3
if [ "$(wc -c <"$part")" -ne "$2" ]; then echo "only a part of $1 arrived" >&2; exit 3; fi
chmod "$3" "$part" && mv "$part" "$1"
"#;

/// A run's hold on one machine. Dropping it tidies up there.
#[derive(Debug)]
pub(super) struct Hold {
    host: SshHost,
    child: Child,
    /// Closed when the run is over.
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl Hold {
    /// Begins to connect. The calling thread must live as long as the hold.
    ///
    /// # Errors
    /// There is no ssh here.
    pub(super) fn begin(host: &SshHost) -> Result<Self, String> {
        let folder = utf8(&host.folder)?;
        let argv = ssh::argv(host, HOLD, &[folder, NODE_GRACE]);
        let (program, words) = argv.split_first().ok_or("an empty command")?;
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C is for this process alone: it lets go of the machines when it has ended its engines.
        command.process_group(0);
        die_with_parent(&mut command, Isolation::None);
        let mut child = command.spawn().map_err(|e| ssh::no_ssh(&e))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Ok(Self { host: host.clone(), child, stdin, stdout, stderr })
    }

    /// Waits for the run's folder.
    ///
    /// # Errors
    /// What ssh or the machine says, or its silence.
    pub(super) fn folder(&mut self) -> Result<PathBuf, String> {
        let stdout = self.stdout.take().ok_or("a hold begins once")?;
        let (tell, told) = mpsc::channel();
        // Reading may block for ever; the thread ends with the session.
        let reader = std::thread::Builder::new().name("hold-start".to_owned()).spawn(move || {
            let mut line = String::new();
            let mut stdout = BufReader::new(stdout.take(4096));
            let read = stdout.read_line(&mut line);
            // The receiver may have given up.
            let _ = tell.send(read.map(|_| line));
            // ssh may take its closing for an end.
            let _ = io::copy(&mut stdout.into_inner().into_inner(), &mut io::sink());
        });
        reader.map_err(|e| format!("cannot start a thread: {e}"))?;
        match told.recv_timeout(START_PATIENCE) {
            Ok(Ok(line)) if line.starts_with('/') => Ok(PathBuf::from(line.trim_end_matches('\n'))),
            Ok(Ok(line)) if !line.is_empty() => {
                Err(format!("{} said `{}` instead of where its folder is", self.host.ssh, line.trim()))
            }
            Ok(_) => Err(self.last_words()),
            Err(_) => Err(format!("{} was not ready within {} s", self.host.ssh, START_PATIENCE.as_secs())),
        }
    }

    /// What the session complained about when it ended by itself.
    fn last_words(&mut self) -> String {
        self.stdin = None;
        let mut said = String::new();
        if let Some(stderr) = self.stderr.take() {
            // What cannot be read is not quoted.
            let _ = stderr.take(4096).read_to_string(&mut said);
        }
        let code = self.child.wait().ok().and_then(|status| status.code());
        ssh::complaint(&self.host, code, &said)
    }

    /// The run is over on this machine. Call [`Hold::end`] next: several machines tidy up at the same time.
    pub(super) fn let_go(&mut self) {
        self.stdin = None;
    }

    /// Waits until the machine is tidy.
    ///
    /// # Errors
    /// It is not, or nobody can say.
    pub(super) fn end(&mut self) -> Result<(), String> {
        self.let_go();
        let by = Instant::now() + END_PATIENCE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(_)) => return Err(self.last_words()),
                Ok(None) if Instant::now() < by => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) | Err(_) => break,
            }
        }
        self.kill();
        let Self { host, .. } = self;
        Err(format!("{} did not say that it is tidy; look for run-* in {} there", host.ssh, host.folder.display()))
    }

    fn kill(&mut self) {
        // What has been reaped already is not killed again by the standard library.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Somebody who wants to hear of it has called it before.
        let _ = self.end();
        self.kill();
    }
}

/// A program as other machines name it: by its content.
pub(super) struct Program<'a> {
    path: &'a Path,
    bytes: u64,
    name: String,
}

impl<'a> Program<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(path: &'a Path) -> Result<Self, String> {
        let content = fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let name = format!("bench-{:016x}", XxHash3_64::oneshot(&content));
        Ok(Self { path, bytes: content.len() as u64, name })
    }

    /// Makes sure that it is on a machine, and says where. `told` hears of a copy.
    ///
    /// # Errors
    /// What ssh or the machine says.
    pub(super) fn install(&self, host: &SshHost, run: PathBuf, told: impl FnOnce()) -> Result<HostSite, String> {
        let target = if host.keep_program { host.folder.join("programs").join(&self.name) } else { run.join("bench") };
        let (word, size) = (utf8(&target)?, self.bytes.to_string());
        if ssh::run(host, LOOK, &[word, &size], Input::Nothing)?.trim() != "there" {
            told();
            copy(host, self.path, &target, "700")?;
        }
        Ok(HostSite { program: target, folder: run })
    }
}

/// Copies a file to a machine.
///
/// # Errors
/// What ssh or the machine says.
pub(super) fn copy(host: &SshHost, from: &Path, to: &Path, mode: &str) -> Result<(), String> {
    let bytes = fs::metadata(from).map_err(|e| format!("cannot examine {}: {e}", from.display()))?.len();
    ssh::run(host, COPY, &[utf8(to)?, &bytes.to_string(), mode], Input::File(from)).map(drop)
}

/// A path as a word of a command.
///
/// # Errors
/// It is no text, and could not be said over ssh.
pub(super) fn utf8(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8, and cannot be named over ssh; rename it", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Runs a script of this file as a host would.
    fn sh(script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "bench"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    fn feed(mut command: Command, input: &[u8]) -> std::process::Output {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    #[test]
    fn a_hold_ends_what_is_left_of_its_run_and_removes_its_folder() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a b");
        fs::create_dir_all(&folder).unwrap();
        let name = Command::new("uname").arg("-n").output().unwrap().stdout;
        let name = String::from_utf8(name).unwrap();
        // No process has the highest number there is; this one is alive.
        let dead = folder.join(format!("run-{}-4194999", name.trim()));
        let living = folder.join(format!("run-{}-{}", name.trim(), std::process::id()));
        fs::create_dir_all(dead.join("node-1")).unwrap();
        fs::create_dir_all(&living).unwrap();
        let mut hold = sh(HOLD, &[folder.to_str().unwrap(), "3"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(hold.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let run = PathBuf::from(line.trim_end());
        assert!(run.starts_with(&folder) && run.is_dir());
        assert!(!dead.exists() && living.exists());
        // A node that does not care for the end of anything, and has its folder on its command line.
        let mut node = Command::new("/bin/sh");
        let script = "mkdir \"$1/node-$$\" && exec /bin/sh -c 'read never' bench \"$1/node-$$\"";
        let mut node = node.args(["-c", script, "bench"]).arg(&run).stdin(Stdio::piped()).spawn().unwrap();
        let _open = node.stdin.take();
        let scratch = run.join(format!("node-{}", node.id()));
        // It has its folder, and then its command line.
        let line = format!("/proc/{}/cmdline", node.id());
        let named = || String::from_utf8_lossy(&fs::read(&line).unwrap()).contains(scratch.to_str().unwrap());
        while !scratch.exists() || !named() {
            std::thread::yield_now();
        }
        drop(hold.stdin.take());
        assert!(hold.wait().unwrap().success());
        assert!(!run.exists(), "the folder is gone");
        assert!(!node.wait().unwrap().success(), "the node was killed");
    }

    #[test]
    fn a_copy_that_was_cut_short_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("deep/bench-1");
        let target = target.to_str().unwrap();
        let cut = feed(sh(COPY, &[target, "10", "700"]), b"short");
        assert!(!cut.status.success() && String::from_utf8_lossy(&cut.stderr).contains("only a part"));
        assert_eq!(fs::read_dir(home.path().join("deep")).unwrap().count(), 0);
        assert!(feed(sh(LOOK, &[target, "5"]), b"").stdout.is_empty());
        assert!(feed(sh(COPY, &[target, "5", "700"]), b"whole").status.success());
        assert_eq!(feed(sh(LOOK, &[target, "5"]), b"").stdout, b"there\n");
        assert!(feed(sh(LOOK, &[target, "6"]), b"").stdout.is_empty());
    }
}
