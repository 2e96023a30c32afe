//! The messages between harness and engine process. One JSON object per line; unknown fields are refused.
//!
//! Long because: the whole protocol, which docs/engine-protocol.md describes, is this file.

use super::spans::WireSpans;
use crate::live::Refusals;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use bench_model::{
    Bytes, Check, ClusterSpec, Dataset, Digest, EngineError, EngineSetup, FaultOutcome, FaultPlan, Format, Nanos,
    Probe, SpanReport, Table, Tuning, Workload,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The version of the protocol. Both sides must speak the same.
pub const PROTOCOL: u32 = 1;
/// The longest line either side accepts, its newline included: a graph of 100,000 fragments takes 20 MiB.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// A message with its number. A reply carries the number of its request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope<T> {
    /// The request's number, counted up from 1.
    pub id: u64,
    /// The message.
    pub body: T,
}

/// From harness to engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Say who you are. Always first.
    Hello {
        /// The version the harness speaks.
        protocol: u32,
    },
    /// Start the engine.
    Start(WireSetup),
    /// Make these datasets known; replaces those of an earlier load.
    Load {
        /// The datasets.
        datasets: Vec<WireDataset>,
    },
    /// Get ready for what goes wrong on purpose during the next run; replaces what an earlier request planned for it.
    Arm {
        /// What goes wrong.
        faults: FaultPlan,
    },
    /// Run a workload and hold its whole answer.
    Run {
        /// What to compute.
        workload: Box<Workload>,
        /// Whether a digest will ask what each task did.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        trace: bool,
    },
    /// Stop the named run as soon as possible. Has no reply of its own: the run is answered, usually as cancelled.
    Cancel {
        /// The number of the `run` request.
        run: u64,
    },
    /// Fingerprint the answer that is held, then drop it.
    Digest {
        /// How it is checked.
        check: Box<Check>,
        /// Where to leave it as Parquet, if it is to be kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep: Option<PathBuf>,
        /// Where to leave what each task did, as JSON, if the engine knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<PathBuf>,
    },
    /// Drop the answer that is held, if there is one: that of a run that only warmed the engine up.
    Discard,
    /// Explain a workload.
    Explain {
        /// What would be computed.
        workload: Box<Workload>,
        /// Whether to run it as well and tell what changed on the way.
        analyze: bool,
    },
    /// Do work that does nothing and time it.
    Probe(Probe),
    /// End the process.
    Stop,
}

/// From engine to harness: exactly one per request, except [`Request::Cancel`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// Who the engine is.
    Hello(Hello),
    /// It is ready to load.
    Started,
    /// The datasets are known.
    Loaded,
    /// Every node is up, in such a way that the faults can be done to it.
    Armed,
    /// The whole answer is held. Sent before anything else is done with it.
    Ran(Ran),
    /// The fingerprint, or what to make it of.
    Digested {
        /// The digest, from an engine of this very build. Absent if `mismatch` or `result` says something instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
        /// How the answer contradicts the check by itself (an order that is none).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mismatch: Option<String>,
        /// A Parquet file with the answer, for engines that leave the digest to the harness.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<PathBuf>,
        /// Where the product's slots spent the run, from an engine of somebody else's that was started with `spans`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spans: Option<WireSpans>,
        /// What digesting took.
        check_ns: u64,
    },
    /// No answer is held any more.
    Discarded,
    /// The explanation.
    Explained {
        /// Text for people.
        text: String,
    },
    /// What was timed.
    Probed {
        /// In the order the samples were taken.
        samples_ns: Vec<Nanos>,
    },
    /// The last word.
    Stopped,
    /// The request failed.
    Failed {
        /// In which way.
        kind: FailureKind,
        /// Why, for people.
        message: String,
        /// What came of the faults that were planned for a run: one that ended it has fired.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        faults: Vec<FaultOutcome>,
    },
}

/// Who an engine process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The version of the protocol it speaks.
    pub protocol: u32,
    /// The engine's name.
    pub engine: String,
    /// The engine's own version, read from the live engine.
    pub version: String,
    /// Forms of programs that it runs none of, and why.
    #[serde(default, skip_serializing_if = "Refusals::is_empty")]
    pub refuses: Refusals,
}

/// A run that came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ran {
    /// From submitting the program to holding the whole answer, in the engine's process. Only an engine of this very build
    /// is believed; for all others the harness's own clock counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ns: Option<u64>,
    /// Rows of the answer.
    pub rows: u64,
    /// Where slot time went, from an engine of this very build: all others tell with the digest, where reading takes no time
    /// of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spans: Option<SpanReport>,
    /// What the engine decided on the way, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What came of the faults that were planned for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultOutcome>,
    /// Bytes that operators of all tasks wrote out because memory ran short; absent if the engine does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spilled_bytes: Option<u64>,
}

/// In which way a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The engine cannot run this, ever.
    Unsupported,
    /// The program itself is wrong.
    Program,
    /// The data cannot be read.
    Data,
    /// The memory limit is too small.
    OutOfMemory,
    /// It was told to stop.
    Cancelled,
    /// Anything else.
    Failed,
    /// The engine broke; its process is not to be used again.
    Panicked,
    /// The message made no sense at this point.
    Protocol,
    /// The harness's own work in the engine's process failed: the result could not be kept.
    Harness,
}

impl FailureKind {
    /// The kind and text of an engine's error.
    #[must_use]
    pub fn of(error: &EngineError) -> (Self, String) {
        let kind = match error {
            EngineError::Unsupported(message) => return (Self::Unsupported, message.clone()),
            EngineError::OutOfMemory(message) => return (Self::OutOfMemory, message.clone()),
            EngineError::Program { .. } => Self::Program,
            EngineError::Data { .. } => Self::Data,
            EngineError::Cancelled => Self::Cancelled,
            EngineError::Failed(_) => Self::Failed,
        };
        (kind, error.to_string())
    }
}

/// What an engine is started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireSetup {
    /// How many tasks run at a time.
    pub slots: u32,
    /// Memory the engine may hold before it must spill; unlimited if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// An empty folder of its own on local disk, removed by the harness.
    pub scratch: PathBuf,
    /// Its switches, every one.
    pub tuning: Tuning,
    /// Whether to account for each slot's time.
    pub spans: bool,
    /// Where its nodes run; in the engine's own process if absent.
    #[serde(default, skip_serializing_if = "is_local")]
    pub cluster: ClusterSpec,
}

fn is_local(cluster: &ClusterSpec) -> bool {
    *cluster == ClusterSpec::Local
}

impl From<&EngineSetup> for WireSetup {
    fn from(setup: &EngineSetup) -> Self {
        Self {
            slots: setup.slots,
            memory_bytes: setup.memory.map(Bytes::get),
            scratch: setup.scratch.clone(),
            tuning: setup.tuning.clone(),
            spans: setup.spans,
            cluster: setup.cluster.clone(),
        }
    }
}

impl From<WireSetup> for EngineSetup {
    fn from(wire: WireSetup) -> Self {
        Self {
            slots: wire.slots,
            memory: wire.memory_bytes.map(Bytes::new),
            scratch: wire.scratch,
            tuning: wire.tuning,
            spans: wire.spans,
            cluster: wire.cluster,
        }
    }
}

/// A dataset as a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireDataset {
    /// Its name.
    pub name: String,
    /// Its tables.
    pub tables: Vec<WireTable>,
}

/// A table as a message. Rows never travel: files do, by their paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireTable {
    /// Its name in programs.
    pub name: String,
    /// How its files are encoded.
    pub format: Format,
    /// Its files, absolute, in order.
    pub files: Vec<PathBuf>,
    /// Its columns: an Arrow IPC stream that holds nothing but the schema, in hexadecimal.
    pub schema_ipc_hex: String,
    /// How many rows its files hold together.
    pub rows: u64,
    /// How many bytes its files take on disk together.
    pub bytes: u64,
}

/// A message that cannot be made or understood.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The schema of a table is not an Arrow IPC stream in hexadecimal.
    #[error("the schema of table `{table}` is damaged: {why}")]
    Schema {
        /// Which table.
        table: String,
        /// Why.
        why: String,
    },
}

/// A path that another process can use wherever it works. Only a process whose own folder is gone has none; then the path stays.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl WireDataset {
    /// The message for a dataset.
    ///
    /// # Errors
    /// A schema that Arrow IPC cannot carry.
    pub fn of(dataset: &Dataset) -> Result<Self, WireError> {
        let tables = dataset.tables.iter().map(|table| {
            Ok(WireTable {
                name: table.name.clone(),
                format: table.format,
                files: table.files.iter().map(|file| absolute(file)).collect(),
                schema_ipc_hex: encode_schema(&table.schema)
                    .map_err(|why| WireError::Schema { table: table.name.clone(), why: why.to_string() })?,
                rows: table.rows,
                bytes: table.bytes,
            })
        });
        Ok(Self { name: dataset.name.clone(), tables: tables.collect::<Result<_, WireError>>()? })
    }

    /// The dataset of a message.
    ///
    /// # Errors
    /// A damaged schema.
    pub fn dataset(&self) -> Result<Dataset, WireError> {
        let tables = self.tables.iter().map(|wire| {
            Ok(Table {
                name: wire.name.clone(),
                format: wire.format,
                files: wire.files.clone(),
                schema: decode_schema(&wire.schema_ipc_hex)
                    .map_err(|why| WireError::Schema { table: wire.name.clone(), why })?,
                rows: wire.rows,
                bytes: wire.bytes,
            })
        });
        Ok(Dataset { name: self.name.clone(), tables: tables.collect::<Result<_, WireError>>()? })
    }
}

fn encode_schema(schema: &Schema) -> Result<String, arrow::error::ArrowError> {
    let bytes = StreamWriter::try_new(Vec::new(), schema)?.into_inner()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn decode_schema(hex: &str) -> Result<SchemaRef, String> {
    let pairs = hex.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| {
            std::str::from_utf8(pair).ok().filter(|p| p.len() == 2).and_then(|p| u8::from_str_radix(p, 16).ok())
        })
        .collect();
    let bytes = bytes.ok_or("not hexadecimal")?;
    let reader = StreamReader::try_new(bytes.as_slice(), None).map_err(|e| e.to_string())?;
    Ok(Arc::clone(&reader.schema()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field, TimeUnit};

    #[test]
    fn the_conversation_in_the_documentation_is_one() {
        let text = include_str!("../../../../docs/engine-protocol.md");
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("{\"id\"")).collect();
        assert!(lines.len() >= 12, "the example is gone");
        for pair in lines.chunks(2) {
            let request: Envelope<Request> = serde_json::from_str(pair[0]).unwrap();
            let reply: Envelope<Reply> = serde_json::from_str(pair[1]).unwrap();
            assert_eq!(request.id, reply.id);
            assert_eq!(serde_json::to_string(&request).unwrap(), pair[0], "written as documented");
            assert_eq!(serde_json::to_string(&reply).unwrap(), pair[1], "written as documented");
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        for text in [
            r#"{"id":1,"body":"stop","extra":1}"#,
            r#"{"id":1,"body":{"hello":{"protocol":1,"extra":1}}}"#,
            r#"{"id":1,"body":"go"}"#,
            r#"{"body":"stop"}"#,
        ] {
            assert!(serde_json::from_str::<Envelope<Request>>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_dataset_survives_the_wire_with_its_types() {
        let fields = vec![
            Field::new("d", DataType::Decimal128(15, 2), false),
            Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
            Field::new("s", DataType::Utf8View, true),
        ];
        let table = Table {
            name: "t".into(),
            format: Format::Csv,
            files: vec!["/a b.csv".into()],
            schema: Arc::new(Schema::new(fields)),
            rows: 3,
            bytes: 4,
        };
        let wire = WireDataset::of(&Dataset { name: "d".into(), tables: vec![table.clone()] }).unwrap();
        let text = serde_json::to_string(&wire).unwrap();
        let back = serde_json::from_str::<WireDataset>(&text).unwrap().dataset().unwrap();
        assert_eq!(back.tables[0].schema, table.schema);
        assert_eq!((back.tables[0].files.clone(), back.tables[0].rows), (table.files, 3));
        for damaged in ["zz", "f", "ffffffff00"] {
            let mut broken = wire.clone();
            broken.tables[0].schema_ipc_hex = damaged.into();
            assert!(broken.dataset().unwrap_err().to_string().starts_with("the schema of table `t` is damaged"));
        }
    }
}
