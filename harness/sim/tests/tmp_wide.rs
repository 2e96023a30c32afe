//! tmp
use bench_sim::{SimOptions, fuzz};
#[test]
fn wide() {
    for (name, range, o) in [
        ("many faults", 0..60_000, SimOptions { faults: 60, ..SimOptions::default() }),
        ("big", 0..3_000, SimOptions { faults: 40, tasks: 200, nodes: 8, slots: 6, jobs: 4, ..SimOptions::default() }),
        ("one node", 0..30_000, SimOptions { nodes: 1, faults: 20, tasks: 20, ..SimOptions::default() }),
        ("default", 10_000..150_000, SimOptions::default()),
    ] {
        let t = std::time::Instant::now();
        let r = fuzz(&bench_stagedag::StageDag, range, &o, |_| {});
        println!("{name}: {} seeds {} events {:?} answered {} failed {}", r.seeds, r.events, t.elapsed(), r.answered, r.failed);
        for f in &r.failures { println!("   {f}"); }
    }
}
