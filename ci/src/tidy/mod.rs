//! Rules of house style that no other tool checks.
//!
//! | module | idea |
//! |---|---|
//! | `size` | files, functions and maps stay small |
//! | `words` | words and names that have no place here |
//! | `links` | links in documents lead somewhere |
//! | `glossary` | the glossary is sorted, and what it points at exists |
//! | `cited` | tests that the fidelity table cites exist |
//! | `commands` | command lines shown in documents are understood |
//! | `generated` | program output shown in documents is what the program prints |

mod cited;
mod commands;
mod generated;
mod glossary;
mod links;
mod size;
mod words;

use crate::check::{Check, Findings, Ground, count_of};
use crate::source::{Source, files};
use anyhow::Result;
use std::path::Path;

/// The check.
pub(crate) const TIDY: Check = Check {
    name: "tidy",
    ensures: "files are small, words are chosen, links lead somewhere, shown commands and output are right",
    run,
};

fn run(ground: &Ground) -> Result<Findings> {
    let root = &ground.root;
    let all = files(root)?;
    let mut problems = Vec::new();
    for file in &all {
        let name = file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/");
        problems.extend(judge_file(&name, file)?);
    }
    problems.extend(links::judge(root, &all)?);
    problems.extend(glossary::judge(root)?);
    problems.extend(cited::judge(root, &all)?);
    let shown = generated::judge(ground, &all);
    problems.extend(
        shown.unwrap_or_else(|error| vec![format!("documents could not be compared with the program: {error:#}")]),
    );
    Ok(Findings { looked_at: count_of(all.len(), "file"), problems })
}

fn judge_file(name: &str, file: &Path) -> Result<Vec<String>> {
    let mut problems = words::judge_name(name);
    let Some(kind) = Path::new(name).extension().and_then(|e| e.to_str()) else { return Ok(problems) };
    match kind {
        "rs" => {
            let source = Source::read(file)?;
            problems.extend(size::judge(name, &source));
            problems.extend(words::judge_rust(name, &source));
        }
        "md" | "toml" | "sh" | "py" | "sql" => {
            if let Ok(text) = std::fs::read_to_string(file) {
                problems.extend(words::judge_text(name, &text));
                problems.extend(size::judge_page(name, &text));
            }
        }
        _ => {}
    }
    Ok(problems)
}
