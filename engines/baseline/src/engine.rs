//! The two engines and how they start.

use crate::session::BaselineSession;
use bench_model::{Capabilities, Engine, EngineError, EngineSetup, Family, Session};

/// DataFusion as it comes, with as many partitions and threads as there are slots.
#[derive(Clone, Copy, Debug, Default)]
pub struct Datafusion;

/// DataFusion with one partition on one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Datafusion1t;

fn capabilities(slots_max: Option<u32>, about: &'static str) -> Capabilities {
    Capabilities { families: vec![Family::Sql, Family::Dataframe], switches: &[], distributed: false, slots_max, about }
}

impl Engine for Datafusion {
    fn name(&self) -> &'static str {
        "datafusion"
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(None, "DataFusion's own execution on all slots of one process")
    }

    fn start(&self, setup: &EngineSetup) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(BaselineSession::start(setup, setup.slots)?))
    }
}

impl Engine for Datafusion1t {
    fn name(&self) -> &'static str {
        "datafusion-1t"
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(Some(1), "DataFusion's own execution on one thread: the baseline of COST")
    }

    fn start(&self, setup: &EngineSetup) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(BaselineSession::start(setup, 1)?))
    }
}
