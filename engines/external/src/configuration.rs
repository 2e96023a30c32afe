//! How a product can be set: as it comes, as it is tuned, as each trial was, and as others advise. What is in these files is for the driver to
//! read (`python/bench_driver/settings.py`); here is which there are, and how the tuned one was found.

use crate::catalog::{DEFAULT, Product, Source, TUNED};
use crate::drivers;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What `tuned.toml` says of how it was found.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Tuning {
    /// How many changes may be tried.
    #[serde(default)]
    pub(crate) budget: usize,
    /// Those that were.
    #[serde(default)]
    pub(crate) trial: Vec<toml::Table>,
}

/// What others advise, one change each.
#[derive(Clone, Debug, Default, Deserialize)]
struct Advised {
    #[serde(default)]
    advice: Vec<Advice>,
}

/// A change to what comes.
#[derive(Clone, Debug, Deserialize)]
struct Advice {
    name: String,
}

impl Product {
    /// The names of its configurations; none of an engine whose driver is not of this build, which alone knows them.
    #[must_use]
    pub fn configurations(&self) -> Vec<String> {
        if self.source != Source::BuiltIn {
            return Vec::new();
        }
        let trials = (1..=self.tuning().trial.len()).map(|number| format!("trial-{number}"));
        let advised = self.file::<Advised>("advice").advice.into_iter().map(|advice| advice.name);
        [DEFAULT.to_owned(), TUNED.to_owned()].into_iter().chain(advised).chain(trials).collect()
    }

    /// How its tuned configuration was found.
    pub(crate) fn tuning(&self) -> Tuning {
        self.file(TUNED)
    }

    /// A file beside its driver. That all of them can be read is tested.
    fn file<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        let text = drivers::text(&format!("{}/{name}.toml", self.name)).unwrap_or_default();
        toml::from_str(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;
    use std::collections::BTreeMap;
    use std::path::Path;
    use toml::{Table, Value};

    const BUDGET: usize = 3;

    fn built_in() -> Catalog {
        Catalog::open(Path::new("/nonexistent"), &[]).unwrap()
    }

    fn table(product: &Product, file: &str) -> Table {
        let path = format!("{}/{file}.toml", product.name);
        toml::from_str(drivers::text(&path).unwrap()).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    fn rows(table: &Table, name: &str) -> Vec<Table> {
        let rows = table.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        rows.into_iter().map(|row| row.as_table().unwrap().clone()).collect()
    }

    fn set(row: &Table) -> Table {
        row["set"].as_table().unwrap().clone()
    }

    fn says(row: &Table, field: &str) -> bool {
        row[field].as_str().is_some_and(|text| !text.trim().is_empty())
    }

    fn settings(product: &Product, file: &str) -> BTreeMap<String, Value> {
        let rows = rows(&table(product, file), "setting");
        rows.into_iter().map(|row| (row["key"].as_str().unwrap().to_owned(), row["value"].clone())).collect()
    }

    #[test]
    fn every_product_was_tuned_within_the_same_budget_and_says_what_was_tried() {
        for product in built_in().iter() {
            let (name, tuned) = (&product.name, product.tuning());
            assert_eq!(tuned.budget, BUDGET, "{name}");
            assert!(tuned.trial.len() <= BUDGET, "{name}: more than everybody else had");
            assert!(tuned.trial.iter().all(|trial| says(trial, "result")), "{name}: what came of each");
            let unspent = table(product, TUNED).contains_key("unspent");
            assert_eq!(unspent, tuned.trial.len() < BUDGET, "{name}: says why the budget was not spent");
            assert!(!table(product, DEFAULT).contains_key("trial"), "{name}: as it comes");
        }
    }

    #[test]
    fn a_tuned_product_is_what_comes_with_the_changes_that_helped_and_nothing_else() {
        for product in built_in().iter() {
            let mut kept = settings(product, DEFAULT);
            for trial in product.tuning().trial.iter().filter(|trial| trial["kept"].as_bool().unwrap()) {
                kept.extend(set(trial));
            }
            assert_eq!(settings(product, TUNED), kept, "{}", product.name);
        }
    }

    #[test]
    fn a_configuration_has_a_name_of_its_own_and_changes_something() {
        let mut advised = 0;
        for product in built_in().iter() {
            let names = product.configurations();
            assert!(names.iter().all(|name| bench_model::is_name(name)), "{names:?}");
            assert!(names.iter().enumerate().all(|(at, name)| !names[..at].contains(name)), "{names:?}");
            let comes = settings(product, DEFAULT);
            let advice = drivers::text(&format!("{}/advice.toml", product.name)).map(|_| table(product, "advice"));
            let advice = rows(&advice.unwrap_or_default(), "advice");
            advised += advice.len();
            assert!(advice.iter().all(|row| says(row, "reason") && says(row, "source")), "{}", product.name);
            for change in product.tuning().trial.iter().chain(&advice).map(set) {
                assert!(change.iter().any(|(key, value)| comes.get(key) != Some(value)), "{}: {change}", product.name);
            }
        }
        assert_eq!(advised, 5);
        let of = |name: &str| built_in().get(name).unwrap().configurations().join(" ");
        assert_eq!(of("spark"), "default tuned no-adaptive no-coalesce kryo trial-1 trial-2 trial-3");
        assert_eq!(of("duckdb"), "default tuned trial-1 trial-2 trial-3");
    }
}
