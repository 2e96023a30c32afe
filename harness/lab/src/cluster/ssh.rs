//! Commands on other machines.
//!
//! ssh hands one string to the shell of the user over there, so what is said here is always `/bin/sh -c` with a script of
//! this file's callers, and every word that depends on anything is an argument of that script: quoted once, here.

use crate::offspring::{Isolation, die_with_parent};
use bench_model::SshHost;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it is looked whether a script has ended, or is no longer wanted.
const LOOK: Duration = Duration::from_millis(5);

/// What a command reads.
pub(super) enum Input<'a> {
    Nothing,
    Text(&'a str),
    File(&'a Path),
}

/// The command line that runs a script on a host. It never asks anything, forwards nothing, and notices within seconds
/// that the other machine is gone.
pub(super) fn argv(host: &SshHost, script: &str, arguments: &[&str]) -> Vec<OsString> {
    let mut argv: Vec<OsString> = ["ssh", "-T", "-x", "-a"].map(OsString::from).into();
    let options = [
        "BatchMode=yes",
        "ConnectTimeout=10",
        "ServerAliveInterval=2",
        "ServerAliveCountMax=3",
        "ClearAllForwardings=yes",
        // A connection of its own: it ends with this very process.
        "ControlPath=none",
        "LogLevel=ERROR",
    ];
    let mut option = |text: &str| argv.extend(["-o".into(), text.into()]);
    options.into_iter().for_each(&mut option);
    if let Some(file) = &host.known_hosts {
        option(&format!("UserKnownHostsFile={}", ssh_word(file)));
        option("StrictHostKeyChecking=yes");
    }
    if let Some(port) = host.port {
        argv.extend(["-p".into(), port.to_string().into()]);
    }
    if let Some(identity) = &host.identity {
        argv.extend(["-o".into(), "IdentitiesOnly=yes".into(), "-i".into(), identity.into()]);
    }
    argv.extend(["--".into(), host.ssh.clone().into(), remote_line(script, arguments).into()]);
    argv
}

/// A path as ssh's options take it: they are cut at spaces, and `%` begins a name of ssh's own.
fn ssh_word(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

/// What the user's shell over there is given. `exec`: that shell must not stay between ssh and the script.
fn remote_line(script: &str, arguments: &[&str]) -> String {
    let words = [script, "bench"].into_iter().chain(arguments.iter().copied());
    let words: Vec<String> = words.map(quoted).collect();
    format!("exec /bin/sh -c {}", words.join(" "))
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A path as a word of a command.
///
/// # Errors
/// It is no text, and could not be said over ssh.
pub(super) fn utf8(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8, and cannot be named over ssh; rename it", path.display()))
}

/// Runs a script on a host to its end, or until `stop` is raised, and returns what it says.
///
/// # Errors
/// No ssh here, no connection, a script that failed (with what it complained about), or an interruption.
pub(super) fn run(
    host: &SshHost,
    script: &str,
    arguments: &[&str],
    input: Input<'_>,
    stop: &AtomicBool,
) -> Result<String, String> {
    let argv = argv(host, script, arguments);
    let (program, words) = argv.split_first().ok_or("an empty command")?;
    let mut command = Command::new(program);
    command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    match &input {
        Input::Nothing => command.stdin(Stdio::null()),
        Input::Text(_) => command.stdin(Stdio::piped()),
        Input::File(path) => {
            command.stdin(File::open(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?)
        }
    };
    // Ctrl-C is for this process alone: what it interrupts is ended below, and not taken for a failure.
    command.process_group(0);
    die_with_parent(&mut command, Isolation::None);
    let mut child = command.spawn().map_err(|e| no_ssh(&e))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (said, complained) = (beside(move || all_of(stdout))?, beside(move || all_of(stderr))?);
    let feeder = match (input, child.stdin.take()) {
        (Input::Text(text), Some(stdin)) => Some(feed(stdin, text.to_owned())?),
        _ => None,
    };
    let status = await_end(&mut child, stop)?;
    if let Some(feeder) = feeder {
        // It cannot panic.
        let _ = feeder.join();
    }
    // Nor can these.
    let (said, complained) = (said.join().unwrap_or_default(), complained.join().unwrap_or_default());
    if status.success() { Ok(said) } else { Err(complaint(host, status.code(), &complained)) }
}

/// Waits for ssh to end, or ends it when `stop` is raised.
fn await_end(child: &mut Child, stop: &AtomicBool) -> Result<ExitStatus, String> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if !stop.load(Ordering::Relaxed) => std::thread::sleep(LOOK),
            Ok(None) => {
                // It may have ended by itself this very moment.
                let _ = child.kill();
                let _ = child.wait();
                return Err("interrupted".to_owned());
            }
            Err(e) => return Err(format!("cannot hear from ssh: {e}")),
        }
    }
}

/// Everything that a pipe brings, as far as it is text.
fn all_of(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What came before it broke is what was said.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes beside whoever reads: a script may answer before it has read everything.
fn feed(mut stdin: ChildStdin, text: String) -> Result<JoinHandle<()>, String> {
    beside(move || {
        // A script that ends early says itself why.
        let _ = stdin.write_all(text.as_bytes());
    })
}

fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, String> {
    let thread = std::thread::Builder::new().name("ssh".to_owned()).spawn(work);
    thread.map_err(|e| format!("cannot start a thread: {e}"))
}

/// What went wrong, in ssh's words or the script's.
pub(super) fn complaint(host: &SshHost, code: Option<i32>, said: &str) -> String {
    let said = if said.trim().is_empty() { "it said nothing" } else { said.trim() };
    match code {
        // ssh's own failures have this code.
        Some(255) => {
            let ssh = &host.ssh;
            format!("ssh to {ssh} failed: {said}; `ssh -o BatchMode=yes {ssh} true` must work without a question")
        }
        _ => format!("{}: {said}", host.ssh),
    }
}

/// There is no client to be had.
pub(super) fn no_ssh(error: &std::io::Error) -> String {
    format!("cannot run ssh: {error}; install an ssh client")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::HostTables;
    use proptest::prelude::*;

    fn host() -> SshHost {
        SshHost {
            ssh: "me@far".to_owned(),
            port: Some(2222),
            identity: Some("/keys/a b".into()),
            known_hosts: Some("/keys/known 100%".into()),
            address: [10, 0, 0, 7].into(),
            folder: "/tmp/bench".into(),
            keep_program: true,
            tables: HostTables::Present,
            site: None,
        }
    }

    #[test]
    fn a_host_is_never_taken_for_an_option_and_never_asks() {
        let argv = argv(&host(), "true", &[]);
        let argv: Vec<_> = argv.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(argv[argv.len() - 3..argv.len() - 1], ["--", "me@far"]);
        for option in ["BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=\"/keys/known 100%%\""] {
            assert!(argv.windows(2).any(|w| w == ["-o", option]), "{option} is missing in {argv:?}");
        }
        assert!(argv.windows(2).any(|w| w == ["-i", "/keys/a b"]));
    }

    #[test]
    fn a_script_that_is_no_longer_wanted_is_ended() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        assert_eq!(await_end(&mut child, &AtomicBool::new(true)), Err("interrupted".to_owned()));
        assert!(child.try_wait().unwrap().is_some_and(|status| !status.success()));
    }

    proptest! {
        #[test]
        fn words_reach_a_script_as_they_are(words in proptest::collection::vec("[ -~]{0,40}", 0..4)) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let line = remote_line("for word; do printf '%s\\n' \"$word\"; done", &words);
            let said = Command::new("/bin/sh").arg("-c").arg(line).output().unwrap();
            let expected: String = words.iter().map(|word| format!("{word}\n")).collect();
            prop_assert_eq!(String::from_utf8_lossy(&said.stdout), expected);
        }
    }
}
