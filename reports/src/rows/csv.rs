//! Text that no spreadsheet takes for a formula. Numbers, instants and truth values are never touched: only text can be hostile.

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::borrow::Cow;
use std::sync::Arc;

pub(super) fn written(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8 => {
            let safe: StringArray = column.as_string::<i32>().iter().map(|text| text.map(harmless)).collect();
            Arc::new(safe) as ArrayRef
        }
        _ => Arc::clone(column),
    });
    let safe = RecordBatch::try_new(batch.schema(), columns.collect())?;
    let mut bytes = Vec::new();
    WriterBuilder::new().with_header(true).build(&mut bytes).write(&safe)?;
    Ok(bytes)
}

/// Where a spreadsheet that is told of other separators, or guesses them, may begin a cell: no quotes help there, for they stand
/// within one then.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// Text with an apostrophe before each part that a spreadsheet would read as a formula, also after spaces or in full-width form.
/// A part is what follows a separator. One that begins with an apostrophe gets one more, so that taking one away from each that
/// has one always gives the text back.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(SEPARATORS) {
        return part(text);
    }
    text.split_inclusive(SEPARATORS).map(part).collect::<String>().into()
}

fn part(text: &str) -> Cow<'_, str> {
    let first = text.trim_start_matches(' ').chars().next();
    let is_formula =
        |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\'' | '＝' | '＋' | '－' | '＠');
    if first.is_some_and(is_formula) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_begin_with_an_apostrophe_and_other_text_does_not() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "＝1", "'x"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for (text, safe) in
            [("\t=1", "'\t'=1"), ("a;=1+1", "a;'=1+1"), ("a; @x;b", "a;' @x;b"), ("a\n-1", "a\n'-1"), ("a;b", "a;b")]
        {
            assert_eq!(harmless(text), safe);
        }
        for text in ["", "tpch-q01", "1gb", "a=b", "größer"] {
            assert_eq!(harmless(text), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_had_back_and_begins_with_nothing_dangerous(text in ".*") {
            let safe = harmless(&text).into_owned();
            let mut back = String::new();
            for part in safe.split_inclusive(SEPARATORS) {
                prop_assert!(!part.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
                back.push_str(part.strip_prefix('\'').unwrap_or(part));
            }
            prop_assert_eq!(back, text);
        }
    }
}
