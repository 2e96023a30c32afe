//! Text, links and tables as HTML.

use crate::comparison::{Ratio, Verdict};
use crate::plain::html as escape;
use crate::render::scale;
use crate::render::wording::range;
use std::fmt::Write;

/// A table that scrolls by itself where it is too wide, and that the script makes sortable.
pub(super) struct Grid {
    /// What it shows, for everybody.
    pub(super) caption: String,
    pub(super) heads: Vec<Head>,
    /// Cells, the first of which names its row.
    pub(super) rows: Vec<Vec<Td>>,
    /// Whether the script offers to filter its rows.
    pub(super) filtered: bool,
}

/// A column's title.
pub(super) struct Head {
    pub(super) title: String,
    pub(super) is_number: bool,
}

/// A cell.
pub(super) struct Td {
    /// HTML already.
    pub(super) html: String,
    /// What it is sorted by where that is a number.
    pub(super) value: Option<f64>,
    pub(super) class: &'static str,
}

impl Td {
    pub(super) fn text(text: &str) -> Self {
        Self::html(escape(text))
    }

    pub(super) const fn html(html: String) -> Self {
        Self { html, value: None, class: "" }
    }

    pub(super) fn sorted_by(self, value: Option<f64>) -> Self {
        Self { value: value.filter(|v| !v.is_nan()), ..self }
    }

    pub(super) fn of_class(self, class: &'static str) -> Self {
        Self { class, ..self }
    }
}

pub(super) fn words(title: impl Into<String>) -> Head {
    Head { title: title.into(), is_number: false }
}

pub(super) fn number(title: impl Into<String>) -> Head {
    Head { title: title.into(), is_number: true }
}

impl Grid {
    pub(super) fn html(&self) -> String {
        let caption = escape(&self.caption);
        let filtered = if self.filtered { " data-filter" } else { "" };
        let mut out = format!(
            "<div class=\"wide\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table data-sort{filtered}>\
             <caption>{caption}</caption><thead><tr>"
        );
        for head in &self.heads {
            let class = if head.is_number { " class=\"num\"" } else { "" };
            // Writing to a string cannot fail, here and below.
            let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", escape(&head.title));
        }
        out.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            out.push_str("<tr>");
            for (i, (cell, head)) in row.iter().zip(&self.heads).enumerate() {
                let tag = if i == 0 { "th scope=\"row\"" } else { "td" };
                let end = if i == 0 { "th" } else { "td" };
                let class = match (head.is_number, cell.class) {
                    (false, "") => String::new(),
                    (true, "") => " class=\"num\"".to_owned(),
                    (false, class) => format!(" class=\"{class}\""),
                    (true, class) => format!(" class=\"num {class}\""),
                };
                let value = cell.value.map_or_else(String::new, |v| format!(" data-v=\"{v}\""));
                let _ = write!(out, "<{tag}{class}{value}>{}</{end}>", cell.html);
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div>");
        out
    }
}

/// A number that leads to its observations. The first of a row takes part in moving through the page by keyboard.
pub(super) fn link(target: Option<&str>, text: &str, is_first: bool) -> String {
    let text = escape(text);
    match target {
        None => text,
        Some(id) => {
            let skipped = if is_first { "" } else { " tabindex=\"-1\"" };
            format!("<a class=\"o\" href=\"#{id}\"{skipped}>{text}</a>")
        }
    }
}

/// A ratio that leads to its observations: the value, or the word that takes its place, and its interval.
pub(super) fn ratio(target: Option<&str>, r: &Ratio, is_first: bool) -> String {
    let interval = r.interval.map_or_else(|| "n < 2".to_owned(), |i| range(i, scale::ratio));
    let remark = r.verdict.remark().map_or_else(String::new, |why| format!(", {why}"));
    let detail = format!("<span class=\"sub\">{}{remark}</span>", escape(&interval));
    match r.verdict {
        Verdict::Indistinguishable => format!("{} {detail}", tag("", &link(target, "indistinguishable", is_first))),
        _ => format!("{} {detail}", link(target, &format!("{} ×", scale::ratio(r.value)), is_first)),
    }
}

/// A word in a frame, HTML already.
pub(super) fn tag(class: &str, html: &str) -> String {
    format!("<span class=\"tag {class}\">{html}</span>")
}

/// A heading within a section.
pub(super) fn heading(title: &str) -> String {
    format!("<h3>{}</h3>", escape(title))
}

pub(super) fn paragraph(class: &str, html: &str) -> String {
    format!("<p class=\"{class}\">{html}</p>")
}

/// Small figures side by side as far as there is room, each under its title.
pub(super) fn figures(all: impl IntoIterator<Item = (String, String)>, caption: &str) -> String {
    let mut out = String::from("<figure><div class=\"facets\">");
    for (title, svg) in all {
        let title = escape(&title);
        let title = if title.is_empty() { title } else { format!("<p class=\"facet\">{title}</p>") };
        let _ = write!(out, "<div>{title}{svg}</div>");
    }
    let _ = write!(out, "</div><figcaption>{caption}</figcaption></figure>");
    out
}

/// A list of facts, each a word and HTML.
pub(super) fn facts(all: &[(&str, String)]) -> String {
    let mut out = String::from("<dl class=\"facts\">");
    for (term, html) in all.iter().filter(|(_, html)| !html.is_empty()) {
        let _ = write!(out, "<div><dt>{}</dt><dd>{html}</dd></div>", escape(term));
    }
    out.push_str("</dl>");
    out
}

/// Items of an unordered list, HTML already.
pub(super) fn list(items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    format!("<ul><li>{}</li></ul>", items.join("</li><li>"))
}
