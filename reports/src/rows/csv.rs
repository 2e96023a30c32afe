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

/// Text with an apostrophe before it where a spreadsheet would read a formula, also after spaces or in full-width form. Text that
/// begins with an apostrophe gets one more, so that taking one away always gives the text back.
fn harmless(text: &str) -> Cow<'_, str> {
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
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "'x"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for text in ["", "tpch-q01", "1gb", "a=b", "größer"] {
            assert_eq!(harmless(text), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_had_back_and_begins_with_nothing_dangerous(text in ".*") {
            let safe = harmless(&text).into_owned();
            prop_assert!(!safe.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
            prop_assert_eq!(safe.strip_prefix('\'').unwrap_or(&safe), text);
        }
    }
}
