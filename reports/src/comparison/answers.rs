//! Who held the answers of a table to account.

use serde::Serialize;

/// How many answers were checked, and by whom. An answer is right or wrong only where somebody knew it by other means than the engine that
/// gave it: elsewhere answers agree or differ, and nobody knows which is right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AnswerChecks {
    /// Trials that gave an answer, right or wrong, both arms.
    pub trials: usize,
    /// Those of them whose answer somebody else knew.
    pub checked: usize,
    /// Who did, in the words of the record, in alphabetical order.
    pub oracles: Vec<String>,
    /// How long checking took, over all trials that say. It is in no time.
    pub check_ns: u64,
}
