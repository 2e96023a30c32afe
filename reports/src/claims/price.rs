//! What recorded work costs at the prices of a book, against a claim on cost. Chance has no part in it: a cost is a range
//! from what prices may be and what times may be, and decides only where all of it lies on one side of both ends.

use super::examine::Draft;
use super::file::{ClaimsFile, Relation, Subject, Test};
use super::metric::Unit;
use super::report::{ClaimVerdict, Compared, Configuration, Link, Remove};
use super::select::{TUNED, meant, split};
use crate::compare::evidence::{Tested, TestedCase};
use crate::cost::{Basis, FamilyPricing, Jobs, Offer, Pricing, Usage};
use crate::stats::{INTERVAL_TRIALS, Interval};
use bench_record::Case;
use std::collections::BTreeSet;

/// One draft for each contestant that stands for the subject and has offers on the deployment.
pub(super) fn costs(file: &ClaimsFile, test: &Test, prices: &Pricing, tables: &[Tested<'_>]) -> Vec<Draft> {
    let Relation::Range { of, low, high, unit } = &test.relation else { return Vec::new() };
    let Some(subject) = file.subject.get(of) else { return Vec::new() };
    let claimed = Claimed { low: *low, high: *high, unit: *unit, text: format!("{low}–{high} {}", unit.name()) };
    let mut drafts = Vec::new();
    for family in prices.families.iter().filter(|f| f.family.name() == test.family) {
        for usage in &family.usages {
            let Some(configuration) = configuration(subject, usage) else { continue };
            let offers = offers(test, family, usage);
            let table = tables.iter().find(|t| t.title() == usage.table && t.contestants.contains(&usage.contestant));
            let Some(table) = table.filter(|_| !offers.is_empty()) else { continue };
            let one = Priced { test, prices, usage, offers, table, name: file.name_of(of) };
            drafts.push(one.draft(&claimed, configuration));
        }
    }
    drafts.sort_by_key(|d| (d.remove, d.configuration));
    drafts
}

/// The ends of a claim.
struct Claimed {
    low: f64,
    high: f64,
    unit: Unit,
    text: String,
}

/// How a contestant that stands for the subject is configured; none if it does not.
fn configuration(subject: &Subject, usage: &Usage) -> Option<Configuration> {
    let contestant = &usage.contestant;
    let (set, _) = split(&contestant.variant);
    let is_meant = |configured: &str| subject.variant.as_deref().unwrap_or(configured) == set;
    let found = [(Case::DEFAULT_VARIANT, Configuration::Default), (TUNED, Configuration::Tuned)]
        .into_iter()
        .find(|(configured, _)| is_meant(configured));
    found.filter(|_| contestant.engine == subject.engine && contestant.is_compared()).map(|(_, c)| c)
}

/// What a usage costs on the deployment; an offer on somebody else's platform is a what-if and shows nothing.
fn offers<'p>(test: &Test, family: &'p FamilyPricing, usage: &Usage) -> Vec<&'p Offer> {
    let is = |o: &&Offer| {
        o.contestant == usage.contestant.label && Some(o.deployment) == test.at.deployment && o.priced_as.is_none()
    };
    family.offers.iter().filter(is).collect()
}

/// A contestant with its offers.
struct Priced<'p, 't, 'a> {
    test: &'p Test,
    prices: &'p Pricing,
    usage: &'p Usage,
    offers: Vec<&'p Offer>,
    table: &'t Tested<'a>,
    name: &'p str,
}

impl Priced<'_, '_, '_> {
    fn draft(&self, claimed: &Claimed, configuration: Configuration) -> Draft {
        let contestant = &self.usage.contestant;
        let limits = split(&contestant.variant).1;
        let is_meant = meant(&self.test.at, self.table, (&contestant.cluster, contestant.nodes, &limits));
        let settled: Vec<Compared> = self.offers.iter().filter_map(|o| self.compared(o, claimed)).collect();
        let own = |c: &&TestedCase<'_>| {
            self.table.contestants.get(c.contestant) == Some(contestant) && c.family == self.usage.family
        };
        let recorded = self.table.cases.iter().filter(own).flat_map(|c| &c.recorded);
        let links: BTreeSet<Link> = recorded.map(|(file, key)| Link { file: file.clone(), key: key.clone() }).collect();
        Draft {
            remove: if is_meant { Remove::Direct } else { Remove::OtherScale },
            configuration,
            place: format!(
                "{}; {} in {} ({}), {} TB a month{}; {}",
                self.usage.table,
                self.prices.provider,
                self.prices.region,
                self.prices.book,
                self.prices.scenario.volume.terabytes(),
                if self.prices.scenario.jobs == Jobs::AsMeasured { " in jobs of the size measured" } else { "" },
                self.usage.basis
            ),
            machine: self.table.machine.clone(),
            who: vec![format!("{} for {}", contestant.label, self.name)],
            gaps: self.gaps(&settled),
            refuted: Vec::new(),
            asked: None,
            compared: Vec::new(),
            settled,
            links: links.into_iter().collect(),
        }
    }

    fn gaps(&self, settled: &[Compared]) -> Vec<String> {
        let (usage, name) = (self.usage, self.name);
        let mut gaps = Vec::new();
        if usage.cases != self.test.cases {
            gaps.push(format!("{} workloads were run, the test has {}", usage.cases, self.test.cases));
        }
        if usage.completed < usage.cases || usage.common < usage.cases {
            gaps.push(format!("{name} completed {} of {}, priced are {}", usage.completed, usage.cases, usage.common));
        }
        if !matches!(usage.basis, Basis::Measured { .. }) {
            gaps.push(format!("the time is {}, and no measurement", usage.basis.short()));
        }
        if usage.trials_min < INTERVAL_TRIALS {
            let n = usage.trials_min;
            gaps.push(format!("n = {n} of some workload, and an interval needs {INTERVAL_TRIALS}"));
        }
        if usage.contaminated {
            gaps.push("disturbed trials had to be counted".to_owned());
        }
        if let Some(scaled) = self.offers.iter().find_map(|o| o.scaled) {
            gaps.push(format!(
                "a job processes more or less data than was measured, and its time is scaled ({scaled})"
            ));
        }
        if usage.place.memory_gib.is_none() {
            gaps.push("nobody knows how much memory its machines need".to_owned());
        }
        if self.prices.currency.to_string() != "USD" {
            gaps.push(format!("prices are in {}, and the claim is in USD", self.prices.currency));
        }
        let Some(first) = settled.first() else {
            gaps.push(format!("the book knows the whole price of none of its {} offers", self.offers.len()));
            return gaps;
        };
        if settled.iter().any(|offer| offer.finding != first.finding) {
            gaps.push("not all ways of buying it lie on one side of an end of the range".to_owned());
        }
        gaps
    }

    /// None where a line of the bill is not known: the sum of the others would be too low, and what it hides decides nothing.
    fn compared(&self, offer: &Offer, claimed: &Claimed) -> Option<Compared> {
        let cost = offer.per_tb(self.prices.scenario.volume).filter(|_| offer.bill.unknown.is_empty())?;
        let interval = Interval { low: cost.low.get(), high: cost.high.get() };
        let (finding, because) = if claimed.low <= interval.low && interval.high <= claimed.high {
            (ClaimVerdict::Supported, "as claimed")
        } else if interval.high < claimed.low || claimed.high < interval.low {
            (ClaimVerdict::Contradicted, "not as claimed")
        } else {
            (ClaimVerdict::Inconclusive, "what prices and times may be holds an end of the range")
        };
        Some(Compared {
            what: format!("{}, {}", self.name, offer.way()),
            workloads: self.usage.common,
            value: cost.base.get(),
            interval: Some(interval),
            claimed: claimed.text.clone(),
            unit: Some(claimed.unit),
            stated: None,
            noise: None,
            p: None,
            p_adjusted: None,
            finding,
            because: because.to_owned(),
            open: (finding == ClaimVerdict::Inconclusive).then(|| because.to_owned()),
        })
    }
}
