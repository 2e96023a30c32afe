//! A fragment's plan as bytes, for tasks in another process.
//!
//! | module | idea |
//! |---|---|
//! | `form` | what travels: a fragment as plain data, its operators as a list |
//! | `pack` | a plan becomes that list |
//! | `unpack` | the list becomes a plan again |
//! | `functions` | DataFusion's functions, which travel by name |
//! | `sameness` | whether two plans would run alike, as far as they say themselves |
//! | `error` | why bytes are not a plan |
//!
//! Operators and expressions travel in DataFusion's own encoding, ours in ours. Three things are done around it:
//!
//! - Each operator is a message of its own that names its inputs by number, and a long expression is cut into several
//!   messages, because a decoder of nested messages gives up at a depth of one hundred.
//! - Containers of scalar subqueries are numbered, because DataFusion's encoding knows only the innermost one, and
//!   replanning can put operators that look at different containers into one fragment.
//! - Dynamic filters stay behind: they hold what one task has seen so far, and every task makes its own.
//!
//! Both directions run on a stack of their own, which is good for the deepest plan that is let through. A decoder that
//! panics over strange bytes ends with its plan, and nothing else does.
//!
//! Plans are known by their content: bytes that were opened before are not opened again, neither where they arrive nor
//! where they leave, so a job that is repeated costs what its first run did not prepare.
//!
//! Invariant: what leaves has been opened again and reads the same, operator by operator; or it reads like a plan of the
//! same bytes that was. An operator whose encoding drops something is refused with its name; it is never run in another
//! way than was planned.

mod error;
mod form;
mod functions;
mod pack;
mod sameness;
mod unpack;

pub use error::ShipError;

use crate::fragment::FragmentPlan;
use crate::settings::{changed_settings, restored_settings};
use crate::store::{PlanKey, StoredPlan};
use bytes::Bytes;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan;
use form::{FragmentForm, Letter};
use sameness::{reading, same_plan};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use twox_hash::XxHash3_128;

/// The form of what follows the checksum; a process that knows another one refuses.
const FORMAT: [u8; 4] = *b"bp/2";
const HASH_LEN: usize = 16;

type Node = Arc<dyn ExecutionPlan>;

/// Four times what a plan of the greatest depth was seen to take.
const STACK_BYTES: usize = 16 << 20;

/// A longer plan does not fit the frames between processes, with room to spare.
const BYTES_MAX: usize = 32 << 20;

/// The hash of a plan's bytes, by which it is known.
pub(crate) type Content = u128;

/// What the plans that were opened after packing read like, by their content.
#[derive(Debug, Default)]
pub(crate) struct Verified(Mutex<BTreeMap<Content, u128>>);

impl Verified {
    /// Entries that are kept; then it begins anew.
    const MAX: usize = 4096;

    fn knows(&self, content: Content, reading: u128) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&content) == Some(&reading)
    }

    fn learn(&self, content: Content, reading: u128) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MAX {
            known.clear();
        }
        known.insert(content, reading);
    }
}

/// A plan that arrived.
pub(crate) struct Opened {
    pub(crate) plan: StoredPlan,
    /// Whether tasks of different jobs may share it: not if it holds what subqueries of one job have found.
    pub(crate) is_timeless: bool,
}

/// The plan of `key` as bytes. Where it cannot travel, the bytes say why, so that whoever asked learns it.
///
/// The first four bytes name the format, the next sixteen are the hash of the rest.
#[must_use]
pub(crate) fn encode(stored: &StoredPlan, verified: &Verified) -> Bytes {
    // Plain data with sizes known: writing it to memory cannot fail.
    let bytes = |letter: &Letter| postcard::to_stdvec(letter).unwrap_or_default();
    let body = aside(|| {
        let mut form = pack::fragment(&stored.fragment)?;
        form.ranges.clone_from(&stored.inputs);
        form.settings = changed_settings(&stored.config);
        let body = bytes(&Letter::Plan(form.clone()));
        if body.len() > BYTES_MAX {
            return Err(ShipError::Long(body.len()));
        }
        verify(stored, form, content_of(&body), verified)?;
        Ok(body)
    });
    let body = body.unwrap_or_else(|error| bytes(&Letter::Refused(error.to_string())));
    let hash = content_of(&body).to_le_bytes();
    [&FORMAT[..], &hash, &body].concat().into()
}

/// The content of bytes that [`encode`] wrote.
///
/// # Errors
/// Bytes that are something else or are damaged.
pub(crate) fn content(bytes: &[u8]) -> Result<Content, ShipError> {
    split(bytes).map(|(content, _)| content)
}

/// The plan that [`encode`] wrote for `key`; it reads files through `runtime`.
///
/// # Errors
/// Bytes that are something else, are damaged, belong to another fragment, or tell why the plan could not travel.
pub(crate) fn decode(key: &PlanKey, bytes: &[u8], runtime: &Arc<RuntimeEnv>) -> Result<Opened, ShipError> {
    let (_, body) = split(bytes)?;
    match postcard::from_bytes(body).map_err(|_| ShipError::Foreign)? {
        Letter::Refused(reason) => Err(ShipError::Refused(reason)),
        Letter::Plan(form) if form.id != key.fragment => Err(ShipError::OtherPlan(*key)),
        Letter::Plan(form) => {
            let is_timeless = form.containers.is_empty();
            aside(|| opened(form, runtime)).map(|plan| Opened { plan, is_timeless })
        }
    }
}

fn content_of(body: &[u8]) -> Content {
    XxHash3_128::oneshot(body)
}

/// The content that the bytes claim, and their body, which has it.
fn split(bytes: &[u8]) -> Result<(Content, &[u8]), ShipError> {
    let rest = bytes.strip_prefix(&FORMAT).ok_or(ShipError::Foreign)?;
    let (hash, body) = rest.split_first_chunk::<HASH_LEN>().ok_or(ShipError::Foreign)?;
    let content = u128::from_le_bytes(*hash);
    if content_of(body) == content { Ok((content, body)) } else { Err(ShipError::Damaged) }
}

/// Does `work` on a deep stack, which costs a mapping; a thread of its own would cost more than many a plan.
fn aside<T>(work: impl FnOnce() -> Result<T, ShipError>) -> Result<T, ShipError> {
    let done = stacker::grow(STACK_BYTES, || catch_unwind(AssertUnwindSafe(work)));
    done.unwrap_or(Err(ShipError::Foreign))
}

/// Looks whether a packed plan opens as it was.
fn verify(stored: &StoredPlan, form: FragmentForm, content: Content, verified: &Verified) -> Result<(), ShipError> {
    let reading = reading(&stored.fragment.plan);
    if verified.knows(content, reading) {
        return Ok(());
    }
    let opened = opened(form, &stored.runtime)?;
    same_plan(&stored.fragment.plan, &opened.fragment.plan)?;
    verified.learn(content, reading);
    Ok(())
}

fn opened(form: FragmentForm, runtime: &Arc<RuntimeEnv>) -> Result<StoredPlan, ShipError> {
    let config = restored_settings(&form.settings)?;
    let (id, ranges, inputs, tasks) = (form.id, form.ranges.clone(), form.inputs.clone(), form.tasks);
    if ranges.len() != inputs.len() {
        return Err(ShipError::Foreign);
    }
    let (plan, cut) = unpack::plan(form, &config, runtime)?;
    let fragment = FragmentPlan { id, plan, cut, tasks, inputs, waits_for: vec![] };
    let schema = fragment.plan.schema();
    Ok(StoredPlan { fragment, inputs: ranges, schema, config, runtime: Arc::clone(runtime) })
}
