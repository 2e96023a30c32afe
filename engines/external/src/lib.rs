//! The products that people choose between, driven as they are: which there are, how they are installed, how they are started.
//!
//! | module | idea |
//! |---|---|
//! | `catalog` | the products as data, and whatever engines a user adds |
//! | `drivers` | the drivers inside this program, written out where Python finds them |
//! | `needs` | what has to be on this machine: Python, Java, a C library |
//! | `store` | what is installed where, whole or not |
//! | `configuration` | how a product can be set, and how that was found |
//! | `identity` | what makes a product the same one in two runs |
//! | `install` | a virtual environment with exactly the locked packages |
//! | `lock` | lists of packages with their hashes |
//! | `fit` | a package published for a newer C library, fitted to this one |
//! | `port` | a port that a product needs, kept for it while others run beside it |
//! | `environment` | the variables a product is started with, and nothing else |
//!
//! A driver is a Python program in `python/NAME/`; what they share is `python/bench_driver/`. `docs/products.md` is for users,
//! `docs/engine-protocol.md` for authors of drivers.

mod catalog;
mod configuration;
mod drivers;
mod environment;
mod error;
mod fit;
mod identity;
mod install;
mod lock;
mod needs;
mod port;
mod store;

pub use catalog::{AttachOption, CONFIG, Catalog, DEFAULT, Fitted, Product, Source, TUNED};
pub use environment::Surroundings;
pub use error::ExternalError;
pub use install::Progress;
pub use port::KeptPort;
pub use store::{Command, State, Store};
