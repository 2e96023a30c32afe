//! The switches that the machines themselves obey, read once; planners and hosts read the others.

use bench_model::{Nanos, StyleEnv};

/// A steal or a transfer costs at least this much (Dask's `LATENCY`).
pub(crate) const LATENCY: Nanos = Nanos::from_millis(100);

/// What the scheduler obeys.
pub(crate) struct Settings {
    pub(crate) cull: bool,
    pub(crate) fuse: bool,
    pub(crate) depth_first: bool,
    pub(crate) locality: bool,
    /// How full a worker may be before root tasks wait at the scheduler; no limit if absent.
    pub(crate) saturation: Option<f64>,
    /// Bytes a second.
    pub(crate) bandwidth: u64,
    pub(crate) unknown_duration: Nanos,
    /// How often work is balanced; never if absent.
    pub(crate) stealing: Option<Nanos>,
    pub(crate) p2p: bool,
    pub(crate) replicate: usize,
    /// How often surplus replicas are dropped; never if absent.
    pub(crate) reduce_replicas: Option<Nanos>,
    pub(crate) retries: u32,
    pub(crate) allowed_failures: u32,
    /// A defect for tests: an answer of an earlier attempt counts as the latest one's.
    pub(crate) planted: bool,
}

impl Settings {
    pub(crate) fn of(env: &StyleEnv, planted: bool) -> Self {
        let tuning = &env.tuning;
        let millis = |name: &str| Nanos::from_millis(tuning.count(name).max(1));
        let count = |name: &str| u32::try_from(tuning.count(name)).unwrap_or(u32::MAX);
        let saturation = tuning.ratio("worker_saturation");
        Self {
            cull: tuning.is_on("cull"),
            fuse: tuning.is_on("fuse"),
            depth_first: tuning.is_on("depth_first"),
            locality: tuning.is_on("locality"),
            saturation: (tuning.is_on("queuing") && saturation > 0.0).then_some(saturation),
            bandwidth: tuning.count("bandwidth").max(1),
            unknown_duration: millis("unknown_duration_ms"),
            stealing: tuning.is_on("stealing").then(|| millis("stealing_interval_ms")),
            p2p: tuning.is_on("p2p"),
            replicate: tuning.count("replicate") as usize,
            reduce_replicas: tuning.is_on("reduce_replicas").then(|| millis("reduce_replicas_ms")),
            retries: count("retries"),
            allowed_failures: count("allowed_failures"),
            planted,
        }
    }

    /// How long so many bytes travel.
    pub(crate) fn transfer(&self, bytes: u64) -> u64 {
        (bytes as f64 / self.bandwidth as f64 * 1e9) as u64
    }
}

/// What a worker obeys.
pub(crate) struct Limits {
    /// How many blocks are gathered at a time.
    pub(crate) transfers: usize,
    /// How many bytes are gathered at a time.
    pub(crate) transfer_bytes: u64,
    /// The levels of memory; nothing is measured if absent.
    pub(crate) memory: Option<Levels>,
}

/// Levels of memory in bytes; one that is switched off is out of reach.
#[derive(Clone, Copy)]
pub(crate) struct Levels {
    /// Blocks in memory beyond this are spilled, and spilling goes on until this is reached.
    pub(crate) target: u64,
    /// Blocks are spilled when the process holds more than this.
    pub(crate) spill: u64,
    /// Nothing new starts beyond this.
    pub(crate) pause: u64,
    /// The worker is given up beyond this.
    pub(crate) terminate: u64,
    /// How often memory is measured.
    pub(crate) interval: Nanos,
}

impl Limits {
    pub(crate) fn of(env: &StyleEnv) -> Self {
        let tuning = &env.tuning;
        let part = |name: &str, on: bool| match (env.memory, tuning.ratio(name)) {
            (Some(memory), share) if on && share > 0.0 => (memory.get() as f64 * share) as u64,
            _ => u64::MAX,
        };
        let spilling = tuning.is_on("spill");
        let memory = env.memory.map(|_| Levels {
            target: part("memory_target", spilling),
            spill: part("memory_spill", spilling),
            pause: part("memory_pause", tuning.is_on("pause")),
            terminate: part("memory_terminate", tuning.is_on("terminate")),
            interval: Nanos::from_millis(tuning.count("memory_interval_ms").max(1)),
        });
        Self {
            transfers: (tuning.count("transfers") as usize).max(1),
            transfer_bytes: part("transfer_memory", true),
            memory,
        }
    }
}
