//! A report on claims as a section of a page, or as a page of its own.

use super::report::{AssessedClaim, AssessedTest, ClaimVerdict, ClaimsReport, Evidence, Remove};
use crate::plain::html as escape;
use crate::render::{claim_findings as findings, claim_words as words};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Where the page lists the trials of a case, by the case's key.
type Places = BTreeMap<String, String>;

/// The body of a section: a summary, then every claim beside its evidence. No script, no style and no address is in it;
/// classes start with `claim`. Keys of cases are links where `places` has ids of this page for them
/// ([`places_of_cases`](crate::places_of_cases)); a page without observations has none.
#[must_use]
pub fn fragment(report: &ClaimsReport, places: &Places) -> String {
    let mut out = String::new();
    for line in words::summary(report) {
        paragraph(&mut out, "claims-summary", &line);
    }
    for group in &report.groups {
        let _ = write!(
            out,
            "<h3>{0}</h3>\n<div class=\"claims-wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table class=\"claims claims-cards\" \
             data-filter>\n",
            escape(&group.title)
        );
        out.push_str(
            "<thead><tr><th scope=\"col\">claim</th><th scope=\"col\">as cited</th><th scope=\"col\">verdict here</th>\
             <th scope=\"col\">evidence</th></tr></thead>\n<tbody>\n",
        );
        group.claims.iter().for_each(|c| claim(&mut out, c, places));
        out.push_str("</tbody></table></div>\n");
    }
    for line in words::foot(report) {
        paragraph(&mut out, "claims-note", &line);
    }
    out
}

/// A whole page around [`fragment`], without anything from elsewhere.
#[must_use]
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// Light and dark, phone and paper, for [`page`] and for whoever puts [`fragment`] into a page of theirs. Verdicts are words;
/// color repeats them.
pub const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #57606a; --line: #d0d7de; --good: #116329; --bad: #a40e26; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --faint: #9aa4af; --line: #30363d; --good: #56d364; --bad: #ff7b72; } }
body { color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 75rem; margin: 0 auto; padding: 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
.claims-wide { overflow-x: auto; }
.claims tbody th { min-width: 9rem; }
.claim-supported { color: var(--good); font-weight: 600; }
.claim-contradicted { color: var(--bad); font-weight: 600; }
.claim-inconclusive { font-weight: 600; }
.claim-not-tested, .claim-faint, .claims-note { color: var(--faint); }
code { overflow-wrap: anywhere; font-size: .875rem; }
dl { margin: 0; } dt { font-weight: 600; } dd { margin: 0 0 .25rem; }
@media (max-width: 45rem) {
  .claims-cards > thead { display: none; }
  .claims-cards > tbody > tr, .claims-cards > tbody > tr > th, .claims-cards > tbody > tr > td { display: block; }
  .claims-cards > tbody > tr { border-bottom: 2px solid var(--line); padding: .5rem 0; }
  .claims-cards > tbody > tr > th, .claims-cards > tbody > tr > td { border: 0; padding: .2rem 0; }
  details { overflow-x: auto; }
}
@media print { details::details-content { content-visibility: visible; display: block; } }
";

fn paragraph(out: &mut String, class: &str, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<p class=\"{class}\">{}</p>", escape(text));
}

const fn class(verdict: ClaimVerdict) -> &'static str {
    match verdict {
        ClaimVerdict::Supported => "claim-supported",
        ClaimVerdict::Contradicted => "claim-contradicted",
        ClaimVerdict::Inconclusive => "claim-inconclusive",
        ClaimVerdict::NotTested => "claim-not-tested",
    }
}

fn claim(out: &mut String, c: &AssessedClaim, places: &Places) {
    let id = escape(&c.id);
    let _ = write!(out, "<tr id=\"claim-{id}\"><th scope=\"row\"><code>{id}</code><br>{}</th><td>", escape(&c.text));
    if !c.says.is_empty() {
        out.push_str("<dl>");
        for (who, what) in &c.says {
            let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", escape(who), escape(what));
        }
        out.push_str("</dl>");
    }
    let (class, verdict) = (class(c.verdict), c.verdict);
    let _ = write!(out, "</td><td><span class=\"{class}\">{verdict}</span><br>{}", escape(&c.because));
    // Where nothing was compared, why it has its verdict says all there is.
    if let Some(measured) = findings::measured(c).filter(|measured| *measured != c.because) {
        let _ = write!(out, "<p class=\"claim-measured\">measured: {}</p>", escape(&measured));
    }
    out.push_str("</td><td>");
    c.tests.iter().for_each(|t| test(out, t, places));
    for command in &c.would_test {
        let _ = write!(out, "<p class=\"claim-faint\">would test it: <code>{}</code></p>", escape(command));
    }
    out.push_str("</td></tr>\n");
}

fn test(out: &mut String, t: &AssessedTest, places: &Places) {
    let _ = write!(
        out,
        "<p>{} <span class=\"claim-faint\">({}; {})</span>: <span class=\"{}\">{}</span></p>",
        escape(&t.reading),
        t.metric,
        escape(&t.at),
        class(t.verdict),
        t.verdict
    );
    t.evidence.iter().for_each(|e| evidence(out, e, places));
}

fn evidence(out: &mut String, e: &Evidence, places: &Places) {
    let finding = match e.remove {
        Remove::Direct => e.finding.to_string(),
        Remove::OtherScale | Remove::Architecture => words::leaning(e.finding).to_owned(),
    };
    let _ = write!(
        out,
        "<details><summary>{}: {} ({})</summary><p>{}</p><p class=\"claim-faint\">{}</p>",
        e.remove,
        escape(&finding),
        escape(&e.who.join(", ")),
        escape(&e.because),
        escape(&e.place)
    );
    if !e.compared.is_empty() {
        out.push_str("<table><thead><tr>");
        let columns = words::columns(e.compared.iter());
        columns.iter().for_each(|c| {
            let _ = write!(out, "<th scope=\"col\">{}</th>", c.title);
        });
        out.push_str("</tr></thead><tbody>");
        for c in &e.compared {
            let cells: String =
                columns.iter().map(|column| format!("<td>{}</td>", escape(&(column.cell)(c)))).collect();
            let _ = write!(out, "<tr>{cells}</tr>");
        }
        out.push_str("</tbody></table>");
    }
    if !e.links.is_empty() {
        out.push_str("<p class=\"claim-faint\">observations:</p><ul>");
        for link in &e.links {
            let key = format!("<code>{}</code>", escape(&link.key));
            let key = match places.get(&link.key) {
                Some(id) => format!("<a class=\"o\" href=\"#{}\">{key}</a>", escape(id)),
                None => key,
            };
            let _ = write!(out, "<li>{key} in <code>{}</code></li>", escape(&link.file));
        }
        out.push_str("</ul>");
    }
    out.push_str("</details>");
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_in_text_is_markup() {
        assert_eq!(escape("<b onx=\"a\">'&'"), "&lt;b onx=&quot;a&quot;&gt;&#39;&amp;&#39;");
        assert_eq!(escape("a\u{202e}b\u{1b}[2J"), "ab [2J");
    }
}
