//! Files brought to other machines: this program, and tables that are missing there.

use super::ssh::{self, Input, utf8};
use bench_model::{HostSite, SshHost};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use twox_hash::XxHash3_64;

/// Says whether the program is there, whole.
const LOOK: &str = r#"
if [ -x "$1" ] && [ "$(wc -c <"$1")" -eq "$2" ]; then echo there; fi
"#;

/// Writes a file. One that was cut short has another name, that of this machine in it, and is removed.
const COPY: &str = r#"
umask 022
part=$1.part-$(uname -n)-$$
trap 'rm -f "$part"' EXIT
mkdir -p "${1%/*}" && cat >"$part" || exit 3
if [ "$(wc -c <"$part")" -ne "$2" ]; then echo "only a part of $1 arrived" >&2; exit 3; fi
chmod "$3" "$part" && mv "$part" "$1"
"#;

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
    pub(super) fn install(
        &self,
        host: &SshHost,
        run: PathBuf,
        told: impl FnOnce(),
        stop: &AtomicBool,
    ) -> Result<HostSite, String> {
        let target = if host.keep_program { host.folder.join("programs").join(&self.name) } else { run.join("bench") };
        let (word, size) = (utf8(&target)?, self.bytes.to_string());
        if ssh::run(host, LOOK, &[word, &size], Input::Nothing, stop)?.trim() != "there" {
            told();
            copy(host, self.path, &target, "700", stop)?;
        }
        Ok(HostSite { program: target, folder: run })
    }
}

/// Copies a file to a machine.
///
/// # Errors
/// What ssh or the machine says, or an interruption.
pub(super) fn copy(host: &SshHost, from: &Path, to: &Path, mode: &str, stop: &AtomicBool) -> Result<(), String> {
    let bytes = fs::metadata(from).map_err(|e| format!("cannot examine {}: {e}", from.display()))?.len();
    ssh::run(host, COPY, &[utf8(to)?, &bytes.to_string(), mode], Input::File(from), stop).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Output, Stdio};

    /// Runs a script of this file as a host would.
    fn sh(script: &str, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "bench"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    #[test]
    fn a_copy_that_was_cut_short_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("deep/bench-1");
        let target = target.to_str().unwrap();
        let cut = sh(COPY, &[target, "10", "700"], b"short");
        assert!(!cut.status.success() && String::from_utf8_lossy(&cut.stderr).contains("only a part"));
        assert_eq!(fs::read_dir(home.path().join("deep")).unwrap().count(), 0);
        assert!(sh(LOOK, &[target, "5"], b"").stdout.is_empty());
        assert!(sh(COPY, &[target, "5", "700"], b"whole").status.success());
        assert_eq!(sh(LOOK, &[target, "5"], b"").stdout, b"there\n");
        assert!(sh(LOOK, &[target, "6"], b"").stdout.is_empty());
    }
}
