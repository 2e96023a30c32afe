//! Suites: which families at which scale, as embedded TOML.

use crate::definition::DefinitionError;
use crate::spec::DatasetSpec;
use include_dir::{Dir, include_dir};
use serde::Deserialize;

static SUITES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/suites");

/// Families at one scale: what `bench run --suite NAME` runs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Its name on the command line.
    pub name: String,
    /// One line on what it is for.
    pub title: String,
    /// Its place in lists, smallest first.
    pub rank: u32,
    /// Its families.
    #[serde(rename = "family")]
    pub families: Vec<SuiteFamily>,
}

/// A family at the scale of its suite.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteFamily {
    /// The workload folder: `tpch`, `groupby` or `overhead`.
    pub name: String,
    /// The tables it reads; none for zero-work graphs.
    pub dataset: Option<DatasetSpec>,
    /// Tasks of each zero-work graph, where that is what scales.
    pub tasks: Option<u32>,
    /// Which of the family's workloads, by name; all if empty.
    #[serde(default)]
    pub workloads: Vec<String>,
    /// What the names of its workloads end with here, after a dot: a suite may have one family over several sets.
    pub suffix: Option<String>,
}

impl Suite {
    /// Bytes of raw text that its largest family handles: what its name promises.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.datasets().map(DatasetSpec::raw_bytes).max().unwrap_or(0)
    }

    /// The sets it reads.
    pub fn datasets(&self) -> impl Iterator<Item = &DatasetSpec> {
        self.families.iter().filter_map(|f| f.dataset.as_ref())
    }

    /// The same suite over data that is so many times as large: rows, or tasks of zero-work graphs.
    ///
    /// # Errors
    /// Data too large to be made.
    pub fn scaled(&self, times: u32) -> Result<Self, DefinitionError> {
        let mut suite = self.clone();
        for family in &mut suite.families {
            family.dataset = family.dataset.as_ref().map(|spec| spec.scaled(times));
            family.tasks = family.tasks.map(|tasks| tasks.saturating_mul(times));
        }
        let title = format!("{} x {times}", self.name);
        for spec in suite.datasets() {
            spec.validate().map_err(|e| DefinitionError::invalid(&title, e.to_string()))?;
        }
        Ok(suite)
    }

    /// Reads a suite's TOML.
    ///
    /// # Errors
    /// Malformed TOML, an unknown field, an impossible scale: with file and line.
    pub fn parse(file: &str, text: &str) -> Result<Self, DefinitionError> {
        let suite: Self = toml::from_str(text).map_err(|e| DefinitionError::toml(file, text, &e))?;
        for spec in suite.datasets() {
            spec.validate().map_err(|e| DefinitionError::invalid(file, e.to_string()))?;
        }
        Ok(suite)
    }
}

/// The built-in suites, smallest first.
///
/// # Errors
/// Never in a released build: a test reads them all.
pub fn suites() -> Result<Vec<Suite>, DefinitionError> {
    let mut suites = Vec::new();
    for file in SUITES.files() {
        let name = file.path().display().to_string();
        let text = file.contents_utf8().ok_or_else(|| DefinitionError::invalid(&name, "it is not UTF-8"))?;
        suites.push(Suite::parse(&name, text)?);
    }
    suites.sort_by_key(|s| s.rank);
    Ok(suites)
}

/// The built-in suite of that name.
///
/// # Errors
/// There is none; the message lists what there is.
pub fn suite(name: &str) -> Result<Suite, DefinitionError> {
    let all = suites()?;
    let known: Vec<&str> = all.iter().map(|s| s.name.as_str()).collect();
    let error = DefinitionError::unknown("suite", name, &known);
    all.into_iter().find(|s| s.name == name).ok_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_family_of_a_suite_handles_as_many_bytes_as_its_name_says() {
        let suites = suites().unwrap();
        let names: Vec<&str> = suites.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["smoke", "1gb", "10gb", "100gb", "1tb", "overhead", "skew-smoke", "skew"]);
        for (name, bytes) in [("1gb", 1u64), ("10gb", 10), ("100gb", 100), ("1tb", 1000)] {
            let suite = suite(name).unwrap();
            assert_eq!(suite.families.len(), 2);
            assert!(suite.datasets().all(|d| d.raw_bytes() == bytes * 1_000_000_000), "{name}");
        }
    }

    #[test]
    fn a_scaled_suite_has_the_same_workloads_over_data_that_many_times_as_large() {
        let once = suite("smoke").unwrap();
        assert_eq!(once.scaled(1).unwrap(), once);
        let thrice = once.scaled(3).unwrap();
        let names: Vec<String> = thrice.datasets().map(DatasetSpec::name).collect();
        assert_eq!(names, ["tpch-sf0.03", "groupby-n300000"]);
        assert_eq!(thrice.families.iter().filter_map(|f| f.tasks).collect::<Vec<_>>(), [6_000]);
        assert_eq!(thrice.raw_bytes(), 3 * once.raw_bytes());
        let of = |suite| crate::workloads(suite).unwrap().into_iter().map(|d| d.workload.name).collect::<Vec<_>>();
        assert_eq!(of(&thrice), of(&once));
        let absurd = suite("1tb").unwrap().scaled(u32::MAX).unwrap_err().to_string();
        assert!(absurd.contains("1tb x 4294967295") && absurd.contains("out of range"), "{absurd}");
    }

    #[test]
    fn an_unknown_suite_is_answered_with_what_there_is() {
        insta::assert_snapshot!(
            suite("2gb").unwrap_err(),
            @"no suite `2gb`; there are smoke, 1gb, 10gb, 100gb, 1tb, overhead, skew-smoke, skew"
        );
    }

    #[test]
    fn mistakes_in_a_suite_name_file_and_line() {
        let unknown = "name = \"a\"\ntitle = \"b\"\nrank = 1\nspeed = \"high\"\nfamily = []\n";
        insta::assert_snapshot!(
            Suite::parse("a.toml", unknown).unwrap_err(),
            @"a.toml:4: unknown field `speed`, expected one of `name`, `title`, `rank`, `family`"
        );
        let absurd = "name = \"a\"\ntitle = \"b\"\nrank = 1\n\
                      [[family]]\nname = \"tpch\"\ndataset = { tpch = { scale_factor = -1 } }\n";
        assert!(Suite::parse("a.toml", absurd).unwrap_err().to_string().contains("scale factor -1 is out of range"));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "[a-z0-9\\[\\]={}\"., \n-]{0,120}") {
            let _ = Suite::parse("garbage.toml", &text);
        }
    }

    /// One of everything a suite may have, in few bytes.
    const EVERYTHING: &str = r#"name = "s"
title = "t"
rank = 1
[[family]]
name = "tpch"
dataset = { tpch = { scale_factor = 0.01 } }
[[family]]
name = "groupby"
suffix = "hot"
dataset = { groupby = { rows = 9_000, skew = "hot", null_percent = 5, seed = 7 } }
workloads = ["sort", "topk"]
[[family]]
name = "overhead"
tasks = 9
"#;

    #[test]
    fn a_suite_with_any_byte_changed_is_read_or_refused() {
        assert_eq!(crate::workloads(&Suite::parse("s.toml", EVERYTHING).unwrap()).unwrap().len(), 29);
        let (mut read, mut refused) = (0, 0);
        crate::fuzz::each_changed(EVERYTHING, |changed| match Suite::parse("s.toml", changed) {
            Ok(suite) => {
                read += 1;
                // It resolves or says what is unknown, and every set of it has a name that can be read back.
                let _ = crate::workloads(&suite);
                assert!(suite.datasets().all(|d| d.name().parse().as_ref() == Ok(d)), "{changed}");
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("s.toml"), "{error}");
            }
        });
        assert!(read > 100 && refused > 100, "{read} read, {refused} refused");
    }
}
