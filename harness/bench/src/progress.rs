//! Long work as bars on a terminal, as silence elsewhere.

use bench_suite::{Event, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether only errors are wanted on standard error.
static SILENT: AtomicBool = AtomicBool::new(false);

/// From now on no bar is shown and nothing is told.
pub(crate) fn silence() {
    SILENT.store(true, Ordering::Relaxed);
}

/// Tells people something on standard error, if talk is wanted. For what is not an error.
pub(crate) fn tell(line: &str) {
    if !SILENT.load(Ordering::Relaxed) {
        complain(line);
    }
}

/// Says something on standard error, wanted or not. Where that leads may be gone, with the terminal of a long run: work goes on without it.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A bar on stderr if that is a terminal and talk is wanted, hidden otherwise.
pub(crate) fn bar(template: &str) -> ProgressBar {
    let silent = SILENT.load(Ordering::Relaxed);
    let target = if silent { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// What the units of a dataset's progress are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Rows generated.
    Rows,
    /// Bytes compared.
    Bytes,
}

/// A bar over the making or verifying of datasets.
pub(crate) struct DataBar(ProgressBar);

impl DataBar {
    /// A bar that counts in `unit`.
    pub(crate) fn new(unit: Unit) -> Self {
        Self(bar(match unit {
            Unit::Rows => "{prefix} {bar:24} {human_pos}/{human_len} rows, {per_sec}, {eta} left {msg}",
            Unit::Bytes => "{prefix} {bar:24} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left {msg}",
        }))
    }
}

impl Progress for DataBar {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started { name, parts_done, units, units_done, .. } => {
                self.0.set_prefix(name.to_owned());
                self.0.set_length(units);
                self.0.set_position(units_done);
                self.0.reset_eta();
                if parts_done > 0 {
                    self.0.set_message(format!("(continued after {parts_done} parts)"));
                }
            }
            Event::Advanced { units } => self.0.inc(units),
            Event::Part { .. } => {}
            Event::Finished { .. } => self.0.finish_and_clear(),
        }
    }
}

impl Drop for DataBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
