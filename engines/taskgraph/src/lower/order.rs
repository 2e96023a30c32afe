//! Static priorities: depth first, finishing what lets memory go before starting anything new (after `dask.order`).
//!
//! The order is that of a depth-first walk from the answer down to what it needs, deepest input first, with one
//! addition: as soon as the last input of a key is ordered, that key is next. Computed once, in time linear in keys and
//! links but for sorting each key's inputs by depth.

use super::links::Links;

/// The position of each key in the order, smallest first.
pub(crate) fn depth_first(deps: &Links, dependents: &Links, wanted: &[u32]) -> Vec<u32> {
    let deepest_first = by_depth(deps, dependents);
    let count = deps.len() as u32;
    let mut walk = Walk { position: vec![UNSEEN; count as usize], next: 0, stack: Vec::new() };
    let mut open: Vec<u32> = (0..count).map(|k| deps.of(k).len() as u32).collect();
    for goal in wanted.iter().copied().chain(0..count) {
        walk.enter(goal);
        while let Some((key, place)) = walk.stack.pop() {
            if walk.position[key as usize] != ENTERED {
                continue;
            }
            let inputs = deepest_first.of(key);
            if let Some(input) = inputs.get(place as usize) {
                walk.stack.push((key, place + 1));
                walk.enter(*input);
                continue;
            }
            walk.position[key as usize] = walk.next;
            walk.next += 1;
            for reader in dependents.of(key).iter().rev() {
                open[*reader as usize] -= 1;
                if open[*reader as usize] == 0 {
                    walk.position[*reader as usize] = ENTERED;
                    walk.stack.push((*reader, deps.of(*reader).len() as u32));
                }
            }
        }
    }
    walk.position
}

const UNSEEN: u32 = u32::MAX;
const ENTERED: u32 = u32::MAX - 1;

struct Walk {
    position: Vec<u32>,
    next: u32,
    /// Keys on the way down, with how many of their inputs were looked at.
    stack: Vec<(u32, u32)>,
}

impl Walk {
    fn enter(&mut self, key: u32) {
        if self.position[key as usize] == UNSEEN {
            self.position[key as usize] = ENTERED;
            self.stack.push((key, 0));
        }
    }
}

/// The inputs of each key, those with the longest way down first.
fn by_depth(deps: &Links, dependents: &Links) -> Links {
    let mut depth = vec![0u32; deps.len()];
    let mut open: Vec<u32> = (0..deps.len() as u32).map(|k| deps.of(k).len() as u32).collect();
    let mut ready: Vec<u32> = (0..deps.len() as u32).filter(|k| open[*k as usize] == 0).collect();
    while let Some(key) = ready.pop() {
        for reader in dependents.of(key) {
            depth[*reader as usize] = depth[*reader as usize].max(depth[key as usize] + 1);
            open[*reader as usize] -= 1;
            if open[*reader as usize] == 0 {
                ready.push(*reader);
            }
        }
    }
    let mut sorted = deps.clone();
    for key in 0..deps.len() as u32 {
        sorted.of_mut(key).sort_by_key(|d| std::cmp::Reverse(depth[*d as usize]));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn links(rows: &[&[u32]]) -> Links {
        let mut links = Links::with_capacity(rows.len());
        for row in rows {
            row.iter().for_each(|to| links.link(*to));
            links.close();
        }
        links
    }

    fn order(rows: &[&[u32]], wanted: &[u32]) -> Vec<u32> {
        let deps = links(rows);
        let position = depth_first(&deps, &deps.reversed(rows.len()), wanted);
        let mut keys: Vec<u32> = (0..rows.len() as u32).collect();
        keys.sort_by_key(|k| position[*k as usize]);
        keys
    }

    #[test]
    fn a_tree_is_combined_as_soon_as_its_leaves_are_there() {
        // Leaves 0..4, combined in pairs by 4 and 5, then by 6.
        assert_eq!(order(&[&[], &[], &[], &[], &[0, 1], &[2, 3], &[4, 5]], &[6]), [0, 1, 4, 2, 3, 5, 6]);
    }

    #[test]
    fn the_deepest_input_goes_first() {
        // 4 reads the leaf 0 and the chain 1, 2, 3: the leaf would only lie in memory meanwhile.
        assert_eq!(order(&[&[], &[], &[1], &[2], &[0, 3]], &[4]), [1, 2, 3, 0, 4]);
    }

    #[test]
    fn one_branch_ends_before_the_next_begins() {
        // Two chains of three that share nothing, both wanted.
        assert_eq!(order(&[&[], &[], &[0], &[1], &[2], &[3]], &[4, 5]), [0, 2, 4, 1, 3, 5]);
    }

    proptest! {
        #[test]
        fn every_key_has_its_own_place_after_all_its_inputs(seed in prop::collection::vec(prop::collection::vec(any::<u16>(), 0..4), 1..60)) {
            let rows: Vec<Vec<u32>> = seed.iter().enumerate().map(|(k, row)| {
                let mut row: Vec<u32> = row.iter().filter(|_| k > 0).map(|r| u32::from(*r) % k.max(1) as u32).collect();
                row.sort_unstable();
                row.dedup();
                row
            }).collect();
            let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
            let deps = links(&rows);
            let position = depth_first(&deps, &deps.reversed(rows.len()), &[rows.len() as u32 - 1]);
            let mut sorted = position.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..rows.len() as u32).collect::<Vec<_>>());
            for (key, row) in rows.iter().enumerate() {
                prop_assert!(row.iter().all(|d| position[*d as usize] < position[key]));
            }
        }
    }
}
