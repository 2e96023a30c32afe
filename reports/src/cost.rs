//! What recorded work costs: prices as data, a model of line items, and what follows from both.
//!
//! | module | idea |
//! |---|---|
//! | `unit` | hours, gigabytes, amounts and prices that do not mix; low, base and high of each |
//! | `book` | price books: read, checked, built in |
//! | `usage` | recorded runs to hours per terabyte |
//! | `predict` | the same on node counts that were not measured, with an error or not at all |
//! | `scaled` | the same for jobs of a size that was not measured |
//! | `input` | what the model is fed, each number with its source |
//! | `model` | a month's bill, line by line |
//! | `offer` | the deployments that a book knows for a contestant |
//! | `pricing` | runs and a book to [`Pricing`]; two books side by side |
//! | `tornado` | what matters most |
//! | `break_even` | from where on one offer is cheaper than another |
//! | `sizing` | as many dollars beside as many nodes |
//! | `slowdown` | what a slow-down costs in a year |
//! | `show` | a [`Pricing`] as text, Markdown, JSON, FOCUS rows, SVG and HTML |

mod book;
mod break_even;
mod input;
mod model;
mod offer;
mod predict;
mod pricing;
mod scaled;
pub(crate) mod show;
mod sizing;
mod slowdown;
mod tornado;
mod unit;
mod usage;

pub use book::{
    BOOK_BYTES_MAX, BookError, Instance, Known, Needs, NotLinear, PriceBook, Provenance, Purchase, Unknown, built_in,
    built_in_names,
};
pub use break_even::{At as CrossingAt, Axis, Crossing, Within};
pub use input::{At, Inputs, Key};
pub use model::{Bill, Deployment, Line, LineCost, bill};
pub use offer::Offer;
pub use predict::{Basis, ERROR_MAX};
pub use pricing::{FamilyPricing, Jobs, PriceError, Pricing, Repriced, Scenario, known_books, price, reprice};
pub use scaled::{Scaled, Sizes};
pub use show::{CostFormat, DrawError, fragment, show};
pub use sizing::{SizedContestant, SizedType, Sizing};
pub use slowdown::{YearlyChange, cost_of_slowdown};
pub use tornado::{Swing, tornado};
pub use unit::{
    Amount, Count, Currency, CurrencyError, DAYS_PER_MONTH, GigabyteMonths, Gigabytes, HOURS_PER_MONTH, Hours, Money,
    Range, Rate,
};
pub use usage::{Asked, Place, Usage, WorkUsage, usage};
