//! A fragment's inputs and the block scans that number them.

use super::tree::Node;
use crate::block_scan::BlockScanExec;
use crate::error::PlanError;
use crate::fragment::FragmentPlan;
use datafusion::common::tree_node::{Transformed, TreeNode};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The plan with every block scan's input number replaced.
pub(super) fn rename(plan: &Node, number: &impl Fn(usize) -> usize) -> Result<Node, PlanError> {
    let renamed = Arc::clone(plan).transform_up(|node| match node.downcast_ref::<BlockScanExec>() {
        Some(scan) => Ok(Transformed::yes(Arc::new(scan.clone().with_input(number(scan.input()))) as Node)),
        None => Ok(Transformed::no(node)),
    })?;
    Ok(renamed.data)
}

/// The input numbers that the plan's scans name.
pub(super) fn read_inputs(fragment: &FragmentPlan) -> BTreeSet<usize> {
    fragment.scans().iter().filter_map(|s| s.downcast_ref::<BlockScanExec>()).map(BlockScanExec::input).collect()
}

/// The fragment without the inputs that none of its scans names.
pub(super) fn without_unread(fragment: &FragmentPlan) -> Result<FragmentPlan, PlanError> {
    let read = read_inputs(fragment);
    let numbers: BTreeMap<usize, usize> = read.iter().copied().zip(0..).collect();
    let inputs = fragment.inputs.iter().enumerate().filter(|(i, _)| read.contains(i)).map(|(_, i)| i.clone()).collect();
    let plan = rename(&fragment.plan, &|old| numbers.get(&old).copied().unwrap_or(old))?;
    Ok(FragmentPlan { plan, inputs, ..fragment.clone() })
}
