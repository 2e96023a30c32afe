//! A fragment's plan as bytes, for tasks in another process.
//!
//! | module | idea |
//! |---|---|
//! | `form` | what travels: a fragment as plain data, its operators as a list |
//! | `pack` | a plan becomes that list |
//! | `unpack` | the list becomes a plan again |
//! | `functions` | DataFusion's functions, which travel by name |
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
//! Both directions run on a thread of their own, whose stack is good for the deepest plan that is let through. A decoder
//! that panics over strange bytes ends that thread and nothing else.
//!
//! Invariant: what leaves has been opened again and reads the same, operator by operator. An operator whose encoding
//! drops something is refused with its name; it is never run in another way than was planned.

mod error;
mod form;
mod functions;
mod pack;
mod unpack;

pub use error::ShipError;

use crate::fragment::FragmentPlan;
use crate::settings::{changed_settings, restored_settings};
use crate::store::{PlanKey, StoredPlan};
use bytes::Bytes;
use datafusion::arrow::datatypes::Schema;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, displayable};
use form::{FragmentForm, Letter};
use std::sync::Arc;
use twox_hash::XxHash3_128;

/// The form of what follows the checksum; a process that knows another one refuses.
const FORMAT: [u8; 4] = *b"bp/1";
const HASH_LEN: usize = 16;

type Node = Arc<dyn ExecutionPlan>;

/// Four times what a plan of the greatest depth was seen to take.
const STACK_BYTES: usize = 16 << 20;

/// The plan of `key` as bytes. Where it cannot travel, the bytes say why, so that whoever asked learns it.
///
/// The first four bytes name the format, the next sixteen are the hash of the rest.
#[must_use]
pub(crate) fn encode(key: &PlanKey, stored: &StoredPlan) -> Bytes {
    let letter = match aside(|| packed(stored)) {
        Ok(fragment) => Letter::Plan { key: key.encode().to_vec(), fragment },
        Err(error) => Letter::Refused(error.to_string()),
    };
    // Plain data with sizes known: writing it to memory cannot fail.
    let body = postcard::to_stdvec(&letter).unwrap_or_default();
    let hash = XxHash3_128::oneshot(&body).to_le_bytes();
    [&FORMAT[..], &hash, &body].concat().into()
}

/// The plan that [`encode`] wrote for `key`; it reads files through `runtime`.
///
/// # Errors
/// Bytes that are something else, are damaged, belong to another key, or tell why the plan could not travel.
pub(crate) fn decode(key: &PlanKey, bytes: &[u8], runtime: &Arc<RuntimeEnv>) -> Result<StoredPlan, ShipError> {
    let rest = bytes.strip_prefix(&FORMAT).ok_or(ShipError::Foreign)?;
    let (hash, body) = rest.split_first_chunk::<HASH_LEN>().ok_or(ShipError::Foreign)?;
    if XxHash3_128::oneshot(body) != u128::from_le_bytes(*hash) {
        return Err(ShipError::Damaged);
    }
    match postcard::from_bytes(body).map_err(|_| ShipError::Foreign)? {
        Letter::Refused(reason) => Err(ShipError::Refused(reason)),
        Letter::Plan { key: given, .. } if given != key.encode() => Err(ShipError::OtherPlan(*key)),
        Letter::Plan { fragment, .. } => aside(|| opened(key, fragment, runtime)),
    }
}

/// Does `work` on a thread with a deep stack.
fn aside<T: Send>(work: impl FnOnce() -> Result<T, ShipError> + Send) -> Result<T, ShipError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("plan-ship".to_owned()).stack_size(STACK_BYTES);
        let running = thread.spawn_scoped(scope, work).map_err(ShipError::Thread)?;
        running.join().unwrap_or(Err(ShipError::Foreign))
    })
}

/// The plan in its form, after looking whether it opens as it was.
fn packed(stored: &StoredPlan) -> Result<FragmentForm, ShipError> {
    let mut form = pack::fragment(&stored.fragment)?;
    form.ranges.clone_from(&stored.inputs);
    form.settings = changed_settings(&stored.config);
    let key = PlanKey { job: bench_model::JobId(0), fragment: stored.fragment.id, revision: 0 };
    let opened = opened(&key, form.clone(), &stored.runtime)?;
    same_plan(&stored.fragment.plan, &opened.fragment.plan)?;
    Ok(form)
}

fn opened(key: &PlanKey, form: FragmentForm, runtime: &Arc<RuntimeEnv>) -> Result<StoredPlan, ShipError> {
    let config = restored_settings(&form.settings)?;
    let (ranges, inputs, tasks) = (form.ranges.clone(), form.inputs.clone(), form.tasks);
    if ranges.len() != inputs.len() {
        return Err(ShipError::Foreign);
    }
    let (plan, cut) = unpack::plan(form, &config, runtime)?;
    let fragment = FragmentPlan { id: key.fragment, plan, cut, tasks, inputs, waits_for: vec![] };
    let schema = fragment.plan.schema();
    Ok(StoredPlan { fragment, inputs: ranges, schema, config, runtime: Arc::clone(runtime) })
}

/// Whether both plans have the same operators with the same columns and partitions.
fn same_plan(sent: &Node, received: &Node) -> Result<(), ShipError> {
    let partitions = |plan: &Node| plan.output_partitioning().partition_count();
    if !same_columns(&sent.schema(), &received.schema()) || partitions(sent) != partitions(received) {
        return Err(changed(sent, received));
    }
    same_operators(sent, received)
}

fn same_operators(sent: &Node, received: &Node) -> Result<(), ShipError> {
    let (inputs, arrived) = (sent.children(), received.children());
    if line(sent) != line(received) || inputs.len() != arrived.len() {
        return Err(changed(sent, received));
    }
    inputs.into_iter().zip(arrived).try_for_each(|(a, b)| match b.children().as_slice() {
        // A recursive query that is made anew projects its terms to its own columns once more, if the encoding of a cast
        // has left out that its result may be NULL.
        [projected] if sent.is::<RecursiveQueryExec>() && line(a) != line(b) => same_operators(a, projected),
        _ => same_plan(a, b),
    })
}

/// An operator as text, without its inputs.
fn line(plan: &Node) -> String {
    let text = displayable(plan.as_ref()).one_line().to_string();
    // What follows may be the value that the subquery has already been found to have here.
    text.split("scalar_subquery(").next().unwrap_or_default().trim().to_owned()
}

fn changed(sent: &Node, received: &Node) -> ShipError {
    ShipError::Changed { sent: line(sent), received: line(received) }
}

fn same_columns(a: &Schema, b: &Schema) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields()
            .iter()
            .zip(b.fields())
            .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type() && a.is_nullable() == b.is_nullable())
}
