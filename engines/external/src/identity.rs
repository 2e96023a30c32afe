//! What makes a product the same one in two runs, besides its version.

use crate::catalog::{Product, Source, TUNED};
use crate::store::{State, Store, requirements};
use twox_hash::XxHash3_64;

impl Store {
    /// What the record keeps of a product in one of its configurations, by name: the packages or the command that it is started by, as a
    /// fingerprint, which package was fitted to this system, and how many settings were tried to tune it.
    #[must_use]
    pub fn identity(&self, product: &Product, config: &str) -> Vec<(String, String)> {
        let fitted = match self.state(product) {
            State::Installed { fitted, .. } => fitted,
            State::Missing { .. } => None,
        };
        let fitted = fitted.map(|fitted| ("fitted".to_owned(), fitted));
        product.identity(config).into_iter().chain(fitted).collect()
    }
}

impl Product {
    /// What is the same wherever it is installed.
    fn identity(&self, config: &str) -> Vec<(String, String)> {
        match &self.source {
            Source::BuiltIn => {
                let trials = (config == TUNED).then(|| {
                    let tuning = self.tuning();
                    ("tuning_trials".to_owned(), format!("{} of {}", tuning.trial.len(), tuning.budget))
                });
                [("packages".to_owned(), requirements(self))].into_iter().chain(trials).collect()
            }
            Source::Command(words) => vec![("command".to_owned(), command(words, self))],
        }
    }
}

/// What identifies a command line and its variables. They may hold a secret, so they are not recorded themselves.
fn command(words: &[String], product: &Product) -> String {
    let variables = product.environment.iter().map(|(name, value)| format!("{name}={value}"));
    let all: Vec<String> = words.iter().cloned().chain(variables).collect();
    format!("{:016x}", XxHash3_64::oneshot(all.join("\0").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;
    use std::path::Path;

    #[test]
    fn a_product_of_other_packages_or_another_command_is_another_one() {
        let catalog = Catalog::open(Path::new("/nonexistent"), &[]).unwrap();
        let names = |name: &str, config: &str| {
            let all = catalog.get(name).unwrap().identity(config);
            all.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names("duckdb", "default"), ["packages"]);
        assert_eq!(names("duckdb", "tuned"), ["packages", "tuning_trials"]);
        let own = |word: &str, home: &str| Product {
            source: Source::Command(vec!["/opt/mine".into(), word.into()]),
            environment: [("HOME".to_owned(), home.to_owned())].into(),
            ..catalog.get("duckdb").unwrap().clone()
        };
        let identity = own("a", "s3cret").identity("default");
        assert_eq!(identity, own("a", "s3cret").identity("tuned"));
        assert!(identity != own("b", "s3cret").identity("default") && identity != own("a", "x").identity("default"));
        assert!(!format!("{identity:?}").contains("s3cret"));
    }
}
