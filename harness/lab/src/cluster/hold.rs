//! What a run holds on another machine: a folder, the program, and somebody there who tidies up.
//!
//! For as long as a run lasts, one ssh session per machine answers that it is still there, until its input ends. That happens
//! on every path: the run is over, has failed, was interrupted, or was killed. Then the script at the other end gives the
//! run's nodes some seconds to end, kills those that have not, and removes the run's folder. A session that was cut off with
//! its script (a machine that was switched off) leaves a folder, which the next run there removes.
//!
//! ```text
//! FOLDER/programs/bench-BUILD     the program, kept for the next run if the hosts file says so
//! FOLDER/run-NAME-PID             the run's: PID is the waiting script's on machine NAME
//!   bench                         the program, if it is not kept
//!   node-PID                      a node's scratch folder: PID is the node's
//! ```

use super::ssh::{self, utf8};
use crate::offspring::{Isolation, die_with_parent};
use bench_model::SshHost;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How long a machine may take until it is ready.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to answer: longer than ssh needs to notice that the other machine is gone.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// How often somebody who waits looks at the interrupt flag.
const INTERRUPT_LATENCY: Duration = Duration::from_millis(50);
/// The longest line that is listened to in one piece.
const LINE_BYTES: u64 = 4096;
/// How long tidying up may take.
const END_PATIENCE: Duration = Duration::from_secs(20);
/// Tenths of a second that nodes get of it to end by themselves.
const NODE_GRACE: &str = "60";

/// Makes the run's folder, removes those of dead runs, says where it is and on what machine, repeats what it is told and
/// waits for the end.
const HOLD: &str = r#"
umask 077
mkdir -p "$1/programs" && cd "$1" || exit 3
me=$(id -u)
for folder in "$1" "$1/programs"; do
    # Of a link, whose it is and what it leads to.
    if [ -z "$(find "$folder" -prune -user "$me")" ] ||
        [ -z "$(find "$folder/." -prune -user "$me" ! -perm -020 ! -perm -002)" ]; then
        echo "$folder must belong to $(id -un) and be writable by nobody else, because programs are started from it:" \
            "name another folder in the hosts file, or take the right away (chmod go-w)" >&2
        exit 3
    fi
done
name=$(uname -n)
# Only this machine's: its name may be the beginning of another one's that shares the folder.
for old in "run-$name"-* "programs/"*".part-$name"-*; do
    pid=${old##*-}
    case $pid in "" | *[!0-9]*) continue ;; esac
    if [ "$old" != "run-$name-$pid" ] && [ "${old#*.part-}" != "$name-$pid" ]; then continue; fi
    if [ -e "$old" ] && [ ! -d "/proc/$pid" ]; then rm -rf "$old"; fi
done
run=$1/run-$name-$$
mkdir "$run" || exit 3
trap '' HUP INT TERM PIPE
printf '%s\n' "$run"
cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
memory=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
model=$(sed -n '/^model name/{s/^[^:]*: *//p;q;}' /proc/cpuinfo)
[ -n "$model" ] || model=$(sed -n '/^CPU part/{s/^[^:]*: */ARM part /p;q;}' /proc/cpuinfo)
printf '%s %s %s\n' "${cores:-0}" "${memory:-0}" "$model"
while read -r word; do printf '%s\n' "$word"; done
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

/// A run's hold on one machine. Dropping it tidies up there.
#[derive(Debug)]
pub(super) struct Hold {
    host: SshHost,
    child: Child,
    /// Closed when the run is over.
    stdin: Option<ChildStdin>,
    /// What the script says, line by line.
    said: Receiver<String>,
    stderr: Option<ChildStderr>,
    /// How often it was asked whether it is still there.
    asked: u64,
    is_ready: bool,
    is_lost: bool,
}

impl Hold {
    /// Begins to connect. The calling thread must live as long as the hold.
    ///
    /// # Errors
    /// There is no ssh here, or no thread to be had.
    pub(super) fn begin(host: &SshHost) -> Result<Self, String> {
        let folder = utf8(&host.folder)?;
        let argv = ssh::argv(host, HOLD, &[folder, NODE_GRACE]);
        let (program, words) = argv.split_first().ok_or("an empty command")?;
        let mut command = Command::new(program);
        command.args(words);
        Self::start(host, command)
    }

    fn start(host: &SshHost, mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C is for this process alone: it lets go of the machines when it has ended its engines.
        command.process_group(0);
        die_with_parent(&mut command, Isolation::None);
        let mut child = command.spawn().map_err(|e| ssh::no_ssh(&e))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (tell, said) = mpsc::channel();
        let host = host.clone();
        let hold = Self { host, child, stdin, said, stderr, asked: 0, is_ready: false, is_lost: false };
        // Reading may block for ever; the thread ends with the session.
        let reader = std::thread::Builder::new().name("hold".to_owned());
        let reader = reader.spawn(move || stdout.into_iter().for_each(|stdout| pass_on(stdout, &tell)));
        reader.map_err(|e| format!("cannot start a thread: {e}"))?;
        Ok(hold)
    }

    /// Waits for the run's folder, and for what the machine says of itself.
    ///
    /// # Errors
    /// What ssh or the machine says, its silence, or an interruption.
    pub(super) fn ready(&mut self, stop: &AtomicBool) -> Result<(PathBuf, String), String> {
        let folder = self.hear(START_PATIENCE, stop)?;
        if !folder.starts_with('/') {
            return Err(format!("{} said `{}` instead of where its folder is", self.host.ssh, folder.trim()));
        }
        let machine = self.hear(START_PATIENCE, stop)?;
        self.is_ready = true;
        Ok((PathBuf::from(folder), machine))
    }

    /// The next line.
    fn hear(&mut self, patience: Duration, stop: &AtomicBool) -> Result<String, String> {
        let by = Instant::now() + patience;
        loop {
            match self.said.recv_timeout(INTERRUPT_LATENCY) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => return Err(self.last_words()),
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => return Err("interrupted".to_owned()),
                Err(RecvTimeoutError::Timeout) if Instant::now() < by => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("{} did not answer within {} s", self.host.ssh, patience.as_secs()));
                }
            }
        }
    }

    /// Asks whether the machine is still there. [`Hold::answer`] hears it: several machines are asked at the same time.
    pub(super) fn ask(&mut self) {
        self.asked += 1;
        let question = format!("{}\n", self.asked);
        // One that cannot be asked does not answer either.
        let _ = self.stdin.as_mut().map(|stdin| stdin.write_all(question.as_bytes()).and_then(|()| stdin.flush()));
    }

    /// Hears that the machine is still there.
    ///
    /// # Errors
    /// It is not, or nobody can say. Such a hold is beyond tidying up.
    pub(super) fn answer(&mut self) -> Result<(), String> {
        let (never, wanted) = (AtomicBool::new(false), self.asked.to_string());
        let answered = loop {
            match self.hear(ANSWER_PATIENCE, &never) {
                Ok(line) if line == wanted => break Ok(()),
                Ok(_) => {}
                Err(why) => break Err(format!("{} was lost: {why}", self.host.ssh)),
            }
        };
        self.is_lost |= answered.is_err();
        answered
    }

    /// Gives up a machine that is not ready yet. What the script there has begun, it ends by itself.
    pub(super) fn give_up(&mut self) {
        if !self.is_ready {
            self.kill();
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
        if self.is_lost {
            // Whoever asked has been told, and nobody is there to wait for.
            self.kill();
            return Ok(());
        }
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

/// Passes on what a script says, line by line, to its end or until nobody listens.
fn pass_on(stdout: ChildStdout, tell: &Sender<String>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let read = stdout.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line);
        let line = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
        if !read.is_ok_and(|bytes| bytes > 0) || tell.send(line).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::HostTables;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    static NEVER: AtomicBool = AtomicBool::new(false);

    /// A hold on this machine: the script runs here, without ssh.
    fn hold(folder: &Path) -> Hold {
        let host = SshHost {
            ssh: "here".to_owned(),
            port: None,
            identity: None,
            known_hosts: None,
            address: [10, 0, 0, 7].into(),
            folder: folder.to_owned(),
            keep_program: true,
            tables: HostTables::Present,
            site: None,
        };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", HOLD, "bench", folder.to_str().unwrap(), "3"]);
        Hold::start(&host, command).unwrap()
    }

    /// What this machine calls itself.
    fn name() -> String {
        let said = Command::new("uname").arg("-n").output().unwrap().stdout;
        String::from_utf8(said).unwrap().trim().to_owned()
    }

    #[test]
    fn a_hold_ends_what_is_left_of_its_run_and_removes_its_folder() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a b");
        let mut hold = hold(&folder);
        let (run, machine) = hold.ready(&NEVER).unwrap();
        assert!(run.starts_with(&folder) && run.is_dir());
        let machine: Vec<&str> = machine.split(' ').collect();
        assert!(machine.len() > 2 && machine[..2].iter().all(|n| n.parse::<u64>().unwrap() > 0), "{machine:?}");
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
        hold.end().unwrap();
        assert!(!run.exists(), "the folder is gone");
        assert!(!node.wait().unwrap().success(), "the node was killed");
    }

    #[test]
    fn what_dead_runs_of_this_machine_left_is_removed_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let (name, living) = (name(), std::process::id());
        // No process has the highest number there is.
        let dead = 4_194_999;
        let gone = [format!("run-{name}-{dead}"), format!("programs/bench-1.part-{name}-{dead}")];
        let kept = [
            format!("run-{name}-{living}"),
            format!("programs/bench-1.part-{name}-{living}"),
            "programs/bench-1".to_owned(),
            // Of machines that share the folder, and whose names this one's is a part of.
            format!("run-{name}-b-{dead}"),
            format!("programs/bench-1.part-{name}-b-{dead}"),
            format!("programs/bench-1.part-a-{name}-{dead}"),
        ];
        for left in gone.iter().chain(&kept) {
            fs::create_dir_all(home.path().join(left).join("node-1")).unwrap();
        }
        let mut hold = hold(home.path());
        hold.ready(&NEVER).unwrap();
        let exists = |left: &String| home.path().join(left).exists();
        assert!(!gone.iter().any(exists) && kept.iter().all(exists));
        hold.end().unwrap();
    }

    #[test]
    fn a_folder_that_others_could_put_programs_into_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let programs = home.path().join("programs");
        fs::create_dir(&programs).unwrap();
        for folder in [home.path(), &programs] {
            for mode in [0o770, 0o707] {
                fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
                let said = hold(home.path()).ready(&NEVER).unwrap_err();
                assert!(said.contains("writable by nobody else") && said.contains("chmod go-w"), "{said}");
            }
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let link = home.path().join("link");
        std::os::unix::fs::symlink(home.path(), &link).unwrap();
        hold(&link).ready(&NEVER).unwrap();
        // Only root can give folders away.
        if std::os::unix::fs::chown(&programs, Some(12_345), None).is_ok() {
            let said = hold(home.path()).ready(&NEVER).unwrap_err();
            assert!(said.contains("programs must belong to"), "{said}");
        }
    }

    #[test]
    fn a_hold_whose_session_ends_is_lost_and_says_so() {
        let home = tempfile::tempdir().unwrap();
        let mut hold = hold(home.path());
        hold.ready(&NEVER).unwrap();
        hold.ask();
        hold.answer().unwrap();
        hold.child.kill().unwrap();
        hold.ask();
        let said = hold.answer().unwrap_err();
        assert!(said.starts_with("here was lost"), "{said}");
        assert_eq!(hold.end(), Ok(()), "nobody is waited for who is not there");
    }

    #[test]
    fn waiting_for_a_machine_can_be_interrupted() {
        let home = tempfile::tempdir().unwrap();
        let mut hold = hold(home.path());
        hold.ready(&NEVER).unwrap();
        assert_eq!(hold.hear(START_PATIENCE, &AtomicBool::new(true)), Err("interrupted".to_owned()));
    }
}
