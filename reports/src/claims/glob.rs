//! Names with `*` for any run of characters and `?` for any one.

/// Whether all of `name` fits. Linear in the name times the pattern at worst, whatever the pattern.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Where to go on after a character that the last `*` takes.
    let mut retry: Option<(usize, usize)> = None;
    let (mut p, mut n) = (0, 0);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(c) if *c == '?' || name.get(n) == Some(c) => (p, n) = (p + 1, n + 1),
            _ => match retry {
                Some((after, taken)) => {
                    retry = Some((after, taken + 1));
                    (p, n) = (after, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks_match_whole_names() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("tpch-q0?", "tpch-q01", true),
            ("tpch-q0?", "tpch-q011", false),
            ("*-q*1", "tpch-q21", true),
            ("*join*", "join-q01", true),
            ("sort", "sorted", false),
            ("a*b*c", "a-b-b-d", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} on {name}");
        }
        let hostile = "*a".repeat(60);
        assert!(!matches(&hostile, &"a".repeat(59)));
    }
}
