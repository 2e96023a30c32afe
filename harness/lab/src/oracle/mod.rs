//! The oracle: answers to digests, and digests compared.
//!
//! What "equal" means, whatever engine made the answer:
//! - an answer is a multiset of rows; columns correspond by position, names are only used to talk about them;
//! - integers of every width and decimals of every precision and scale are numbers: `5`, `5.00` and `5::HUGEINT` are equal;
//! - text is bytes: plain, large, view and dictionary encodings are equal, and so is unannotated binary;
//! - `DATE` counts days whatever its width; a timestamp counts nanoseconds since the epoch (UTC) whatever its unit. A date
//!   and a timestamp at midnight are different values: an engine that returns the other type has to cast;
//! - NULL equals NULL and nothing else; every NaN is one value; `-0.0` is `0.0`;
//! - floating-point columns, and columns the check lists, are equal within a relative tolerance of the column's magnitude.
//!   A single value may therefore differ by up to the tolerance times the sum of all magnitudes of its column.

mod canonical;
mod compare;
mod digester;
mod order;
mod stored;
mod sums;

pub use compare::{Mismatch, compare};
pub use digester::{Digester, digest};
pub use stored::{DigestFileError, digest_parquet, digest_parquet_file};
