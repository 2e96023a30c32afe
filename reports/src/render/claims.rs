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
        group.claims.iter().for_each(|c| evidence(&mut blocks, c));
    }
    blocks.push(Block::Heading(2, "How verdicts come about".to_owned()));
    blocks.extend(words::foot(report).into_iter().map(Block::Item));
    blocks
}

fn sheet(claims: &[AssessedClaim]) -> Sheet {
    let columns = vec![
        column("claim", Kind::Name),
        column("verdict here", Kind::Words),
        column("about", Kind::Words),
        column("as cited", Kind::Words),
    ];
    let row = |c: &AssessedClaim| {
        let says: Vec<String> = c.says.iter().map(|(who, what)| format!("{who}: {what}")).collect();
        let tone = match c.verdict {
            ClaimVerdict::Supported => Tone::Good,
            ClaimVerdict::Contradicted => Tone::Bad,
            ClaimVerdict::Inconclusive => Tone::Plain,
            ClaimVerdict::NotTested => Tone::Faint,
        };
        Row { cells: vec![c.id.clone(), c.verdict.to_string(), c.text.clone(), says.join("; ")], tone }
    };
    Sheet { columns, rows: claims.iter().map(row).collect() }
}

/// Each claim's verdict with its reason, then what was recorded, nearest first.
fn evidence(blocks: &mut Vec<Block>, claim: &AssessedClaim) {
    let cited: Vec<String> = claim.says.iter().map(|(who, what)| format!("{who}: {what}")).collect();
    let cited = if cited.is_empty() { String::new() } else { format!(" [{}]", cited.join("; ")) };
    blocks.push(Block::Item(format!("{}, {}{cited}: {}; {}", claim.id, claim.text, claim.verdict, claim.because)));
    for test in &claim.tests {
        for e in &test.evidence {
            blocks.push(Block::Item(told(claim, &test.reading, e)));
        }
    }
    for command in &claim.would_test {
        blocks.push(Block::Item(format!("{}: would test it: {command}", claim.id)));
    }
}

fn told(claim: &AssessedClaim, reading: &str, e: &Evidence) -> String {
    let finding = match e.remove {
        Remove::Direct => e.finding.to_string(),
        Remove::OtherScale | Remove::Architecture => words::leaning(e.finding).to_owned(),
    };
    let compared: Vec<String> = e.compared.iter().map(words::compared).collect();
    let compared = if compared.is_empty() { String::new() } else { format!("; {}", compared.join("; ")) };
    let links = match e.links.as_slice() {
        [] => String::new(),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            format!("; observations {} in {}{more}", first.key, first.file)
        }
    };
    format!(
        "{}: evidence {} ({}), \"{reading}\": {finding}, {}{compared}; {}{links}",
        claim.id,
        e.remove,
        e.who.join(", "),
        e.because,
        e.place
    )
}
