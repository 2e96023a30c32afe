//! The proof as it is kept in `docs/`.

use bench_reports::gate::proof::{Recorded, Standing, prove};
use std::fs;

/// The rows of a printed proof that are about recorded runs: they do not depend on how many simulated experiments were drawn.
fn recorded_rows(text: &str) -> Vec<&str> {
    text.lines().skip_while(|line| !line.starts_with("recorded")).take_while(|line| !line.is_empty()).collect()
}

#[test]
fn the_kept_proof_shows_every_promise_and_is_about_the_kept_times() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let kept = fs::read_to_string(format!("{root}/docs/gate-proof.txt")).unwrap();
    assert!(
        kept.contains(
            "Result: every promise is shown to be kept, on simulated runs and, by 3 turns, on recorded ones."
        ),
        "{kept}"
    );
    let promises: Vec<&str> = kept.lines().filter(|line| line.contains("promises:")).collect();
    assert!(promises.len() > 10 && promises.iter().all(|line| line.ends_with(" 0 broken")), "{kept}");
    assert!(kept.contains("4 shown, 0 open, 0 broken"), "{kept}");
    let times = fs::read(format!("{root}/reports/tests/gate/recorded.json")).unwrap();
    let fresh = prove(Some(&Recorded::parse(&times).unwrap()), 1);
    assert_ne!(fresh.standing(), Standing::Broken);
    let printed = fresh.text();
    assert!(recorded_rows(&printed).len() >= 8, "{printed}");
    assert_eq!(recorded_rows(&printed), recorded_rows(&kept), "run the command of docs/gate.md again");
    let shown = recorded_rows(&kept).iter().any(|line| line.contains("4 shown, 0 open, 0 broken"));
    assert!(shown, "too few recorded runs: {kept}");
}
