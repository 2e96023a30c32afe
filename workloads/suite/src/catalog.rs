//! The built-in workloads, and what a suite makes of them.

use crate::definition::DefinitionError;
use crate::family::{Definition, FILE, FamilyFile, Scope, check_name};
use crate::spec::DatasetSpec;
use crate::suite::{Suite, SuiteFamily};
use include_dir::{Dir, include_dir};
use std::collections::BTreeSet;
use std::path::PathBuf;

static FAMILIES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/families");

/// Every workload of a suite, in report order, at the suite's scale.
///
/// # Errors
/// A family that is not there or is malformed, or a workload name used twice. Never for a built-in suite: a test
/// resolves them all.
pub fn workloads(suite: &Suite) -> Result<Vec<Definition>, DefinitionError> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for family in &suite.families {
        for definition in resolve(family)? {
            let name = &definition.workload.name;
            if !seen.insert(name.clone()) {
                let message = format!("workload `{name}` is in two families of suite `{}`", suite.name);
                return Err(DefinitionError::invalid(&suite.name, message));
            }
            all.push(definition);
        }
    }
    Ok(all)
}

/// The families there are, with their titles.
///
/// # Errors
/// Never in a released build: a test reads them all.
pub fn families() -> Result<Vec<(String, String)>, DefinitionError> {
    FAMILIES.dirs().map(|dir| family_file(dir).map(|f| (f.name, f.title))).collect()
}

fn family_file(dir: &Dir<'_>) -> Result<FamilyFile, DefinitionError> {
    let file = dir.path().join(FILE).display().to_string();
    FamilyFile::parse(&file, &text(dir, FILE)?)
}

fn resolve(wanted: &SuiteFamily) -> Result<Vec<Definition>, DefinitionError> {
    let Some(dir) = FAMILIES.get_dir(&wanted.name) else {
        let known: Vec<&str> = FAMILIES.dirs().filter_map(|d| d.path().to_str()).collect();
        return Err(DefinitionError::unknown("family", &wanted.name, &known));
    };
    let file = dir.path().join(FILE).display().to_string();
    let no_files = |name: &str| Err(DefinitionError::invalid(&file, format!("`{name}`: built-in answers are digests")));
    let scope = Scope {
        file: &file,
        dataset: wanted.dataset.as_ref().map(DatasetSpec::name),
        tasks: wanted.tasks,
        text: &|name| text(dir, name).map(|sql| at_scale(&sql, wanted.dataset.as_ref())),
        path: &|name| no_files(name).map(|()| PathBuf::new()),
    };
    let all = family_file(dir)?.workloads;
    if let Some(unknown) = wanted.workloads.iter().find(|name| all.iter().all(|entry| entry.name != **name)) {
        let known: Vec<&str> = all.iter().map(|entry| entry.name.as_str()).collect();
        return Err(DefinitionError::unknown("workload", unknown, &known));
    }
    if let Some(suffix) = &wanted.suffix {
        check_name(&file, "suffix of workloads", suffix)?;
    }
    let is_wanted = |name: &String| wanted.workloads.is_empty() || wanted.workloads.contains(name);
    let mut definitions = Vec::new();
    for entry in all.into_iter().filter(|entry| is_wanted(&entry.name)) {
        // SQL workloads are their own question; the others have it as a file of their name.
        let oracle = match entry.sql_file() {
            Some(file) => file.to_owned(),
            None => format!("oracle/{}.sql", entry.name),
        };
        let oracle_sql = (scope.text)(&oracle).ok();
        let mut definition = Definition { oracle_sql, ..entry.resolve(&scope)? };
        if let Some(suffix) = &wanted.suffix {
            definition.workload.name = format!("{}.{suffix}", definition.workload.name);
        }
        definitions.push(definition);
    }
    Ok(definitions)
}

fn text(dir: &Dir<'_>, name: &str) -> Result<String, DefinitionError> {
    let path = dir.path().join(name);
    let missing = || DefinitionError::Unreadable { path: path.clone(), message: "it is not built in".to_owned() };
    dir.get_file(&path).and_then(include_dir::File::contents_utf8).map(str::to_owned).ok_or_else(missing)
}

/// Fills in `${fraction}`, the one parameter of the TPC-H queries that depends on the scale: 0.0001 / SF (query 11).
fn at_scale(sql: &str, dataset: Option<&DatasetSpec>) -> String {
    match dataset {
        Some(DatasetSpec::Tpch(t)) => {
            let fraction = format!("{:.10}", 0.0001 / t.scale_factor);
            sql.replace("${fraction}", fraction.trim_end_matches('0'))
        }
        _ => sql.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::Expected;
    use crate::suite::{suite, suites};
    use bench_model::{Family, Program, Query};

    fn names(suite_name: &str, family: Family) -> Vec<String> {
        let all = workloads(&suite(suite_name).unwrap()).unwrap();
        all.into_iter().map(|d| d.workload).filter(|w| w.family == family).map(|w| w.name).collect()
    }

    #[test]
    fn every_suite_resolves() {
        for suite in suites().unwrap() {
            let all = workloads(&suite).unwrap();
            assert!(!all.is_empty(), "{}", suite.name);
            for d in all {
                assert_eq!(d.workload.dataset.is_some(), d.workload.family != Family::Overhead, "{}", d.workload.name);
                assert_eq!(d.oracle_sql.is_some(), d.workload.family != Family::Overhead, "{}", d.workload.name);
            }
        }
    }

    #[test]
    fn the_main_suite_has_22_queries_and_21_dataframe_programs() {
        let expected: Vec<String> = (1..=22).map(|i| format!("tpch-q{i:02}")).collect();
        assert_eq!(names("1gb", Family::Sql), expected);
        let questions = (1..=10).map(|i| format!("groupby-q{i:02}")).chain((1..=5).map(|i| format!("join-q{i:02}")));
        let others = ["sort", "topk", "filter-project", "window", "distinct", "pivot"].map(str::to_owned);
        assert_eq!(names("1gb", Family::Dataframe), questions.chain(others).collect::<Vec<_>>());
    }

    #[test]
    fn the_skew_suites_ask_the_same_questions_of_four_distributions() {
        for suite_name in ["skew-smoke", "skew"] {
            let suite = suite(suite_name).unwrap();
            let sets: Vec<String> = suite.datasets().map(DatasetSpec::name).collect();
            let ends = ["", "-zipf0.8", "-zipf1.2", "-hot"];
            assert!(sets.iter().zip(ends).all(|(set, end)| *set == format!("{}{end}", sets[0])), "{sets:?}");
            assert!(suite.datasets().all(|d| d.raw_bytes() == suite.raw_bytes()));
            let all = workloads(&suite).unwrap();
            let of = |suffix: &str| -> Vec<String> {
                let names = all.iter().map(|d| d.workload.name.as_str());
                names.filter_map(|name| name.strip_suffix(suffix)).map(str::to_owned).collect()
            };
            assert_eq!(all.len(), 4 * of(".uniform").len());
            for suffix in [".zipf0.8", ".zipf1.2", ".hot"] {
                assert_eq!(of(suffix), of(".uniform"), "{suite_name}");
            }
            let hot = all.iter().find(|d| d.workload.name == "join-q05.hot").unwrap();
            assert_eq!(hot.workload.dataset.as_deref(), Some(sets[3].as_str()));
            assert!(hot.oracle_sql.is_some());
        }
    }

    #[test]
    fn zero_work_graphs_know_their_answer_by_construction() {
        let all = workloads(&suite("overhead").unwrap()).unwrap();
        let names: Vec<&str> = all.iter().map(|d| d.workload.name.as_str()).collect();
        assert_eq!(names, ["graph-chain", "graph-fanout", "graph-tree", "graph-stencil", "graph-calls"]);
        for d in &all {
            assert!(matches!(&d.expected, Expected::Rows { origin, .. } if origin == "by construction"));
            assert!(matches!(&d.workload.program, Program::Graph(g) if (100_000..100_200).contains(&g.tasks())));
        }
    }

    #[test]
    fn the_scale_dependent_parameter_is_filled_in() {
        for (name, fraction) in [("smoke", "0.01"), ("1gb", "0.0001"), ("1tb", "0.0000001")] {
            let all = workloads(&suite(name).unwrap()).unwrap();
            let q11 = all.iter().find(|d| d.workload.name == "tpch-q11").unwrap();
            let Program::Query(Query::Sql(sql)) = &q11.workload.program else { panic!("q11 is SQL") };
            assert!(sql.contains(&format!("* {fraction}\n")), "{sql}");
            assert!(all.iter().all(|d| d.oracle_sql.as_deref().is_none_or(|sql| !sql.contains("${"))));
        }
    }

    #[test]
    fn an_unknown_family_is_answered_with_what_there_is() {
        let wanted = |name: &str, workloads: &[&str]| SuiteFamily {
            name: name.into(),
            dataset: None,
            tasks: None,
            workloads: workloads.iter().map(|w| (*w).to_owned()).collect(),
            suffix: None,
        };
        let unknown = resolve(&wanted("graphs", &[])).unwrap_err();
        insta::assert_snapshot!(unknown, @"no family `graphs`; there are groupby, overhead, tpch");
        let unknown = resolve(&wanted("overhead", &["graph-tree", "graph-star"])).unwrap_err();
        insta::assert_snapshot!(unknown, @"no workload `graph-star`; there are graph-chain, graph-fanout, graph-tree, graph-stencil, graph-calls");
    }
}
