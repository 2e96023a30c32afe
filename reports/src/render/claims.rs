//! A report on claims as text, Markdown or JSON.

use super::layout::{self, Block, Kind, Row, Sheet, Tone};
use super::wording::column;
use super::{Format, Ink, claim_words as words};
use crate::claims::{AssessedClaim, ClaimVerdict, ClaimsReport, Evidence, Remove};

/// Writes it.
pub(crate) fn claims(report: &ClaimsReport, format: Format, ink: Ink) -> String {
    match format {
        Format::Table => layout::text(&blocks(report), ink),
        Format::Markdown => layout::markdown(&blocks(report)),
        Format::Json => {
            let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
            text.push('\n');
            text
        }
    }
}

fn blocks(report: &ClaimsReport) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, "Claims and evidence".to_owned())];
    blocks.extend(words::summary(report).into_iter().map(Block::Text));
    for group in &report.groups {
        blocks.push(Block::Heading(2, group.title.clone()));
        blocks.push(Block::Sheet(sheet(&group.claims)));
        let compared = comparisons(&group.claims);
        if !compared.rows.is_empty() {
            blocks.push(Block::Sheet(compared));
        }
        group.claims.iter().for_each(|c| reasons(&mut blocks, c));
    }
    blocks.push(Block::Heading(2, "How verdicts come about".to_owned()));
    blocks.extend(words::foot(report).into_iter().map(Block::Item));
    blocks
}

fn sheet(claims: &[AssessedClaim]) -> Sheet {
    let columns = vec![
        // What is cut first is told in full below.
        column("claim", Kind::Words),
        column("verdict here", Kind::Words),
        column("about", Kind::Name),
        column("as cited", Kind::Name),
    ];
    let row = |c: &AssessedClaim| {
        let says: Vec<String> = c.says.iter().map(|(who, what)| format!("{who}: {what}")).collect();
        let tone = match c.verdict {
            ClaimVerdict::Supported => Tone::Good,
            ClaimVerdict::Contradicted => Tone::Bad,
            ClaimVerdict::Inconclusive => Tone::Plain,
            ClaimVerdict::NotTested => Tone::Faint,
        };
        Row { about: None, cells: vec![c.id.clone(), c.verdict.to_string(), c.text.clone(), says.join("; ")], tone }
    };
    Sheet { columns, rows: claims.iter().map(row).collect() }
}

/// All comparisons of a group, those that decide first.
fn comparisons(claims: &[AssessedClaim]) -> Sheet {
    let mut columns = vec![column("claim", Kind::Words), column("evidence", Kind::Words)];
    columns.extend(
        words::COLUMNS.iter().map(|(title, number)| column(*title, if *number { Kind::Number } else { Kind::Name })),
    );
    let mut rows = Vec::new();
    for claim in claims {
        for e in claim.tests.iter().flat_map(|t| &t.evidence) {
            for c in &e.compared {
                let mut cells = vec![claim.id.clone(), words::brief(e.remove).to_owned()];
                cells.extend(words::cells(c));
                rows.push(Row {
                    about: None,
                    cells,
                    tone: if e.remove == Remove::Direct { Tone::Plain } else { Tone::Faint },
                });
            }
        }
    }
    Sheet { columns, rows }
}

/// Each claim's verdict with its reason, then what was recorded, nearest first.
fn reasons(blocks: &mut Vec<Block>, claim: &AssessedClaim) {
    let cited: Vec<String> = claim.says.iter().map(|(who, what)| format!("{who}: {what}")).collect();
    let cited = if cited.is_empty() { String::new() } else { format!(" [{}]", cited.join("; ")) };
    blocks.push(Block::Item(format!("{}, {}{cited}: {}; {}", claim.id, claim.text, claim.verdict, claim.because)));
    for test in &claim.tests {
        blocks.extend(test.evidence.iter().map(|e| Block::Item(told(claim, &test.reading, e))));
    }
    for command in &claim.would_test {
        blocks.push(Block::Item(format!("{}: would test it: {command}", claim.id)));
    }
}

/// Where evidence is from. What does not decide says at most what it leans to.
fn told(claim: &AssessedClaim, reading: &str, e: &Evidence) -> String {
    let finding = match e.remove {
        Remove::Direct => e.finding.to_string(),
        Remove::OtherScale | Remove::Architecture => words::leaning(e.finding).to_owned(),
    };
    let because = if e.remove == Remove::Direct { String::new() } else { format!(": {}", e.because) };
    let links = match e.links.as_slice() {
        [] => String::new(),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more keys", rest.len()) };
            format!("; observations {} in {}{more}", first.key, first.file)
        }
    };
    let who = e.who.join(", ");
    format!("{}: {} ({who}), \"{reading}\": {finding}{because}; on {}{links}", claim.id, e.remove, words::place(e))
}
