//! A comparison as one HTML file that needs nothing else: no network, no fonts, no script to be readable.
//!
//! | module | idea |
//! |---|---|
//! | `page` | the frame: head, styles, navigation, security policy |
//! | `markup` | text, links and tables as HTML |
//! | `anchors` | where on the page a number's observations are |
//! | `blocks` | the sheets of the other formats as HTML |
//! | `verdicts` | a sentence per family |
//! | `matrix` | engines by families |
//! | `times` | per workload: ratios with intervals, times, CPU, memory |
//! | `spans` | where slot time went |
//! | `scaling` | speedup over nodes, and the law |
//! | `weak` | the same over data that grow with the nodes |
//! | `overhead` | what engines cost before any work, with every trial |
//! | `memory` | how memory peaks are spread |
//! | `percentiles` | percentiles of the times of many trials |
//! | `cost` | cores needed to beat one thread |
//! | `failures` | what did not complete, and why |
//! | `noise` | what equal things differ by |
//! | `method` | machine, versions, settings, data, protocol, and the command to measure again |
//! | `observations` | every trial, with its place in the results folder |

mod anchors;
mod blocks;
mod cost;
mod failures;
mod markup;
mod matrix;
mod memory;
mod method;
mod noise;
mod observations;
mod overhead;
mod page;
mod percentiles;
mod scaling;
mod spans;
mod times;
mod verdicts;
mod weak;

use crate::compare::{Source, Sources};
use crate::comparison::{Comparison, FamilyReport, Table};
use crate::plot::PlotError;
use crate::run_names::RunNames;
use anchors::Anchors;
pub(crate) use anchors::observations_of;
use std::collections::{BTreeMap, BTreeSet};

/// A part of a page with a place in its navigation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What links point at: letters, digits and hyphens, unlike that of any other section.
    pub id: String,
    /// Its heading, as text.
    pub title: String,
    /// What stands below the heading, as HTML. Text that comes from results must be escaped by [`escape`]; scripts, style
    /// attributes and anything from elsewhere are refused by the page's security policy.
    pub body_html: String,
}

/// Text as HTML that shows every character of it, in elements and in quoted attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    crate::plain::html(text)
}

/// Writes the page. `further` are sections of other commands, which stand before the observations.
///
/// # Errors
/// The drawing library failed.
pub fn html(comparison: &Comparison, sources: &Sources<'_>, further: &[Section]) -> Result<String, PlotError> {
    html_by(comparison, sources, further, &[])
}

/// The same, with the command that writes it, word by word: whoever reads the page can do it again.
///
/// # Errors
/// As for [`html`].
pub fn html_by<'a>(
    comparison: &'a Comparison,
    sources: &'a Sources<'a>,
    further: &[Section],
    command: &'a [String],
) -> Result<String, PlotError> {
    let mut sections = Vec::new();
    let mut records = Vec::new();
    let view = |(at, (table, sources)): (usize, (&'a Table, &'a Vec<Source<'a>>))| View {
        table,
        names: &comparison.runs,
        anchors: Anchors::new(at, table, sources),
        sources,
        command,
    };
    let views: Vec<View<'_>> = comparison.tables.iter().zip(&sources.tables).enumerate().map(view).collect();
    if comparison.has_wrong_answers() {
        sections.push(failures::wrong_answers(comparison, &views));
    }
    let several = comparison.tables.len() > 1;
    let mut budget = observations::Budget::of(sources);
    for view in &views {
        let parts = view.sections()?;
        let record = view.section("observations", "Observations", observations::body(view, &mut budget));
        let named = |s: Section| Section { title: view.titled(&s.title, several), ..s };
        sections.extend(parts.into_iter().map(named));
        records.push(named(record));
    }
    sections.extend(weak::section(comparison));
    sections.extend(comparison.overhead.iter().enumerate().map(|(at, report)| overhead::section(at, report)));
    sections.extend(further.iter().cloned());
    sections.extend(records);
    Ok(page::page(comparison, sources, &sections))
}

/// Where the page of a comparison lists the trials of each case, by the case's key, and those of each figure of `bench overhead`, by
/// what its samples are told by. A case of several tables, as of two machines, and a figure of several records are in none of them alone,
/// and have no place.
#[must_use]
pub fn places_of_cases(comparison: &Comparison, sources: &Sources<'_>) -> BTreeMap<String, String> {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (at, (table, sources)) in comparison.tables.iter().zip(&sources.tables).enumerate() {
        let anchors = Anchors::new(at, table, sources);
        for source in sources {
            let id = anchors.case_of(anchors.number(source));
            places.entry(source.observation.key.as_str().to_owned()).or_default().insert(id);
        }
    }
    for (key, id) in comparison.overhead.iter().enumerate().flat_map(|(at, report)| overhead::places(at, report)) {
        places.entry(key).or_default().insert(id);
    }
    let alone = places.into_iter().filter(|(_, ids)| ids.len() == 1);
    alone.filter_map(|(key, ids)| Some((key, ids.into_iter().next()?))).collect()
}

/// One table on its way to the page.
struct View<'a> {
    table: &'a Table,
    /// What its runs are called.
    names: &'a RunNames,
    anchors: Anchors<'a>,
    sources: &'a [Source<'a>],
    /// What writes the page.
    command: &'a [String],
}

impl View<'_> {
    fn section(&self, id: &str, title: &str, body_html: String) -> Section {
        Section { id: self.anchors.id(id), title: title.to_owned(), body_html }
    }

    /// What a section's heading adds where there are several tables.
    fn titled(&self, title: &str, several: bool) -> String {
        if several {
            format!("{title} · {}, {}", self.table.suite_text(), self.table.protocol)
        } else {
            title.to_owned()
        }
    }

    fn sections(&self) -> Result<Vec<Section>, PlotError> {
        let mut sections = vec![
            self.section("verdicts", "Verdicts", verdicts::body(self)?),
            self.section("matrix", "Engines by family", matrix::body(self)),
        ];
        for family in &self.table.families {
            let name = family.family.name();
            sections.push(self.section(name, &titlecase(name), self.family(family)?));
        }
        sections.push(self.section("failures", "Did not complete", failures::body(self)));
        sections.push(self.section("noise", "Noise floor", noise::body(self)?));
        sections.push(self.section("method", "How this was measured", method::body(self)));
        Ok(sections)
    }

    fn family(&self, family: &FamilyReport) -> Result<String, PlotError> {
        let aside = super::sheets::aside(self.table);
        let places = |label: &str| self.anchors.group(family.family, label);
        let mut body = times::body(self, family)?;
        body.push_str(&cost::body(self, family));
        body.push_str(&blocks::body(&super::decomposition::blocks(family), &places));
        body.push_str(&scaling::body(self, family)?);
        body.push_str(&spans::body(self, family)?);
        body.push_str(&blocks::body(&super::blocking::blocks(family, &aside), &places));
        body.push_str(&memory::body(self, family)?);
        body.push_str(&percentiles::body(self, family));
        body.push_str(&blocks::body(&super::ablation::blocks(family), &places));
        body.push_str(&blocks::body(&super::faults::blocks(family), &places));
        body.push_str(&failures::void_faults(self, family));
        Ok(body)
    }
}

/// A family's name as a heading.
fn titlecase(name: &str) -> String {
    if name == "sql" {
        return "SQL".to_owned();
    }
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
