//! Products that connect to a cluster of their own that runs already: the answers are right, nothing is counted that is elsewhere,
//! and the cluster is left as it was found.

use super::some_of;
use crate::killed::alone;
use crate::program::Program;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SERVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/serve.py");
const SLOTS: &str = "2";

/// A cluster. Dropping it ends everything that it has started.
struct Served {
    keeper: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start(folder: &str, product: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // Ray's sockets need a short path.
        let scratch = tempfile::Builder::new().prefix("s").tempdir_in("/tmp").unwrap();
        let python = Path::new(folder).join(product).join("venv/bin/python");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
        command.args(["engine-keeper", "--"]).arg(python).args([SERVE, product, &port.to_string(), SLOTS]);
        command.arg(scratch.path()).env("TMPDIR", scratch.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut keeper = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let served = Self { keeper, port, _folder: scratch };
        assert_eq!(said.trim(), "ready", "no cluster of {product}");
        served
    }

    fn lives(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Told to end, the keeper ends all that is below it first.
        let _ = Command::new("kill").arg(self.keeper.id().to_string()).status();
        let _ = self.keeper.wait();
    }
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn real_clusters_that_run_already_are_measured_and_left_as_they_were() {
    let _alone = alone();
    let (folder, names) = some_of(&["ballista", "dask", "ray", "ray-datafusion", "sail", "spark"]);
    let mut wrong = Vec::new();
    for name in names {
        let (kind, workloads, more): (&str, [&str; 2], &[&str]) = match name.as_str() {
            "spark" => ("spark", ["tpch-q03", "groupby-q03"], &["--memory", "2GiB"]),
            "dask" => ("tcp", ["tpch-q03", "groupby-q03"], &[]),
            "ray" => ("gcs", ["groupby-q01", "groupby-q03"], &[]),
            "ray-datafusion" => ("ray", ["groupby-q01", "groupby-q03"], &[]),
            "sail" => ("sc", ["tpch-q03", "groupby-q03"], &[]),
            _ => ("df", ["tpch-q03", "tpch-q06"], &[]),
        };
        let served = Served::start(&folder, &name);
        let address = format!("{name}={kind}://127.0.0.1:{}", served.port);
        // Twice: whoever connects second finds what the first one has left.
        for out in ["first", "second"] {
            let p = Program::new();
            let out_path = p.path(out);
            let line = ["run", "--suite", "smoke", "--trials", "1", "--engines", &name, "--attach", &address];
            let size = ["--attach-nodes", "1", "--attach-slots", SLOTS, "--engines-dir", &folder, "--out", &out_path];
            let ran = p
                .bench(&[&line[..], &["--workloads", workloads[0], "--workloads", workloads[1]], &size, more].concat());
            let observations = p.observations(out);
            let is_right = |o: &serde_json::Value| {
                o["outcome"] == "completed"
                    && o["case"]["cluster"] == "attached"
                    && o["cpu_ns"].is_null()
                    && o["contamination"].is_null()
            };
            if observations.len() < 2 || !observations.iter().all(is_right) || !served.lives() {
                wrong.push(format!("{name}, {out}: {observations:?}\n{}", ran.stderr));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn executors_of_a_cluster_that_spark_starts_itself_are_counted() {
    let _alone = alone();
    let (folder, _) = some_of(&["spark"]);
    let p = Program::new();
    let out = p.path("out");
    let line = ["run", "--suite", "smoke", "--workloads", "groupby-q03", "--trials", "1", "--engines", "spark"];
    let attach = ["--attach", "spark=local-cluster[2,1,1024]", "--attach-nodes", "2", "--attach-slots", "1"];
    p.bench(&[&line[..], &attach, &["--memory", "1GiB", "--engines-dir", &folder, "--out", &out]].concat())
        .assert_code(0);
    let observations = p.observations("out");
    assert!(!observations.is_empty());
    for o in observations {
        // A JVM that drives, one that is the cluster's master too, and one for each executor, some hundred MB each.
        let held = o["rss_bytes_peak"].as_u64().unwrap_or_default();
        assert!(o["outcome"] == "completed" && o["cpu_ns"].as_u64() > Some(0) && held > 600 << 20, "{o}");
    }
}
