//! Text that nobody obeys: names and reasons come from engines and files.

/// Text without what a terminal or a viewer takes for a command: control characters, line separators and what is no character
/// in any text become spaces, and
/// those that turn the direction of writing round, behind which a name looks like another, are dropped.
#[must_use]
pub fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| !turns(*c));
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}');
    kept.map(|c| if breaks(c) { ' ' } else { c }).collect()
}

/// Whether it is one of Unicode's controls for text in two directions.
const fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same for HTML, in elements and in quoted attributes: every character is shown as it is.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::new();
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// At most so many characters: the middle is taken out, for names that share a beginning often differ at their end.
pub(crate) fn cut(text: &str, to: usize) -> String {
    let all = text.chars().count();
    if all <= to {
        return text.to_owned();
    }
    let tail = to.saturating_sub(1) / 2;
    let head = to.saturating_sub(tail + 1);
    text.chars().take(head).chain(['…']).chain(text.chars().skip(all - tail)).collect()
}

/// The same as Markdown that shows every character as it is: no markup, no link, no further cell.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::new();
    for c in plain(text).chars() {
        if matches!(c, '\\' | '|' | '<' | '>' | '&' | '[' | ']' | '`' | '*' | '_' | '~') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The same at the start of a line, where more characters mean something.
pub(crate) fn markdown_line(text: &str) -> String {
    let text = markdown(text);
    let text = text.trim_start();
    let mark = if text.starts_with(['#', '+', '-', '=']) { "\\" } else { "" };
    format!("{mark}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_move_the_cursor_or_turn_its_direction() {
        assert_eq!(plain("a\u{1b}[2J\r\n\u{85}b\u{2028}c"), "a [2J   b c");
        assert_eq!(plain("stagedag\u{202e}gadegats\u{2066}\u{200f}\u{61c}"), "stagedaggadegats");
        assert_eq!(plain("größer, 数据, שלום"), "größer, 数据, שלום");
    }

    #[test]
    fn no_text_from_results_is_an_element_or_leaves_an_attribute() {
        assert_eq!(html("<script>\"x\" & 'y'"), "&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;");
        assert_eq!(html("a\u{202e}\u{0}b"), "a b");
    }

    #[test]
    fn no_text_from_results_is_markup() {
        assert_eq!(markdown("a|b\\|c"), "a\\|b\\\\\\|c");
        assert_eq!(markdown("<img src=x> &amp; [x](y) `z` *u* _v_ ~~w~~"), {
            "\\<img src=x\\> \\&amp; \\[x\\](y) \\`z\\` \\*u\\* \\_v\\_ \\~\\~w\\~\\~"
        });
        assert_eq!([markdown_line(" # x #"), markdown_line("- x - y")], ["\\# x #", "\\- x - y"]);
        assert_eq!([markdown("-"), markdown_line("x - y")], ["-", "x - y"]);
    }
}
