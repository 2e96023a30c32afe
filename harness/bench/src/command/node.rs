//! `bench node`.

use crate::cli::exit;
use crate::cli::node::NodeArgs;
use crate::engines;
use anyhow::{Context, Result};
use bench_node::{NodeOptions, ProcessSetup, serve_node};
use std::path::Path;

/// Where blocks lie that other processes of the host may map.
const SHARED: &str = "/dev/shm";

pub(super) fn serve(args: &NodeArgs) -> Result<u8> {
    std::fs::create_dir_all(&args.scratch)
        .with_context(|| format!("cannot make {}; give another --scratch", args.scratch.display()))?;
    let setup = ProcessSetup {
        listen: args.listen.to_string(),
        scratch: args.scratch.clone(),
        shared: Path::new(SHARED).is_dir().then(|| SHARED.into()),
        build: engines::build_id()?,
        options: NodeOptions::default(),
    };
    let served = serve_node(engines::node_styles(), setup).context("the node ended");
    // Whatever is left in it belongs to somebody else.
    let _ = std::fs::remove_dir(&args.scratch);
    served.map(|()| exit::FINE)
}
