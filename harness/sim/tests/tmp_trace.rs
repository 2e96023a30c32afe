#[test]
fn t() {
    let seed: u64 = std::env::var("SEED").unwrap().parse().unwrap();
    let (t, r) = bench_sim::trace_seed(&bench_stagedag::StageDag, seed, &bench_sim::SimOptions::default());
    println!("{t}\n{r:?}");
}
