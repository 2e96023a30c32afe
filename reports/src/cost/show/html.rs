//! A [`Pricing`] as HTML: a fragment for a page of others, or a page of its own. No script, no network; every text is escaped.

use super::picture::{self, DrawError};
use super::words;
use super::words::tables::{self, Cell};
use crate::comparison::Comparison;
use crate::cost::offer::Offer;
use crate::cost::pricing::{FamilyPricing, Pricing, Repriced};
use crate::cost::unit::{Amount, Hours, Range};
use crate::plain::html as text;
use crate::render::observations_of;
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");

/// A page of its own.
pub(super) fn page(pricings: &[Pricing], repriced: &[Repriced]) -> Result<String, DrawError> {
    let body = fragment(pricings, repriced, None)?;
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'\">\n<title>What recorded work costs</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>What \
         recorded work costs</h1>\n{body}</main>\n</body>\n</html>\n"
    ))
}

/// The inside of a section: headings from the third level on, tables, pictures with text alternatives. Classes begin with
/// `cost-`; without a style sheet it reads as well. On a page of `comparison`, which is what was priced, numbers lead to the trials
/// that they rest on.
///
/// # Errors
/// Only the drawing library's.
pub fn fragment(
    pricings: &[Pricing],
    repriced: &[Repriced],
    comparison: Option<&Comparison>,
) -> Result<String, DrawError> {
    let mut out = String::new();
    for pricing in pricings {
        for family in &pricing.families {
            family_html(&mut out, pricing, family, comparison)?;
        }
        let items = words::rests_on(pricing).into_iter().chain(pricing.notes.iter().cloned());
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            out,
            "<details class=\"cost-sources\"><summary>Prices, sources and assumptions ({})</summary>\n<ul>\n",
            text(&pricing.book)
        );
        items.for_each(|item| {
            let _ = writeln!(out, "<li>{}</li>", text(&item));
        });
        out.push_str("</ul></details>\n");
    }
    if let ([first, second], false) = (pricings, repriced.is_empty()) {
        let _ =
            writeln!(out, "<h3>The same runs at the prices of {} and {}</h3>", text(&first.book), text(&second.book));
        let _ = writeln!(out, "<p>{}</p>", text(words::KNOWN_IN_BOTH));
        let head = ["family", "contestant", "deployment", "time", &first.book, "on", &second.book, "on"];
        let rows = repriced.iter().map(|r| {
            let name = |s: &str| Cell::Name(s.to_owned());
            let [a, b] = [r.first.0, r.second.0].map(|a| Cell::Number(words::amount(a), Some(a.get())));
            let of = [name(r.family.name()), name(&r.contestant), name(&r.way), name(&r.time)];
            TableRow::of(of.into_iter().chain([a, name(&r.first.1), b, name(&r.second.1)]).collect())
        });
        table(&mut out, &format!("{} a month, base of each range", first.currency), &head, rows);
    }
    Ok(out)
}

/// Longer text is a sentence, and its column has room for one.
const A_FEW_WORDS: usize = 40;
/// What stands in place of a number and rests on no trials.
const OF_NO_TRIALS: [&str; 2] = ["-", tables::NONE_OFFERED];

/// Cells, each with where the trials are that its number rests on.
struct TableRow(Vec<(Cell, Option<String>)>);

impl TableRow {
    fn of(cells: Vec<Cell>) -> Self {
        Self(cells.into_iter().map(|cell| (cell, None)).collect())
    }

    /// All of it rests on these trials.
    fn at(mut self, place: Option<String>) -> Self {
        self.0.iter_mut().for_each(|(_, at)| at.clone_from(&place));
        self
    }

    /// Each cell rests on its own.
    fn at_each(mut self, places: &[Option<String>]) -> Self {
        self.0.iter_mut().zip(places).for_each(|((_, at), place)| at.clone_from(place));
        self
    }
}

/// Where the page of a comparison lists the trials of a contestant of the family.
fn place_of(comparison: Option<&Comparison>, family: &FamilyPricing, contestant: &str) -> Option<String> {
    let usage = family.usages.iter().find(|u| u.contestant.label == contestant)?;
    observations_of(comparison?, usage.at, family.family, contestant)
}

fn family_html(
    out: &mut String,
    pricing: &Pricing,
    family: &FamilyPricing,
    comparison: Option<&Comparison>,
) -> Result<(), DrawError> {
    let place = |contestant: &str| place_of(comparison, family, contestant);
    let _ = writeln!(out, "<h3>Cost of {}: {}</h3>", text(family.family.name()), text(&family.table));
    let told =
        [words::scenario(pricing), words::workloads(family)].into_iter().chain(words::data_lines(pricing, family));
    for words in told {
        let _ = writeln!(out, "<p>{}</p>", text(&words));
    }
    tables_of_text(out, pricing, family, place);
    let head =
        ["contestant", "deployment", "instances", "running per TB", "low–high", "total per month", "time", "completed"];
    table(
        out,
        &format!("Every offer, {}", pricing.currency),
        &head,
        family.offers.iter().map(|o| TableRow::of(offer_row(pricing, family, o)).at(place(&o.contestant))),
    );
    let none = family.usages.iter().filter(|u| u.completed == 0 || u.busy_per_tb.is_none());
    for usage in none {
        let who = text(&usage.contestant.label);
        let _ = writeln!(out, "<p>{who}: completed {} of {}, no cost.</p>", usage.completed, usage.cases);
    }
    list(out, &words::unknown(&family.offers));
    for picture in picture::of_family(pricing, family)? {
        let svg =
            picture.svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", text(&picture.says)), 1);
        let _ = writeln!(
            out,
            "<figure class=\"cost-figure\">{svg}<figcaption>{}</figcaption></figure>",
            text(&picture.says)
        );
    }
    let crossings: Vec<String> = family.crossings.iter().filter_map(|c| words::crossing(family, c)).collect();
    if !crossings.is_empty() {
        let _ = writeln!(out, "<h4>Break-even</h4>");
        list(out, &crossings);
    }
    for deployment in tables::DEPLOYMENTS {
        if let Some(offer) = family.cheapest(Some(deployment)).and_then(|i| family.offers.get(i)) {
            bill(out, pricing, offer, place(&offer.contestant).as_deref());
        }
    }
    sizing(out, pricing, family, place);
    Ok(())
}

/// The tables that the text has too: per terabyte, where a row is a contestant's, and per run, where a column is.
fn tables_of_text(out: &mut String, pricing: &Pricing, family: &FamilyPricing, place: impl Fn(&str) -> Option<String>) {
    let per_tb = tables::per_tb(pricing, family);
    let rows = per_tb.rows.into_iter().zip(&family.usages);
    let rows = rows.map(|(cells, usage)| TableRow::of(cells).at(place(&usage.contestant.label)));
    table(out, &per_tb.title, &per_tb.head, rows);
    for runs in tables::runs(pricing, family) {
        let of_contestants = runs.head.iter().skip(1).map(|contestant| place(contestant));
        let places: Vec<Option<String>> = [None].into_iter().chain(of_contestants).collect();
        let rows = runs.rows.into_iter().map(|cells| TableRow::of(cells).at_each(&places));
        table(out, &runs.title, &runs.head, rows);
    }
}

fn offer_row(pricing: &Pricing, family: &FamilyPricing, offer: &Offer) -> Vec<Cell> {
    let per_tb = offer.running_per_tb(pricing.scenario.volume);
    let total = offer.bill.total.map(|r| r.base);
    let unknown = || "unknown".to_owned();
    let usage = family.usages.iter().find(|u| u.contestant.label == offer.contestant);
    vec![
        Cell::Name(offer.contestant.clone()),
        Cell::Name(words::way(offer)),
        Cell::Name(offer.machines()),
        Cell::Number(
            per_tb.map_or_else(unknown, |r| words::at_least_running(offer, words::amount(r.base))),
            per_tb.map(|r| r.base.get()),
        ),
        Cell::Number(per_tb.map_or_else(|| "-".to_owned(), |r| words::ends(&r)), per_tb.map(|r| r.low.get())),
        Cell::Number(total.map_or_else(unknown, |a| words::at_least(offer, words::amount(a))), total.map(Amount::get)),
        Cell::Name(offer.rests_on()),
        Cell::Name(usage.map(|u| format!("{} of {}", u.completed, u.cases)).unwrap_or_default()),
    ]
}

fn bill(out: &mut String, pricing: &Pricing, offer: &Offer, place: Option<&str>) {
    let _ = writeln!(out, "<details><summary>A month, line by line: {}</summary>", text(&words::offer(offer)));
    let head = ["line", "low", "base", "high", "computed as"];
    let rows = offer.bill.lines.iter().map(|line| {
        let three = line.amount.as_ref().map(|r| [r.low, r.base, r.high]);
        let [low, base, high] = three.map_or_else(
            |_| ["-", "unknown", "-"].map(|text| Cell::Number(text.to_owned(), None)),
            |known| known.map(|a| Cell::Number(words::amount(a), Some(a.get()))),
        );
        let formula = Cell::Name(line.line.formula().to_owned());
        let title = Cell::Name(line.line.title().to_owned());
        TableRow::of(vec![title, low, base, high, formula]).at(place.map(str::to_owned))
    });
    table(out, &format!("{} a month", pricing.currency), &head, rows);
    out.push_str("</details>\n");
}

fn sizing(out: &mut String, pricing: &Pricing, family: &FamilyPricing, place: impl Fn(&str) -> Option<String>) {
    let sizing = &family.sizing;
    let Some(hourly) = sizing.hourly else { return };
    let title = format!("Equal dollars beside equal nodes: {} {} an hour", words::amount(hourly), pricing.currency);
    let head = ["contestant", "instances", "per hour", "time", "h per TB", "for equal dollars", "h per TB there"];
    let rows = sizing.contestants.iter().map(|c| {
        let hours = |r: Option<Range<Hours>>| {
            let text = words::hours(r).unwrap_or_else(|| "not measured".to_owned());
            Cell::Number(text, r.map(|r| r.base.get()))
        };
        let cells = vec![
            Cell::Name(c.contestant.clone()),
            Cell::Name(format!("{} x {}", c.instances, c.instance)),
            Cell::Number(words::amount(c.hourly), Some(c.hourly.get())),
            Cell::Name(words::basis_of(family, &c.contestant)),
            hours(c.hours_per_tb),
            Cell::Number(c.instances_for_budget.to_string(), Some(c.instances_for_budget.into())),
            hours(c.hours_per_tb_for_budget),
        ];
        TableRow::of(cells).at(place(&c.contestant))
    });
    table(out, &title, &head, rows);
}

fn list(out: &mut String, items: &[String]) {
    if items.is_empty() {
        return;
    }
    out.push_str("<ul>\n");
    items.iter().for_each(|item| {
        let _ = writeln!(out, "<li>{}</li>", text(item));
    });
    out.push_str("</ul>\n");
}

fn table(out: &mut String, caption: &str, head: &[impl AsRef<str>], rows: impl Iterator<Item = TableRow>) {
    let caption = text(caption);
    let _ = write!(
        out,
        "<div class=\"cost-scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table data-sort>\n<caption>{caption}</caption>\n\
         <thead><tr>"
    );
    head.iter().for_each(|title| {
        let _ = write!(out, "<th scope=\"col\">{}</th>", text(title.as_ref()));
    });
    out.push_str("</tr></thead>\n<tbody>\n");
    rows.for_each(|row| table_row(out, &row));
    out.push_str("</tbody></table></div>\n");
}

fn table_row(out: &mut String, row: &TableRow) {
    out.push_str("<tr>");
    // Only the first link of a row takes part in moving through the page by keyboard.
    let mut skipped = "";
    for (i, (cell, place)) in row.0.iter().enumerate() {
        let (raw, leads) = match cell {
            Cell::Name(name) => (name, i == 0),
            Cell::Number(number, _) => (number, !OF_NO_TRIALS.contains(&number.as_str())),
        };
        let mut shown = text(raw);
        if let Some(id) = place.as_ref().filter(|_| leads) {
            shown = format!("<a class=\"o\" href=\"#{id}\"{skipped}>{shown}</a>");
            skipped = " tabindex=\"-1\"";
        }
        let _ = match cell {
            Cell::Name(_) if i == 0 => write!(out, "<th scope=\"row\">{shown}</th>"),
            Cell::Name(name) if name.chars().count() > A_FEW_WORDS => {
                write!(out, "<td class=\"cost-words\">{shown}</td>")
            }
            Cell::Name(_) => write!(out, "<td>{shown}</td>"),
            Cell::Number(_, value) => write!(out, "<td class=\"cost-number\"{}>{shown}</td>", sorted_by(*value)),
        };
    }
    out.push_str("</tr>\n");
}

/// What the page's script sorts a cell by: with more digits than are shown, and fewer than rounding may change.
fn sorted_by(value: Option<f64>) -> String {
    value.filter(|v| v.is_finite()).map_or_else(String::new, |v| format!(" data-v=\"{v:.6e}\""))
}
