//! Whether two plans would run alike, as far as they say themselves.

use super::{Node, ShipError};
use datafusion::arrow::datatypes::Schema;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::{ExecutionPlanProperties, displayable};
use std::fmt::Write;
use twox_hash::XxHash3_128;

/// Everything that [`same_plan`] compares, as a number: plans with equal readings are the same to it.
pub(super) fn reading(plan: &Node) -> u128 {
    let mut text = String::new();
    read(plan, &mut text);
    XxHash3_128::oneshot(text.as_bytes())
}

fn read(plan: &Node, text: &mut String) {
    let (children, partitions) = (plan.children(), plan.output_partitioning().partition_count());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} {partitions} {}", children.len(), line(plan));
    for field in plan.schema().fields() {
        let _ = writeln!(text, "{:?} {:?} {}", field.name(), field.data_type(), field.is_nullable());
    }
    children.into_iter().for_each(|child| read(child, text));
}

/// Whether both plans have the same operators with the same columns and partitions.
///
/// # Errors
/// [`ShipError::Changed`] names the first operator that differs.
pub(super) fn same_plan(sent: &Node, received: &Node) -> Result<(), ShipError> {
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
