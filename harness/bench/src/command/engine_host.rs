//! `bench engine-host`: the child's side of an engine of this build.

use crate::cli::exit;
use crate::cli::hidden::EngineHostArgs;
use crate::engines;
use anyhow::{Context, Result};
use std::io;

pub(super) fn serve(args: &EngineHostArgs) -> Result<u8> {
    let engine = engines::by_name(&args.engine)?;
    let served = bench_lab::hosted::serve(engine.as_ref(), &engines::version(), io::stdin(), io::stdout().lock());
    served.with_context(|| format!("engine {} ended", args.engine))?;
    Ok(exit::FINE)
}
