//! A report on claims as text, Markdown or JSON.

use super::claim_places::Places;
use super::layout::{self, Block, Kind, Row, Sheet, Tone};
use super::wording::column;
use super::{Format, Ink, claim_findings as findings, claim_words as words};
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

/// All claims that have evidence in one table, where that is from, then each of them beside it.
fn blocks(report: &ClaimsReport) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, "Claims and evidence".to_owned())];
    blocks.extend(words::summary(report).into_iter().map(Block::Text));
    let places = Places::of(report);
    let claims = || report.groups.iter().flat_map(|g| &g.claims);
    let overview = overview(claims().filter(|c| is_tested(c)));
    if !overview.rows.is_empty() {
        blocks.push(Block::Sheet(overview));
        blocks.extend(places.blocks());
    }
    for group in &report.groups {
        blocks.push(Block::Heading(2, group.title.clone()));
        let (tested, untested): (Vec<&AssessedClaim>, Vec<&AssessedClaim>) =
            group.claims.iter().partition(|c| is_tested(c));
        tested.iter().for_each(|c| beside(&mut blocks, c, &places));
        if !untested.is_empty() {
            cited(&mut blocks, &untested);
        }
    }
    let commands = commands(claims());
    if !commands.is_empty() {
        blocks.push(Block::Heading(2, "What would test them".to_owned()));
        blocks.extend(commands);
    }
    blocks.push(Block::Heading(2, "How verdicts come about".to_owned()));
    blocks.extend(words::foot(report).into_iter().map(Block::Item));
    blocks
}

/// Whether anything recorded says something to it, be it at a remove.
fn is_tested(claim: &AssessedClaim) -> bool {
    claim.verdict != ClaimVerdict::NotTested || evidence(claim).next().is_some()
}

fn evidence(claim: &AssessedClaim) -> impl Iterator<Item = &Evidence> + Clone {
    claim.tests.iter().flat_map(|t| &t.evidence)
}

const fn tone(verdict: ClaimVerdict) -> Tone {
    match verdict {
        ClaimVerdict::Supported => Tone::Good,
        ClaimVerdict::Contradicted => Tone::Bad,
        ClaimVerdict::Inconclusive => Tone::Plain,
        ClaimVerdict::NotTested => Tone::Faint,
    }
}

/// What is claimed beside what was measured.
fn overview<'c>(claims: impl Iterator<Item = &'c AssessedClaim>) -> Sheet {
    let titles = ["claim", "about", "verdict here", "as cited", "measured"];
    let row = |c: &AssessedClaim| Row {
        about: None,
        cells: vec![
            c.id.clone(),
            c.text.clone(),
            c.verdict.to_string(),
            words::says(c),
            findings::measured(c).unwrap_or_else(|| "-".to_owned()),
        ],
        tone: tone(c.verdict),
    };
    Sheet { columns: titles.map(|title| column(title, Kind::Words)).into(), rows: claims.map(row).collect() }
}

/// A claim with its comparisons, test by test and nearest first, and what each of its tests comes to.
fn beside(blocks: &mut Vec<Block>, claim: &AssessedClaim, places: &Places<'_>) {
    blocks.push(Block::Heading(3, format!("{}: {}", claim.id, claim.verdict)));
    let compared = comparisons(claim, places);
    if !compared.rows.is_empty() {
        blocks.push(Block::Sheet(compared));
    }
    let told = claim.tests.iter().enumerate().map(|(at, test)| (number(claim, at), findings::told(test, places)));
    blocks.extend(
        told.map(|(number, told)| Block::Item(if number.is_empty() { told } else { format!("test {number}: {told}") })),
    );
}

/// Which of its tests, if there are several: a product may be compared in each.
fn number(claim: &AssessedClaim, at: usize) -> String {
    if claim.tests.len() > 1 { (at + 1).to_string() } else { String::new() }
}

fn comparisons(claim: &AssessedClaim, places: &Places<'_>) -> Sheet {
    let own = words::columns(evidence(claim).flat_map(|e| &e.compared));
    let several = claim.tests.len() > 1;
    let mut columns: Vec<_> = several.then(|| column("test", Kind::Words)).into_iter().collect();
    columns.extend(["evidence", "on"].map(|title| column(title, Kind::Words)));
    columns.extend(own.iter().map(|c| column(c.title, if c.is_number { Kind::Number } else { Kind::Words })));
    let mut rows = Vec::new();
    for (at, e) in claim.tests.iter().enumerate().flat_map(|(at, t)| t.evidence.iter().map(move |e| (at, e))) {
        let before: Vec<String> = several.then(|| number(claim, at)).into_iter().collect();
        let row = |c| {
            let mut cells = before.clone();
            cells.extend([words::brief(e), places.letter(e)]);
            cells.extend(own.iter().map(|own| (own.cell)(c)));
            Row { about: None, cells, tone: if e.remove == Remove::Direct { Tone::Plain } else { Tone::Faint } }
        };
        rows.extend(e.compared.iter().map(row));
    }
    Sheet { columns, rows }
}

/// Claims of a group that nothing recorded speaks of, and what it takes: once for all that take the same.
fn cited(blocks: &mut Vec<Block>, claims: &[&AssessedClaim]) {
    let mut titles = vec!["not tested here", "about"];
    titles.extend(claims.iter().any(|c| !c.says.is_empty()).then_some("as cited"));
    let row = |c: &&AssessedClaim| {
        let cells = [c.id.clone(), c.text.clone(), words::says(c)].into_iter().take(titles.len()).collect();
        Row { about: None, cells, tone: Tone::Faint }
    };
    let rows = claims.iter().map(row).collect();
    let columns = titles.iter().map(|title| column(*title, Kind::Words)).collect();
    blocks.push(Block::Sheet(Sheet { columns, rows }));
    let reasons = words::shared(claims.iter().map(|c| (c.because.as_str(), c.id.as_str())));
    blocks.extend(reasons.into_iter().map(|(because, ids)| Block::Item(format!("{}: {because}", ids.join(", ")))));
}

/// Every command that would test something, with the ids of all claims it would test.
fn commands<'c>(claims: impl Iterator<Item = &'c AssessedClaim>) -> Vec<Block> {
    let of = |c: &'c AssessedClaim| c.would_test.iter().map(|command| (command.as_str(), c.id.as_str()));
    let item = |(command, ids): (&str, Vec<&str>)| Block::Item(format!("{}: {command}", ids.join(", ")));
    words::shared(claims.flat_map(of)).into_iter().map(item).collect()
}
