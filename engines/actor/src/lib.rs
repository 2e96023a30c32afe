//! Ray's architecture as pure state machines: owners, leases, an object store on each node, and no stages.
//!
//! | module | idea |
//! |---|---|
//! | `style` | the [`Actor`] style: its switches and which machine stands where |
//! | `settings` | the switches, resolved once |
//! | `message` | what the machines say to each other |
//! | `link` | frames arrive once and in order, whatever the network does |
//! | `view` | the cluster as one machine knows it, and the hybrid placement policy |
//! | `resources` | what tasks ask for and nodes have |
//! | `layout` | a graph flattened: tasks, blocks and edges by number |
//! | `owner` | owns objects: futures, lineage, reference counts, leases; at the driver and, by switch, at nodes |
//! | `driver` | the submitting program and the membership service: jobs, runs, placement groups |
//! | `raylet` | a node: leases, resources, object store, pull admission |
//! | `keyed` | hash maps without a random seed |
//!
//! Invariant: nothing here knows a clock, a thread, a socket or a file; both hosts run this very code.

mod driver;
mod keyed;
mod layout;
mod link;
mod message;
mod owner;
mod raylet;
mod resources;
mod settings;
mod style;
mod view;

pub use message::{Frame, GroupId, Lease, Member, Note, Outcome, Part, Program, RunId, Shared};
pub use style::{Actor, ActorMachine};
