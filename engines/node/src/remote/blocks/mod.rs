//! Blocks and plans between processes, over Arrow Flight's `DoGet`.
//!
//! A ticket names a block of a session. The answer begins with the block's schema, as Flight wants it; then come its
//! extents, the very bytes that the store of the other node holds, cut into pieces that fit a gRPC message however large
//! a batch is. Each extent travels with the checksum taken when it was written, and the receiver compares it before it
//! decodes anything. On one host the answer may instead be where the sealed bytes are, to be mapped.
//!
//! What went wrong at the other end comes back as the [`bench_model::TaskFailure`] it was, encoded in the status'
//! details; anything else (no connection, a deadline) is a block that cannot be had.
//!
//! | module | idea |
//! |---|---|
//! | `ticket` | what is asked for, and the heads of what comes back |
//! | `service` | the serving side |
//! | `courier` | the fetching side: runs on the I/O runtime, hands over to a slot's thread |

mod courier;
mod service;
mod ticket;

pub(crate) use courier::{Courier, Delivery, Parcel, Place};
pub(crate) use service::{Encoded, Extent, FlightService, Shelf};
pub(crate) use ticket::{Ticket, boot_id};

#[cfg(test)]
mod tests;
