//! Exit codes. Scripts may rely on them; changing one is a breaking change.

/// Everything asked for was done and every answer was right. Cases that an engine does not support are no failure.
pub(crate) const FINE: u8 = 0;
/// A comparison of two builds found a regression.
pub(crate) const REGRESSION: u8 = 1;
/// Wrong answer, failed or timed out trial, failed check, invalid input, or the harness itself failed. Usage errors end with
/// this code too.
pub(crate) const ERROR: u8 = 2;
/// A comparison of two builds could neither show a regression nor rule one out.
pub(crate) const INCONCLUSIVE: u8 = 3;
/// Stopped by Ctrl-C. What was finished is recorded; `--resume` does the rest.
pub(crate) const INTERRUPTED: u8 = 130;

/// The codes as the help shows them.
pub(crate) const HELP: &str = "\
Exit codes:
  0    everything asked for was done and every answer was right
  1    `bench compare` found a regression
  2    a wrong answer, a trial that failed or timed out, a failed check, invalid input or an
       error of the harness itself; `bench compare` suspects the machine
  3    `bench compare` could neither show a regression nor rule one out
  130  interrupted; `bench run --resume DIR` does the rest";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_documents_every_code() {
        for code in [FINE, REGRESSION, ERROR, INCONCLUSIVE, INTERRUPTED] {
            assert!(HELP.lines().any(|line| line.trim_start().starts_with(&format!("{code} "))), "{code}");
        }
    }
}
