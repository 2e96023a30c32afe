//! The commands that would decide a test.

use super::file::{ClaimsFile, Subject, Test};
use super::metric::Metric;
use super::select::TUNED;
use crate::comparison::ATTACHED;
use bench_record::Case;
use std::collections::BTreeSet;

/// How the subjects of a test are set in one run: engines that are compared have to take turns.
enum Set {
    /// Nothing is set.
    AsTheyCome,
    /// Products in these configurations, each of them.
    Configured(Vec<String>),
    /// One setting for each engine, as `engine.key=value`.
    Given(Vec<String>),
    /// An engine with a mechanism, and without it.
    Ablated,
}

/// The command that would decide a test: one, since engines of several runs did not take turns. None if no run could.
pub(super) fn commands(file: &ClaimsFile, test: &Test) -> Vec<String> {
    let subjects: Vec<&Subject> = test.relation.subjects().iter().filter_map(|s| file.subject.get(*s)).collect();
    let can_decide = test.metric.reading().is_some() || test.metric == Metric::Cost;
    let Some(set) = set(&subjects).filter(|_| can_decide) else { return Vec::new() };
    let mut engines: Vec<&Subject> = Vec::new();
    for subject in subjects {
        if engines.iter().all(|known| known.engine != subject.engine) {
            engines.push(subject);
        }
    }
    let names: Vec<&str> = engines.iter().map(|s| s.engine.as_str()).collect();
    if test.metric.figure().is_some() {
        return overhead(&set, &quoted(&names.join(",")), &memory(test));
    }
    let suite = test.at.suites.first().map_or("1gb", String::as_str);
    let mut options = String::new();
    if test.workloads != ["*"] {
        test.workloads.iter().for_each(|w| options.push_str(&format!(" --workloads {}", quoted(w))));
    }
    match &set {
        Set::AsTheyCome => {}
        // A running cluster keeps its own settings.
        Set::Configured(_) if test.at.clusters.first().is_some_and(|c| c == ATTACHED) => {}
        Set::Configured(names) => options.push_str(&format!(" --configs {}", quoted(&names.join(",")))),
        Set::Given(settings) => settings.iter().for_each(|s| options.push_str(&format!(" --set {}", quoted(s)))),
        Set::Ablated => options.push_str(" --ablate"),
    }
    options.push_str(&memory(test));
    options.push_str(&cluster(test, &engines));
    if let Some(protocol) = test.at.protocol {
        options.push_str(&format!(" --protocol {protocol}"));
    }
    vec![format!(
        "bench run --suite {} --families {} --engines {}{options} --trials 10",
        quoted(suite),
        quoted(&test.family),
        quoted(&names.join(","))
    )]
}

/// The command for what needs no workload; it has one configuration of each engine.
fn overhead(set: &Set, engines: &str, memory: &str) -> Vec<String> {
    let settings = match set {
        Set::Ablated => return Vec::new(),
        Set::AsTheyCome | Set::Configured(_) => String::new(),
        Set::Given(settings) => settings.iter().map(|s| format!(" --set {}", quoted(s))).collect(),
    };
    vec![format!("bench overhead --engines {engines}{settings}{memory} --trials 10")]
}

/// The option that limits memory as the test is meant.
fn memory(test: &Test) -> String {
    test.at.memory.first().map_or_else(String::new, |limit| format!(" --memory {}", quoted(limit)))
}

fn cluster(test: &Test, engines: &[&Subject]) -> String {
    let nodes = test.at.nodes.map(|nodes| format!(" --nodes {nodes}")).unwrap_or_default();
    match test.at.clusters.first().map(String::as_str) {
        None | Some("local") => String::new(),
        Some(ATTACHED) => {
            let clusters = engines.iter().map(|s| attached(&s.engine, s.attach.as_deref()));
            clusters.chain([attached_size(test.at.nodes.unwrap_or(1))]).collect()
        }
        Some("hosts") => format!(" --cluster hosts.toml{nodes}"),
        Some(kind) => format!(" --cluster {}{nodes}", quoted(kind)),
    }
}

/// The option that connects an engine to a cluster of its own.
pub(crate) fn attached(engine: &str, address: Option<&str>) -> String {
    format!(" --attach {}", quoted(&format!("{engine}={}", address.unwrap_or("ADDRESS"))))
}

/// The options that say how large such clusters are. How many tasks a machine runs at a time is for its owner to say: eight
/// stand for that.
pub(crate) fn attached_size(nodes: u32) -> String {
    format!(" --attach-nodes {nodes} --attach-slots 8")
}

/// None if one run cannot have all of them.
fn set(subjects: &[&Subject]) -> Option<Set> {
    let is = |s: &Subject, variant: &str| s.variant.as_deref().is_none_or(|v| v == variant);
    let is_default = |s: &&Subject| is(s, Case::DEFAULT_VARIANT);
    if subjects.iter().all(|s| is_default(s) || is(s, TUNED)) {
        let both = subjects.iter().any(|s| s.variant.is_none() || !is_default(s));
        let both = both.then(|| Set::Configured(["default", "tuned"].map(str::to_owned).to_vec()));
        return Some(both.unwrap_or(Set::AsTheyCome));
    }
    let engines: BTreeSet<&str> = subjects.iter().map(|s| s.engine.as_str()).collect();
    if engines.len() == subjects.len() {
        let settings = subjects.iter().flat_map(|s| {
            let parts = s.variant.iter().flat_map(|v| v.split(',')).filter(|v| *v != Case::DEFAULT_VARIANT);
            parts.map(|v| format!("{}.{v}", s.engine))
        });
        return Some(Set::Given(settings.collect()));
    }
    if let (1, Some(names)) = (engines.len(), configurations(subjects)) {
        return Some(Set::Configured(names));
    }
    let is_ablated = |s: &Subject| {
        let off = s.variant.as_deref().and_then(|v| v.strip_suffix("=off"));
        off.is_some_and(|switch| !switch.contains([',', '=']))
    };
    subjects.iter().all(|s| is_default(s) || is_ablated(s)).then_some(Set::Ablated)
}

/// The configurations that subjects are, if that is all they are, the default first.
fn configurations(subjects: &[&Subject]) -> Option<Vec<String>> {
    let name = |s: &&Subject| match s.variant.as_deref()? {
        Case::DEFAULT_VARIANT => Some(Case::DEFAULT_VARIANT.to_owned()),
        variant => variant.strip_prefix("config=").filter(|name| !name.contains([',', '='])).map(str::to_owned),
    };
    let mut names = subjects.iter().map(name).collect::<Option<Vec<String>>>()?;
    names.sort_by_key(|name| name != Case::DEFAULT_VARIANT);
    names.dedup();
    Some(names)
}

/// A word that a shell takes as one and obeys in nothing: it may come from a file of somebody else's.
pub(crate) fn quoted(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ',' | '=' | '/' | ':');
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Whether a line of a claims file may be shown as a command: it runs this program and nothing else, whatever shell it is
/// pasted into.
pub(super) fn is_run(line: &str) -> bool {
    let safe =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | ',' | '=' | '/' | ':' | '@' | '%');
    line.starts_with("bench run ") && line.chars().all(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(engine: &str, variant: Option<&str>) -> Subject {
        Subject {
            name: engine.into(),
            engine: engine.into(),
            variant: variant.map(str::to_owned),
            attach: None,
            style: None,
            style_variant: Case::DEFAULT_VARIANT.into(),
        }
    }

    #[test]
    fn a_word_of_a_claims_file_cannot_become_a_command() {
        assert_eq!(quoted("ray,dask"), "ray,dask");
        assert_eq!(quoted("x; rm -rf ~"), "'x; rm -rf ~'");
        assert_eq!(quoted("it's $(x)"), "'it'\\''s $(x)'");
        assert_eq!([quoted("--out=x"), quoted("")], ["'--out=x'", "''"]);
    }

    #[test]
    fn only_lines_that_run_this_program_are_commands() {
        assert!(is_run("bench run --suite smoke --cluster processes --faults kill@50% --seed 1..20"));
        for line in [
            "rm -rf /",
            "bench report x",
            "bench run --suite smoke; rm -rf /",
            "bench run --suite smoke\nrm -rf /",
            "bench run --suite $(id)",
            "bench run --suite `id`",
            "bench run --suite smoke > /etc/passwd",
            "bench run --suite smoke\u{202e}",
            "bench running",
        ] {
            assert!(!is_run(line), "{line}");
        }
    }

    #[test]
    fn one_run_has_everybody_who_is_compared_or_there_is_no_command() {
        let (plain, tuned, bare) =
            (subject("spark", Some("default")), subject("spark", Some(TUNED)), subject("spark", None));
        assert!(matches!(set(&[&plain]), Some(Set::AsTheyCome)));
        assert!(matches!(set(&[&plain, &tuned]), Some(Set::Configured(names)) if names == ["default", "tuned"]));
        assert!(matches!(set(&[&bare]), Some(Set::Configured(names)) if names == ["default", "tuned"]));
        let kryo = subject("spark", Some("config=kryo"));
        assert!(matches!(set(&[&kryo, &plain]), Some(Set::Configured(names)) if names == ["default", "kryo"]));
        let dask = subject("dask", Some("default"));
        assert!(matches!(set(&[&kryo, &dask]), Some(Set::Given(s)) if s == ["spark.config=kryo"]), "Dask has none");
        let off = subject("stagedag", Some("adaptive=off"));
        assert!(matches!(set(&[&off, &subject("actor", None)]), Some(Set::Given(s)) if s == ["stagedag.adaptive=off"]));
        assert!(matches!(set(&[&off, &subject("stagedag", Some("default"))]), Some(Set::Ablated)));
        let other = subject("stagedag", Some("partitions=4"));
        assert!(set(&[&other, &subject("stagedag", Some("default"))]).is_none());
    }
}
