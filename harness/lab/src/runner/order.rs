//! Who runs when. Trials come in pairs of rounds; the second round of a pair is the mirror of the first (A B C, C B A), so
//! that a machine that drifts slower or faster hits every engine alike. Each pair has its own shuffle, so that nobody
//! always runs in the wake of the same neighbor.

use twox_hash::XxHash3_64;

/// The order of `n` participants in round `trial` of a workload. Depends on nothing else.
pub(super) fn round(seed: u64, workload: &str, trial: u32, n: usize) -> Vec<usize> {
    let mut state = XxHash3_64::oneshot_with_seed(seed, workload.as_bytes()).wrapping_add(u64::from(trial / 2));
    let mut order: Vec<usize> = (0..n).collect();
    for at in (1..n).rev() {
        let pick = usize::try_from(next(&mut state) % (at as u64 + 1)).unwrap_or(0);
        order.swap(at, pick);
    }
    if trial % 2 == 1 {
        order.reverse();
    }
    order
}

/// A counter through an avalanche: enough to shuffle a handful of engines.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    XxHash3_64::oneshot(&state.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_round_has_everyone_once_and_odd_rounds_mirror_even_ones(seed: u64, pair in 0u32..50, n in 1usize..9) {
            let even = round(seed, "w", pair * 2, n);
            let mut odd = round(seed, "w", pair * 2 + 1, n);
            odd.reverse();
            prop_assert_eq!(&even, &odd);
            let mut sorted = even;
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_order_is_a_function_of_seed_workload_and_trial() {
        assert_eq!(round(7, "tpch-q01", 4, 4), round(7, "tpch-q01", 4, 4));
        let firsts: std::collections::BTreeSet<_> = (0..40).map(|t| round(7, "tpch-q01", t, 3)[0]).collect();
        assert_eq!(firsts.len(), 3, "everyone comes first sometimes");
    }
}
