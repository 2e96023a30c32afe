//! Blocks between processes, over Arrow Flight's `DoGet`.
//!
//! A ticket names blocks of a session that are on one node: a task reads many small ones, and a call costs more than a
//! small block does. In the answer each block begins with its schema, as Flight wants it; then come its extents, the very
//! bytes that the store of the other node holds, cut into pieces that fit a gRPC message however large a batch is. Each
//! extent travels with the checksum taken when it was written, and the receiver compares it before it
//! decodes anything. On one host a block's answer may instead be where
//! its bytes are, to be mapped.
//!
//! A block that is not to be had is answered by the [`bench_model::TaskFailure`] that says why, and the next one follows;
//! so is one whose checksum differs. Anything else (no connection, a deadline) ends the call: the rest cannot be had.
//!
//! | module | idea |
//! |---|---|
//! | `ticket` | what is asked for, and the heads of what comes back |
//! | `service` | the serving side |
//! | `courier` | the fetching side: runs on the I/O runtime, hands over to a slot's thread |
//! | `waiting` | how that thread waits |

mod courier;
mod service;
mod ticket;
mod waiting;

pub(crate) use courier::{Courier, Delivery, Parcel, Place};
pub(crate) use service::{Encoded, Extent, FlightService, Shelf};
pub(crate) use ticket::{Mapped, Mapping, boot_id};

#[cfg(test)]
mod tests;
