//! `bench recommend`: engines ranked for a mix of work.

use super::claims::{claim_files, put};
use crate::cli::exit;
use crate::cli::recommend::{HourlyPrice, RecommendArgs};
use anyhow::{Result, bail};
use bench_record::Run;
use bench_reports::Contestant;
use bench_reports::claims::page;
use bench_reports::recommend::{self, Pricing, Question};

/// Prices from the command line.
struct Given<'a>(&'a [HourlyPrice]);

impl Pricing for Given<'_> {
    fn usd_per_hour(&self, contestant: &Contestant) -> Option<f64> {
        self.0.iter().find(|p| p.engine == contestant.engine).map(|p| p.usd)
    }
}

pub(super) fn recommend(args: &RecommendArgs) -> Result<u8> {
    let files = claim_files(&args.files)?;
    let runs = args.folders.iter().map(|folder| Run::load(folder)).collect::<Result<Vec<_>, _>>()?;
    let took_part = |engine: &str| runs.iter().flat_map(|r| &r.observations).any(|o| o.case.engine == engine);
    if let Some(price) = args.usd_per_hour.iter().find(|p| !took_part(&p.engine)) {
        bail!("--usd-per-hour {}={}: {0} took part in none of the runs", price.engine, price.usd);
    }
    let prices = Given(&args.usd_per_hour);
    let question = Question {
        mix: &args.mix,
        data_bytes: args.data.map(|d| d.0.get()),
        nodes: args.nodes,
        pricing: (!args.usd_per_hour.is_empty()).then_some(&prices as &dyn Pricing),
    };
    let answer = recommend::recommend(&question, &files, &runs)?;
    let write = |format, ink| recommend::render(&answer, format, ink);
    put(args.format, args.out.as_deref(), write, || page("Recommendation", &recommend::html(&answer)))?;
    Ok(exit::FINE)
}
