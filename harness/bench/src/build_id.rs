//! Which build this program is: the same word in records, in reports and between the processes of a cluster.

use anyhow::{Context, Result};
use bench_record::Build;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use twox_hash::XxHash3_64;

/// How much of the program is searched for the linker's note: it lies behind the headers.
const HEAD_BYTES: u64 = 64 << 10;
/// What a note of this kind begins with: the length of its owner's name, then eight bytes that follow here as the length of
/// the id and the kind, then the name.
const NAME_LENGTH: [u8; 4] = [4, 0, 0, 0];
const KIND_AND_NAME: [u8; 8] = [3, 0, 0, 0, b'G', b'N', b'U', 0];
/// Bytes of the linker's id that are kept.
const KEPT: usize = 8;

/// This build: its version, and what identifies its bytes. That is the id that the linker computed over the whole program;
/// where there is none, all of it is hashed, which takes longer than a node may take to start.
///
/// # Errors
/// The program's own file cannot be read.
pub(crate) fn build() -> Result<Build> {
    let build_id = std::env::current_exe().map_err(Into::into).and_then(|own| of_program(&own));
    let build_id = build_id.context("cannot read this program's own file")?;
    Ok(Build { version: env!("CARGO_PKG_VERSION").to_owned(), build_id })
}

/// What identifies the bytes of a program in a file, in the same way.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn of_program(path: &Path) -> Result<String> {
    let unreadable = || format!("cannot read the program {}", path.display());
    let mut program = File::open(path).with_context(unreadable)?;
    let mut bytes = Vec::new();
    program.by_ref().take(HEAD_BYTES).read_to_end(&mut bytes).with_context(unreadable)?;
    if let Some(id) = linked(&bytes) {
        return Ok(id);
    }
    program.read_to_end(&mut bytes).with_context(unreadable)?;
    Ok(format!("{:016x}", XxHash3_64::oneshot(&bytes)))
}

/// As [`build`], in one word: nodes of another are refused.
///
/// # Errors
/// Those of [`build`].
pub(crate) fn word() -> Result<String> {
    build().map(|b| format!("{} {}", b.version, b.build_id))
}

/// The beginning of the id that the linker left in the head of a program (an ELF note of owner `GNU`, kind 3), in
/// hexadecimal.
fn linked(head: &[u8]) -> Option<String> {
    let note = head.windows(16).position(|w| w.starts_with(&NAME_LENGTH) && w.ends_with(&KIND_AND_NAME))?;
    let length: [u8; 4] = head.get(note + 4..note + 8)?.try_into().ok()?;
    let length = usize::try_from(u32::from_le_bytes(length)).ok().filter(|n| (KEPT..=64).contains(n))?;
    let id = head.get(note + 16..note + 16 + length)?.get(..KEPT)?;
    Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(length: u8, id: &[u8]) -> Vec<u8> {
        [&[9, 9, 9][..], &NAME_LENGTH, &[length, 0, 0, 0], &KIND_AND_NAME, id].concat()
    }

    #[test]
    fn the_linker_s_id_is_found_where_it_is_whole() {
        let id: Vec<u8> = (1..=20).collect();
        assert_eq!(linked(&note(20, &id)).as_deref(), Some("0102030405060708"));
        for none in [vec![], note(20, &id[..19]), note(4, &id[..4]), note(200, &id), id] {
            assert_eq!(linked(&none), None, "{none:?}");
        }
    }

    #[test]
    fn a_program_is_the_same_build_each_time_it_is_asked() {
        let (once, again) = (build().unwrap(), build().unwrap());
        assert_eq!(once, again);
        assert_eq!(once.build_id.len(), 16, "{}", once.build_id);
        assert_eq!(word().unwrap(), format!("{} {}", once.version, once.build_id));
    }
}
