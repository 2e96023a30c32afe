//! Lists of packages with their versions and hashes, as `pip` reads them.

/// The packages of a list: their names, and `name==version`.
pub(crate) fn locked(list: &str) -> impl Iterator<Item = (String, &str)> {
    let words = list.lines().filter_map(|line| line.split_ascii_whitespace().next());
    let pinned = words.filter(|word| word.contains("==") && !word.starts_with('-'));
    pinned.map(|word| (name_of(word), word))
}

/// A list of one package alone, and the list of all others. What follows an entry, its hashes, goes with it.
pub(crate) fn apart(list: &str, package: &str) -> (String, String) {
    let (mut one, mut others) = (String::new(), String::new());
    let mut is_one = false;
    for line in list.lines() {
        if !line.starts_with([' ', '\t']) {
            is_one = line.contains("==") && name_of(line) == package;
        }
        let part = if is_one { &mut one } else { &mut others };
        part.push_str(line);
        part.push('\n');
    }
    (one, others)
}

/// The name that a requirement begins with, as all spellings of it are compared.
pub(crate) fn name_of(requirement: &str) -> String {
    let name = requirement.split(['=', '<', '>', '~', '[', ';', ' ']).next().unwrap_or_default();
    name.trim().to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_taken_out_of_a_list_with_its_hashes_and_nothing_else() {
        let list = "--only-binary b\n\na==1 \\\n    --hash=sha256:1\n    # via b\nB_c==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\nb==3 \\\n    --hash=sha256:4\n";
        let (one, others) = apart(list, "b-c");
        assert_eq!(one, "B_c==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n");
        assert_eq!(
            others,
            "--only-binary b\n\na==1 \\\n    --hash=sha256:1\n    # via b\nb==3 \\\n    --hash=sha256:4\n"
        );
        assert_eq!(apart(list, "c"), (String::new(), list.to_owned()));
        let names: Vec<(String, &str)> = locked(list).collect();
        assert_eq!(names, [("a".into(), "a==1"), ("b-c".into(), "B_c==2"), ("b".into(), "b==3")]);
    }
}
