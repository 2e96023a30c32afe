//! Many runs of one machine in a row: what their times were, and at which run they changed.
//!
//! | part | idea |
//! |---|---|
//! | `entry` | what is kept of a run: one line of a store |
//! | `series` | the times of one case, run after run |
//! | `divisive` | E-divisive change points with a deterministic test |
//! | `student` | that test |
//! | `render::history` | a [`History`] as table, Markdown, JSON or a picture |
//!
//! Stores are files of whoever keeps them; here are lines and what follows from them.

mod divisive;
mod entry;
mod series;
mod student;

pub use crate::render::history::{HistoryFormat, svg as history_svg, write as write_history};
pub use divisive::{ChangePoint, Sensitivity, change_points};
pub use entry::{ENTRY_SCHEMA, Entry, EntryCase, EntryError, EntryId};
pub use series::{Change, FailedRun, HISTORY_SCHEMA, History, Point, Series, history};
