//! Where planned fragments wait for their tasks: shared by the front, which plans, and the kernel, which runs.

use crate::error::PlanError;
use crate::fragment::{FragmentPlan, JobPlan};
use crate::ship::{self, Content, ShipError, Verified};
use bench_model::{FragmentId, JobId};
use bytes::Bytes;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::runtime_env::RuntimeEnv;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockWriteGuard};

/// Names one version of one fragment's plan; a task's kernel arguments are its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanKey {
    /// Which job.
    pub job: JobId,
    /// Which of its fragments.
    pub fragment: FragmentId,
    /// Which version of the job's plan.
    pub revision: u32,
}

impl PlanKey {
    const LEN: usize = 16;

    /// Sixteen little-endian bytes: job, fragment, revision.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend_from_slice(&self.job.0.to_le_bytes());
        bytes.extend_from_slice(&self.fragment.0.to_le_bytes());
        bytes.extend_from_slice(&self.revision.to_le_bytes());
        bytes.into()
    }

    /// The key that [`PlanKey::encode`] wrote; none if the bytes are something else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (job, rest) = bytes.split_first_chunk::<8>()?;
        let (fragment, rest) = rest.split_first_chunk::<4>()?;
        let revision: &[u8; 4] = rest.try_into().ok()?;
        Some(Self {
            job: JobId(u64::from_le_bytes(*job)),
            fragment: FragmentId(u32::from_le_bytes(*fragment)),
            revision: u32::from_le_bytes(*revision),
        })
    }
}

/// A fragment's plan with what its tasks need besides.
#[derive(Debug)]
pub struct StoredPlan {
    /// The fragment.
    pub fragment: FragmentPlan,
    /// For each of the fragment's inputs, the kernel inputs that hold its blocks.
    pub inputs: Vec<Range<usize>>,
    /// The columns of the fragment's rows.
    pub schema: SchemaRef,
    /// Settings that operators look at while running.
    pub config: SessionConfig,
    /// File access and file-metadata cache; a task replaces memory pool and spill folder.
    pub runtime: Arc<RuntimeEnv>,
}

/// Plans by key. Cheap to clone; clones share the plans.
///
/// In the process that plans, a plan is published and forgotten with its job. In any other it is adopted from bytes; the
/// last [`PlanStore::ADOPTED_MAX`] of those are kept, since jobs that end are not announced there, and a plan that
/// arrives again, for another job, is not opened again.
#[derive(Clone, Debug, Default)]
pub struct PlanStore(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    published: RwLock<BTreeMap<PlanKey, Arc<Published>>>,
    adopted: RwLock<Adopted>,
    /// What was verified when it was shipped.
    verified: Verified,
    /// File access and file-metadata cache of plans from elsewhere.
    runtime: OnceLock<Arc<RuntimeEnv>>,
}

#[derive(Debug)]
struct Published {
    plan: Arc<StoredPlan>,
    /// Its bytes, made when they are first asked for: tasks of this process need none.
    shipment: OnceLock<Bytes>,
}

/// Plans from elsewhere, and their keys from the oldest to the newest.
#[derive(Debug, Default)]
struct Adopted {
    plans: BTreeMap<PlanKey, Arc<StoredPlan>>,
    order: VecDeque<PlanKey>,
    /// Those that jobs may share, by content; and their contents from the oldest to the newest.
    timeless: BTreeMap<Content, Arc<StoredPlan>>,
    contents: VecDeque<Content>,
}

impl Adopted {
    fn keep(&mut self, key: PlanKey, plan: &Arc<StoredPlan>) {
        if self.plans.insert(key, Arc::clone(plan)).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > PlanStore::ADOPTED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.plans.remove(&oldest);
        }
    }

    fn share(&mut self, content: Content, plan: &Arc<StoredPlan>) {
        if self.timeless.insert(content, Arc::clone(plan)).is_none() {
            self.contents.push_back(content);
        }
        if self.contents.len() > PlanStore::ADOPTED_MAX
            && let Some(oldest) = self.contents.pop_front()
        {
            self.timeless.remove(&oldest);
        }
    }
}

impl PlanStore {
    /// How many plans from elsewhere are kept.
    pub const ADOPTED_MAX: usize = 256;

    /// Makes the current revision of a job's fragments available to tasks. Earlier revisions stay for tasks that were
    /// started with them.
    ///
    /// # Errors
    /// The fragments do not fit together; nothing is stored then.
    pub fn publish(&self, plan: &JobPlan, config: &SessionConfig, runtime: &Arc<RuntimeEnv>) -> Result<(), PlanError> {
        let mut stored = Vec::with_capacity(plan.fragments.len());
        for id in plan.order()? {
            let fragment = plan.fragments.get(&id).ok_or(PlanError::MissingFragment(id))?;
            let entry = StoredPlan {
                fragment: fragment.clone(),
                inputs: plan.input_ranges(fragment)?,
                schema: fragment.plan.schema(),
                config: config.clone(),
                runtime: Arc::clone(runtime),
            };
            let entry = Published { plan: Arc::new(entry), shipment: OnceLock::new() };
            stored.push((plan.key(id), Arc::new(entry)));
        }
        let mut published = self.0.published.write().unwrap_or_else(PoisonError::into_inner);
        // What has not changed is there already, perhaps with its bytes.
        for (key, entry) in stored {
            published.entry(key).or_insert(entry);
        }
        Ok(())
    }

    /// The plan of that key, until its job is forgotten.
    #[must_use]
    pub fn get(&self, key: &PlanKey) -> Option<Arc<StoredPlan>> {
        if let Some(published) = self.published(key) {
            return Some(Arc::clone(&published.plan));
        }
        self.0.adopted.read().unwrap_or_else(PoisonError::into_inner).plans.get(key).cloned()
    }

    /// The published plan of that key as bytes that [`PlanStore::adopt`] takes in another process. A plan that cannot
    /// travel gives bytes that say why.
    #[must_use]
    pub fn ship(&self, key: &PlanKey) -> Option<Bytes> {
        let published = self.published(key)?;
        let encode = || ship::encode(&published.plan, &self.0.verified);
        Some(published.shipment.get_or_init(encode).clone())
    }

    /// Keeps the plan that [`PlanStore::ship`] gave for `key` elsewhere.
    ///
    /// # Errors
    /// The bytes are no such plan; see [`ShipError`].
    pub fn adopt(&self, key: &PlanKey, bytes: &[u8]) -> Result<Arc<StoredPlan>, ShipError> {
        let content = ship::content(bytes)?;
        let known = self.adopted().timeless.get(&content).cloned();
        if let Some(plan) = known.filter(|plan| plan.fragment.id == key.fragment) {
            self.adopted().keep(*key, &plan);
            return Ok(plan);
        }
        let opened = ship::decode(key, bytes, self.0.runtime.get_or_init(Arc::default))?;
        let plan = Arc::new(opened.plan);
        let mut adopted = self.adopted();
        if let Some(earlier) = adopted.plans.get(key) {
            // Another slot asked for it at the same time.
            return Ok(Arc::clone(earlier));
        }
        adopted.keep(*key, &plan);
        if opened.is_timeless {
            adopted.share(content, &plan);
        }
        Ok(plan)
    }

    fn adopted(&self) -> RwLockWriteGuard<'_, Adopted> {
        self.0.adopted.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops every plan of a job.
    pub fn forget(&self, job: JobId) {
        self.0.published.write().unwrap_or_else(PoisonError::into_inner).retain(|key, _| key.job != job);
        let mut adopted = self.adopted();
        adopted.plans.retain(|key, _| key.job != job);
        adopted.order.retain(|key| key.job != job);
    }

    /// How many plans are held.
    #[must_use]
    pub fn len(&self) -> usize {
        let published = self.0.published.read().unwrap_or_else(PoisonError::into_inner).len();
        published + self.0.adopted.read().unwrap_or_else(PoisonError::into_inner).plans.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn published(&self, key: &PlanKey) -> Option<Arc<Published>> {
        self.0.published.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_encoding_and_nothing_else_decodes() {
        let key = PlanKey { job: JobId(u64::MAX - 1), fragment: FragmentId(7), revision: 3 };
        let bytes = key.encode();
        assert_eq!(PlanKey::decode(&bytes), Some(key));
        assert_eq!(PlanKey::decode(&bytes[..15]), None);
        assert_eq!(PlanKey::decode(&[&bytes[..], &[0]].concat()), None);
    }
}
