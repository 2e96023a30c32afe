//! Any style as an engine.

use crate::host::{Running, Seat};
use crate::remote::{Fleet, NodePlan};
use crate::session::LiveSession;
use bench_model::{
    Capabilities, ClusterSpec, Engine, EngineError, EngineSetup, Family, Front, Registry, Session, Style,
};
use std::sync::Arc;

/// A style's machines on threads, memory and disk of this process, or on node processes.
///
/// Sessions are independent of each other except for the planner, which they share.
pub struct LiveEngine<S: Style> {
    style: S,
    front: Option<Arc<dyn Front>>,
    registry: Registry,
    nodes: Option<NodePlan>,
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
        let about = "state machines on the slots of one process";
        Self { style, front: None, registry, nodes: None, about }
    }

    /// Lets it run on node processes, where a setup asks for them.
    #[must_use]
    pub fn with_nodes(mut self, nodes: NodePlan) -> Self {
        self.nodes = Some(nodes);
        self
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
    /// No slot, too little memory, an unwritable scratch folder, no thread to be had, or a node that does not join.
    pub fn session(&self, setup: &EngineSetup) -> Result<LiveSession<S>, EngineError> {
        let (front, registry) = (self.front.clone(), self.registry.clone());
        if setup.cluster == ClusterSpec::Local {
            let running = Running::start(&self.style, Seat::Alone, front, registry, setup)?;
            return Ok(LiveSession::new(running, None));
        }
        let missing = || EngineError::Unsupported("this engine was built without a way to start nodes".to_owned());
        let plan = self.nodes.clone().ok_or_else(missing)?;
        let (fleet, running) = Fleet::start(&self.style, front, registry, setup, plan)?;
        Ok(LiveSession::new(running, Some(fleet)))
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
        Capabilities {
            families,
            switches: self.style.switches(),
            distributed: self.nodes.is_some(),
            slots_max: None,
            about: self.about,
        }
    }

    fn start(&self, setup: &EngineSetup) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(self.session(setup)?))
    }
}
