//! `bench gate-proof`: how often the regression gate errs.

use super::say;
use crate::cli::exit;
use crate::cli::gate_proof::GateProofArgs;
use anyhow::{Context, Result};
use bench_record::Run;
use bench_reports::gate::proof::{Count, Proof, Recorded, Setting, Standing, settings};

pub(super) fn prove(args: &GateProofArgs) -> Result<u8> {
    let recorded = match (&args.times, args.folders.is_empty()) {
        (Some(file), _) => {
            let json = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            Some(Recorded::parse(&json).with_context(|| file.display().to_string())?)
        }
        (None, false) => {
            let runs = args.folders.iter().map(|folder| Run::load(folder)).collect::<Result<Vec<_>, _>>()?;
            Some(Recorded::of(&runs)?)
        }
        (None, true) => None,
    };
    if let (Some(file), Some(recorded)) = (&args.save, &recorded) {
        super::folders::write_out(file, recorded.json())?;
    }
    let proof = Proof::of(count(&settings(), args.experiments as usize), recorded.as_ref());
    say(&proof.text())?;
    Ok(match proof.standing() {
        Standing::Shown => exit::FINE,
        Standing::Broken => exit::ERROR,
        Standing::Open => exit::INCONCLUSIVE,
    })
}

/// Counts settings at the same time: each has its own random sequence, so the counts are the same as one after the other.
fn count(settings: &[Setting], experiments: usize) -> Vec<Count> {
    std::thread::scope(|scope| {
        let counting: Vec<_> = settings.iter().map(|setting| scope.spawn(move || setting.count(experiments))).collect();
        let joined =
            counting.into_iter().map(|counted| counted.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        joined.collect()
    })
}
