//! Kernels that make, shuffle, add up and return rows, and a planner that knows their graphs by name.

use super::graphs::{fragment, reads};
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use bench_model::{
    Dataset, EngineError, Exchange, Fragment, FragmentId, Front, Graph, JobId, Kernel, KernelId, Lowered, Planned,
    Read, StageStats, StyleEnv, TaskContext, TaskFailure, Workload,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

pub fn numbers(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(values.into_iter().collect::<Int64Array>());
    RecordBatch::try_new(schema(), vec![column]).unwrap()
}

/// Writes the numbers `rows * partition ..` to its outputs by their remainder.
pub struct Deal {
    pub rows: i64,
    pub outputs: u32,
}

impl Kernel for Deal {
    fn id(&self) -> KernelId {
        KernelId::new("deal/1")
    }
    fn run(&self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        let from = self.rows * i64::from(cx.partition());
        let step = self.outputs as usize;
        for start in (from..from + self.rows).step_by(8192) {
            let end = (start + 8192).min(from + self.rows);
            for output in 0..self.outputs {
                let first = start + (i64::from(output) - start).rem_euclid(i64::from(self.outputs));
                cx.write(output, &numbers((first..end).step_by(step)))?;
            }
        }
        Ok(())
    }
}

/// Adds up every row of every input and writes the sum.
pub struct Sum;

impl Kernel for Sum {
    fn id(&self) -> KernelId {
        KernelId::new("sum/1")
    }
    fn run(&self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        let mut sum = 0i64;
        for input in 0..cx.inputs() {
            for batch in cx.read(input)? {
                sum += batch?.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
            }
        }
        cx.write(0, &numbers([sum]))
    }
}

/// What a [`Hook`] runs.
pub type Run = Box<dyn Fn(&mut dyn TaskContext) -> Result<(), TaskFailure> + Send + Sync>;

/// A kernel that a test writes itself.
pub struct Hook(pub Run);

impl Kernel for Hook {
    fn id(&self) -> KernelId {
        KernelId::new("hook/1")
    }
    fn run(&self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        (self.0)(cx)
    }
}

/// `maps` tasks deal rows to `reduces` tasks, which add them up; the answer is one row per reduce task.
pub fn shuffle(maps: u32, reduces: u32) -> Graph {
    let map = Fragment { exchange: Exchange::Hash, outputs: reduces, ..fragment(0, "deal/1", maps, vec![]) };
    let reduce = Fragment { exchange: Exchange::Collect, ..fragment(1, "sum/1", reduces, reads(0, Read::Aligned)) };
    Graph { fragments: vec![map, reduce], result: FragmentId(1) }
}

/// One fragment of hooks whose rows are the answer.
pub fn hooks(tasks: u32) -> Graph {
    let hook = Fragment { exchange: Exchange::Collect, ..fragment(0, "hook/1", tasks, vec![]) };
    Graph { fragments: vec![hook], result: FragmentId(0) }
}

/// Plans a query by looking its name up.
#[derive(Default)]
pub struct Plans {
    pub graphs: BTreeMap<&'static str, Graph>,
    pub replans: AtomicU32,
    pub known: Mutex<Vec<JobId>>,
}

impl Front for Plans {
    fn prepare(&self, _data: &[Arc<Dataset>]) -> Result<(), EngineError> {
        Ok(())
    }
    fn lower(&self, job: JobId, workload: &Workload, _env: &StyleEnv) -> Result<Lowered, EngineError> {
        let Some(graph) = self.graphs.get(workload.name.as_str()) else {
            return Err(EngineError::Program { workload: workload.name.clone(), message: "no such plan".to_owned() });
        };
        self.known.lock().unwrap().push(job);
        Ok(Lowered { graph: Arc::new(graph.clone()), schema: schema() })
    }
    fn replan(&self, job: JobId, _stats: &StageStats, _fixed: &[FragmentId]) -> Planned {
        self.replans.fetch_add(1, Ordering::Relaxed);
        Planned { job, graph: None, notes: vec![] }
    }
    fn explain(&self, _job: JobId) -> String {
        "the plan".to_owned()
    }
    fn forget(&self, job: JobId) {
        self.known.lock().unwrap().retain(|j| *j != job);
    }
}
