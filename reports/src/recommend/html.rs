//! A recommendation as a section of a page.

use super::report::Recommendation;
use crate::plain::html as escape;
use crate::render::recommend_words as words;
use std::fmt::Write;

/// The body of a section: the answer, then each table. No script, no style and no address is in it; wrap it with
/// [`crate::claims::page`] for a page of its own.
#[must_use]
pub fn fragment(recommendation: &Recommendation) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<p><strong>{}</strong></p>", escape(&words::answer(recommendation)));
    for part in words::parts(recommendation) {
        let _ = writeln!(out, "<h3>{}</h3>", escape(&part.title));
        if !part.rows.is_empty() {
            out.push_str("<div class=\"claims-wide\"><table class=\"claims\"><thead><tr>");
            part.columns.iter().for_each(|c| {
                let _ = write!(out, "<th scope=\"col\">{}</th>", escape(c.0));
            });
            out.push_str("</tr></thead>\n<tbody>\n");
            for row in &part.rows {
                out.push_str("<tr>");
                row.iter().for_each(|cell| {
                    let _ = write!(out, "<td>{}</td>", escape(cell));
                });
                out.push_str("</tr>\n");
            }
            out.push_str("</tbody></table></div>\n");
        }
        if !part.items.is_empty() {
            out.push_str("<ul>\n");
            part.items.iter().for_each(|item| {
                let _ = writeln!(out, "<li>{}</li>", escape(item));
            });
            out.push_str("</ul>\n");
        }
    }
    out
}
