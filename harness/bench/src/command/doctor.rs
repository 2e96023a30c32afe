//! `bench doctor`: what this machine has, and what limits a run on it.

use super::{say, say_json};
use crate::cli::exit;
use crate::cli::list::DoctorArgs;
use anyhow::Result;
use bench_lab::cluster::ClusterAbilities;
use bench_lab::machine::Doctor;
use bench_model::Bytes;

pub(super) fn doctor(args: &DoctorArgs) -> Result<u8> {
    let found = Doctor::examine(&args.data.path);
    if args.output.json {
        say_json(&found)?
    } else {
        say(&text(&found))?
    }
    Ok(exit::FINE)
}

fn text(d: &Doctor) -> String {
    let unknown = || "unknown".to_owned();
    let bytes = |b: Option<u64>| b.map_or_else(unknown, |b| Bytes::new(b).to_string());
    let word = |w: &Option<String>| w.clone().unwrap_or_else(unknown);
    let m = &d.machine;
    let disk = d.data_disk.as_ref().map_or_else(unknown, |disk| {
        let (free, total) = (Bytes::new(disk.free_bytes), Bytes::new(disk.total_bytes));
        format!("{free} free of {total}, {}", m.disk.as_deref().unwrap_or("device unknown"))
    });
    let steal = d.steal_share.map_or_else(unknown, |s| format!("{:.2} % of CPU time since boot", s * 100.0));
    let rows = [
        ("processor", format!("{} ({}), {:.2} of {} cores usable", m.cpu_model, m.arch, d.cores_usable, m.cores)),
        (
            "memory",
            format!(
                "{}, {} available, swap {}",
                Bytes::new(m.memory_bytes),
                bytes(d.memory_available_bytes),
                bytes(d.swap_bytes)
            ),
        ),
        ("data disk", disk),
        ("system", format!("{} {}, clock {}", m.os, m.kernel, word(&d.clocksource))),
        ("limits from", format!("control groups {}, memory limit {}", d.cgroup, bytes(m.memory_limit_bytes))),
        ("network", format!("TCP congestion control {}", word(&m.tcp_congestion))),
        ("virtual", format!("{}, stolen: {steal}", m.hypervisor.as_deref().unwrap_or("no"))),
        ("counters", if d.perf_events { "hardware events available" } else { "no hardware events" }.to_owned()),
        ("may drop caches", if d.root { "yes" } else { "no (not root)" }.to_owned()),
        ("nodes", nodes(&d.clusters)),
        ("tools", tools(&d.clusters)),
        ("machine key", d.machine_key.clone()),
    ];
    let mut lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:<16} {value}")).collect();
    lines.push(String::new());
    if d.limits.is_empty() {
        lines.push("nothing here limits a run".to_owned());
    }
    lines.extend(d.limits.iter().map(|limit| format!("- {limit}")));
    lines.join("\n")
}

/// What nodes of this machine can have of their own.
fn nodes(clusters: &ClusterAbilities) -> String {
    let network = if clusters.namespaces { "own network" } else { "no network of their own (needs root)" };
    let limits =
        if clusters.node_limits { "CPU and memory limits" } else { "no limits (needs control groups and root)" };
    format!("{network}, {limits}")
}

/// The programs that clusters are made with.
fn tools(clusters: &ClusterAbilities) -> String {
    let here: Vec<&str> = clusters.tools.iter().filter(|(_, place)| place.is_some()).map(|(tool, _)| *tool).collect();
    let missing = clusters.missing().into_iter().map(|(tool, purpose)| format!("; no {tool} (for {purpose})"));
    format!("{}{}", here.join(", "), missing.collect::<String>())
}
