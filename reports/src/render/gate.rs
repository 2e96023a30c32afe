//! A [`Gate`] for people and for programs.
//!
//! | part | idea |
//! |---|---|
//! | `sheets` | as a document: a table for terminals, Markdown for a comment on a change |
//! | `junit` | as JUnit XML: one test per case |
//! | `sarif` | as SARIF 2.1.0: one result per case that deserves a look or is not there |
//! | `annotations` | as commands that GitHub Actions shows beside a change |

mod annotations;
mod junit;
mod sarif;
mod sheets;

use super::{Ink, layout};
use crate::gate::Gate;

/// The name of what is found where NEW lacks a case of BASE, in formats for programs.
const MISSING: &str = "missing-case";
/// A sentence on it.
const MISSING_SAID: &str = "BASE has it and NEW does not: nobody can say what became of it";

/// How a gate is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GateFormat {
    /// Text for a terminal, at most [`super::WIDTH`] columns wide.
    #[default]
    Table,
    /// Markdown with tables.
    Markdown,
    /// [`Gate`] as JSON: stable, versioned, complete.
    Json,
    /// JUnit XML.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
    /// Workflow commands of GitHub Actions.
    Github,
}

/// Writes a gate. Ends with a newline. `ink` matters to the text format only.
#[must_use]
pub fn write(gate: &Gate, format: GateFormat, ink: Ink) -> String {
    match format {
        GateFormat::Table => layout::text(&sheets::document(gate), ink),
        GateFormat::Markdown => without_links(&layout::markdown(&sheets::document(gate))),
        GateFormat::Json => pretty(gate),
        GateFormat::Junit => junit::document(gate),
        GateFormat::Sarif => pretty(&sarif::document(gate)),
        GateFormat::Github => annotations::lines(gate),
    }
}

/// Markdown in which bare addresses are no links and nobody is called by name: it becomes a comment, and the text of an engine's error may
/// hold both. A zero-width space stands between the parts that only together mean something.
fn without_links(markdown: &str) -> String {
    const APART: &str = "&#8203;";
    let text = markdown.replace("://", &format!(":{APART}//")).replace('@', &format!("@{APART}"));
    text.replace("www.", &format!("www{APART}.")).replace("WWW.", &format!("WWW{APART}."))
}

/// Strings, numbers and maps with string keys: serialization has nothing to fail on.
fn pretty(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
