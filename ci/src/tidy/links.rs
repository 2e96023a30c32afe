//! Links in documents lead somewhere: to a file that exists and, with `#`, to a heading in it.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Broken links in every Markdown file.
pub(super) fn judge(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(file).display();
        for (line, target) in targets(&text) {
            if let Some(why) = broken(file, &text, &target) {
                problems.push(format!("{name}:{line}: the link to `{target}` is broken: {why}"));
            }
        }
    }
    Ok(problems)
}

fn broken(file: &Path, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let linked = file.parent()?.join(path);
    if !path.is_empty() && !linked.exists() {
        return Some("there is no such file".to_owned());
    }
    let linked_text =
        if path.is_empty() { text.to_owned() } else { std::fs::read_to_string(linked).unwrap_or_default() };
    let found = heading.is_empty() || headings(&linked_text).any(|h| h == heading);
    (!found).then(|| format!("there is no heading `{heading}`"))
}

/// The target of every inline link outside code, with its line.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second part is inside backticks.
        for part in line.split('`').step_by(2) {
            let links = part.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            found.extend(links.map(|(target, _)| (number, target.trim().to_owned())));
        }
    }
    found
}

/// The anchors of a document's headings, made as code forges make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        words
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code() {
        let text = "[a](x.md) and [b](y.md#z)\n```\n[c](no.md)\n```\n`[d](no.md)` [`e`](w.md)\n";
        let expected = [(1, "x.md"), (1, "y.md#z"), (5, "w.md")].map(|(line, target)| (line, target.to_owned()));
        assert_eq!(targets(text), expected);
    }

    #[test]
    fn headings_become_anchors() {
        let found: Vec<_> = headings("# One word\n## `code` & more!\ntext\n").collect();
        assert_eq!(found, ["one-word", "code--more"]);
    }

    #[test]
    fn a_link_leads_to_a_file_or_a_heading() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        assert_eq!(broken(&here, "", "Cargo.toml"), None);
        assert_eq!(broken(&here, "", "https://example.org/"), None);
        assert_eq!(broken(&here, "# A b\n", "#a-b"), None);
        assert!(broken(&here, "", "missing.md").is_some());
        assert!(broken(&here, "", "#a-b").is_some());
    }
}
