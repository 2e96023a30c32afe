//! Any style as an engine.

use crate::host::Running;
use crate::session::LiveSession;
use bench_model::{Capabilities, Engine, EngineError, EngineSetup, Family, Front, Registry, Session, Style};
use std::sync::Arc;

/// A style's machines on threads, memory and disk of this process.
///
/// Sessions are independent of each other except for the planner, which they share.
pub struct LiveEngine<S: Style> {
    style: S,
    front: Option<Arc<dyn Front>>,
    registry: Registry,
    about: &'static str,
}

impl<S: Style> LiveEngine<S> {
    /// An engine that plans queries with `front` and runs tasks with the kernels of `registry`.
    #[must_use]
    pub fn new(style: S, front: Arc<dyn Front>, registry: Registry) -> Self {
        Self { front: Some(front), ..Self::without_front(style, registry) }
    }

    /// An engine that runs ready graphs only: queries are [`EngineError::Unsupported`].
    #[must_use]
    pub fn without_front(style: S, registry: Registry) -> Self {
        Self { style, front: None, registry, about: "state machines on the slots of one process" }
    }

    /// Says in one line what it is.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Starts a session, as [`Engine::start`] does, without hiding its type.
    ///
    /// # Errors
    /// No slot, too little memory, an unwritable scratch folder, or no thread to be had.
    pub fn session(&self, setup: &EngineSetup) -> Result<LiveSession<S>, EngineError> {
        Running::start(&self.style, self.front.clone(), self.registry.clone(), setup).map(LiveSession::new)
    }
}

impl<S: Style> Engine for LiveEngine<S> {
    fn name(&self) -> &'static str {
        self.style.name()
    }

    fn capabilities(&self) -> Capabilities {
        let families = match self.front {
            Some(_) => vec![Family::Sql, Family::Dataframe, Family::Overhead],
            None => vec![Family::Overhead],
        };
        Capabilities { families, switches: self.style.switches(), slots_max: None, about: self.about }
    }

    fn start(&self, setup: &EngineSetup) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(self.session(setup)?))
    }
}
