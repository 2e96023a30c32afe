//! `bench node`.

use crate::build_id;
use crate::cli::exit;
use crate::cli::node::NodeArgs;
use crate::engines;
use anyhow::{Context, Result};
use bench_node::{NodeOptions, ProcessSetup, TlsFiles, serve_node};
use std::time::Duration;

pub(super) fn serve(args: &NodeArgs) -> Result<u8> {
    for folder in [Some(&args.scratch), args.shared.as_ref()].into_iter().flatten() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}; give another", folder.display()))?;
    }
    let setup = ProcessSetup {
        listen: args.listen.to_string(),
        scratch: args.scratch.clone(),
        shared: args.shared.clone(),
        build: build_id::word()?,
        alone: args.alone.map(|seconds| Duration::from_secs(seconds.get().into())),
        small_pages: args.small_pages,
        options: NodeOptions { tls: args.tls.as_deref().map(TlsFiles::in_folder), ..NodeOptions::default() },
    };
    let served = serve_node(engines::node_styles(), setup).context("the node ended");
    for folder in [Some(&args.scratch), args.shared.as_ref()].into_iter().flatten() {
        // Whatever is left in it belongs to somebody else.
        let _ = std::fs::remove_dir(folder);
    }
    served.map(|()| exit::FINE)
}
