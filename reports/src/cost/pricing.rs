//! Recorded runs and a price book to what a month of such work costs, on every deployment that the book knows.

use super::book::{Instance, PriceBook, UNDATED, built_in_names};
use super::break_even::{Crossing, crossings};
use super::model::{Deployment, LineCost};
use super::offer::{Offer, needs, offers};
use super::sizing::{Sizing, sizing};
use super::tornado::{Swing, tornado};
use super::unit::{Amount, Count, Currency, DAYS_PER_MONTH, Gigabytes};
use super::usage::{Asked, Usage, usage};
use crate::comparison::Comparison;
use bench_record::{Family, Run};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be done in a month, and on what.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Data processed in a month.
    pub volume: Gigabytes,
    /// In how many jobs the data come.
    pub jobs: Jobs,
    /// The type to rent; by default the cheapest that holds what was measured.
    pub instance: Option<String>,
    /// Engines that are priced on the platforms of others.
    pub price_as: BTreeMap<String, String>,
    /// People who keep it running; none by default.
    pub operations_fte: Option<Count>,
    /// What moving there costs, and over how many months that is spread; none by default.
    pub migration: Option<(Amount, u32)>,
    /// What is asked of the runs.
    pub asked: Asked,
}

/// How often a cluster is started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jobs {
    /// So often in a day; each job processes its share of the data.
    PerDay(Count),
    /// As often as it takes where each job processes what was measured, so that no time is scaled.
    AsMeasured,
}

impl Jobs {
    /// Jobs in a month of so much data, in gigabytes, where a job that was measured processes `measured`.
    pub(super) fn per_month(self, volume: f64, measured: Option<Gigabytes>) -> f64 {
        match (self, measured.map(Gigabytes::get).filter(|gb| *gb > 0.0)) {
            (Self::PerDay(jobs), _) => jobs.get() * DAYS_PER_MONTH,
            (Self::AsMeasured, Some(measured)) => volume / measured,
            (Self::AsMeasured, None) => DAYS_PER_MONTH,
        }
    }
}

/// Why there is no price.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PriceError {
    /// A type that the book does not have.
    #[error("price book `{book}` has no instance `{given}`; it has {known}")]
    NoInstance {
        /// Which book.
        book: String,
        /// What was asked for.
        given: String,
        /// What there is.
        known: String,
    },
    /// A type that cannot hold what was measured.
    #[error(
        "instance `{given}` has {has} vCPUs, and `{contestant}` was measured on {needs}; times on fewer are not known: give a larger type"
    )]
    TooSmall {
        /// What was asked for.
        given: String,
        /// Its cores.
        has: u32,
        /// Who needs more.
        contestant: String,
        /// How many.
        needs: u32,
    },
    /// Somebody who took no part.
    #[error("engine `{given}` took part in none of the runs; these did: {known}")]
    NoEngine {
        /// Who was named.
        given: String,
        /// Who took part.
        known: String,
    },
    /// Nothing that could be priced.
    #[error("nothing to price: no workload that reads data completed in these runs; `bench report` says why")]
    Nothing,
    /// Two books that do not speak of the same money.
    #[error("price books `{first}` and `{second}` are in {ours} and {theirs}; give books in one currency")]
    Currencies {
        /// One book.
        first: String,
        /// The other.
        second: String,
        /// The currency of one.
        ours: Currency,
        /// That of the other.
        theirs: Currency,
    },
}

/// What runs would cost at the prices of one book.
#[derive(Clone, Debug, PartialEq)]
pub struct Pricing {
    /// The book's name.
    pub book: String,
    /// Whose prices they are.
    pub provider: String,
    /// Where they hold.
    pub region: String,
    /// What amounts are in.
    pub currency: Currency,
    /// What was asked.
    pub scenario: Scenario,
    /// One per table and family.
    pub families: Vec<FamilyPricing>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// One family of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyPricing {
    /// Which table of the comparison, from 0.
    pub at: usize,
    /// Suite, protocol and scale.
    pub table: String,
    /// The machine measured.
    pub machine: String,
    /// Which family.
    pub family: Family,
    /// What each contestant took.
    pub usages: Vec<Usage>,
    /// Every contestant on every deployment.
    pub offers: Vec<Offer>,
    /// Where one offer becomes cheaper than another.
    pub crossings: Vec<Crossing>,
    /// What matters most to the cheapest offer.
    pub tornado: Option<(usize, Vec<Swing>)>,
    /// As many nodes, and as many dollars.
    pub sizing: Sizing,
}

impl FamilyPricing {
    /// The offer that costs least at the base of every range, of those of which most is known: a predicted time is never ranked with a
    /// measured one, and a sum never with one from which other lines are missing.
    #[must_use]
    pub fn cheapest(&self, deployment: Option<Deployment>) -> Option<usize> {
        cheapest(self.offers.iter().enumerate().filter(|(_, o)| deployment.is_none_or(|d| d == o.deployment)))
    }
}

/// The same of some offers, each with what it is called.
pub(super) fn cheapest<'a, T>(offers: impl Iterator<Item = (T, &'a Offer)>) -> Option<T> {
    let priced = offers.filter_map(|(name, o)| Some((name, o.footing(), o.bill.total?.base)));
    priced.min_by(|(_, f, a), (_, g, b)| f.cmp(g).then(a.get().total_cmp(&b.get()))).map(|(name, ..)| name)
}

/// Prices everything that was compared. The same runs and book give the same result; nothing is run again.
///
/// # Errors
/// A scenario that names a type or an engine that is not there, or runs without anything to price.
pub fn price(
    comparison: &Comparison,
    runs: &[Run],
    book: &PriceBook,
    scenario: &Scenario,
) -> Result<Pricing, PriceError> {
    let usages = usage(comparison, runs, &scenario.asked);
    engines_exist(&usages, scenario)?;
    let asked = match &scenario.instance {
        Some(name) => Some(book.instance(name).ok_or_else(|| PriceError::NoInstance {
            book: book.name().to_owned(),
            given: name.clone(),
            known: book.instance_names().collect::<Vec<_>>().join(", "),
        })?),
        None => None,
    };
    let mut grouped: Vec<((usize, Family), Vec<Usage>)> = Vec::new();
    for usage in usages {
        let at = (usage.at, usage.family);
        match grouped.last_mut().filter(|(known, _)| *known == at) {
            Some((_, members)) => members.push(usage),
            None => grouped.push((at, vec![usage])),
        }
    }
    // An unfinished run or other data of the same name concern a price as much as a time.
    let shared = comparison.tables.iter().filter_map(|t| Some(format!("{}: {}", t.title(), t.shared_text()?)));
    let mut notes: BTreeSet<String> = comparison.notes.iter().cloned().chain(shared).collect();
    let mut families = Vec::new();
    for ((at, family), usages) in grouped {
        families.push(family_pricing(at, family, usages, (book, asked, scenario), &mut notes)?);
    }
    if !families.iter().any(|f| f.usages.iter().any(|u| u.completed > 0)) {
        return Err(PriceError::Nothing);
    }
    Ok(Pricing {
        book: book.name.clone(),
        provider: book.provider.clone(),
        region: book.region.clone(),
        currency: book.currency,
        scenario: scenario.clone(),
        families,
        notes: notes.into_iter().collect(),
    })
}

fn engines_exist(usages: &[Usage], scenario: &Scenario) -> Result<(), PriceError> {
    let known: BTreeSet<&str> = usages.iter().map(|u| u.contestant.engine.as_str()).collect();
    match scenario.price_as.keys().find(|engine| !known.contains(engine.as_str())) {
        Some(given) => {
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            Err(PriceError::NoEngine { given: given.clone(), known })
        }
        None => Ok(()),
    }
}

fn family_pricing(
    at: usize,
    family: Family,
    usages: Vec<Usage>,
    (book, asked, scenario): (&PriceBook, Option<&Instance>, &Scenario),
    notes: &mut BTreeSet<String>,
) -> Result<FamilyPricing, PriceError> {
    let mut all = Vec::new();
    for usage in &usages {
        let who = &usage.contestant.label;
        let needs = needs(usage);
        let instance = match asked {
            Some(instance) if f64::from(instance.vcpus()) < needs.vcpus.get() => {
                return Err(PriceError::TooSmall {
                    given: instance.name().to_owned(),
                    has: instance.vcpus(),
                    contestant: who.clone(),
                    needs: needs.vcpus.get() as u32,
                });
            }
            // What it held does not fit: how it would do with less is not known, and others are priced all the same.
            Some(instance) if needs.memory_gib.is_some_and(|gib| gib.get() > instance.memory_gib) => {
                let (name, has) = (instance.name(), instance.memory_gib);
                let held = needs.memory_gib.map_or(0.0, Count::get);
                notes.insert(format!(
                    "{who}: {name} has {has} GiB, and it held {held:.1} GiB: not priced on it; give a larger type"
                ));
                None
            }
            Some(instance) => Some(instance),
            None => book.smallest(&needs),
        };
        note(usage, instance, asked.is_some(), book, notes);
        let own = offers(usage, book, instance, scenario);
        own.iter().for_each(|offer| undated(offer, book, notes));
        all.extend(own);
    }
    let tornado = cheapest(all.iter().enumerate()).and_then(|i| Some((i, tornado(all.get(i)?))));
    Ok(FamilyPricing {
        machine: usages.first().map(|u| u.machine.clone()).unwrap_or_default(),
        crossings: crossings(&all, scenario),
        sizing: sizing(&usages, &all, book),
        offers: all,
        tornado,
        at,
        table: usages.first().map(|u| u.table.clone()).unwrap_or_default(),
        family,
        usages,
    })
}

/// What a reader should know about a usage and the type it is priced on.
fn note(usage: &Usage, instance: Option<&Instance>, is_asked: bool, book: &PriceBook, notes: &mut BTreeSet<String>) {
    let (who, family) = (&usage.contestant.label, usage.family.name());
    if usage.data.is_none() {
        let flag = format!("--data {family}=SIZE");
        notes.insert(format!("{family}: how much data its workloads read is not in the record; say it with {flag}"));
    }
    match instance {
        None if is_asked => {}
        None => {
            let gib = usage.place.memory_gib.map(|m| format!(" and {:.1} GiB", m.get())).unwrap_or_default();
            notes.insert(format!(
                "{who}: no {} instance in price book {} has {:.0} vCPUs{gib}; add one",
                usage.place.arch,
                book.name(),
                usage.place.vcpus.get()
            ));
        }
        Some(instance) if f64::from(instance.vcpus()) > usage.place.vcpus.get() => {
            notes.insert(format!(
                "{who}: {} has {} vCPUs, of which the measured run could use {:.0}; what more would do to its time is not known",
                instance.name(),
                instance.vcpus(),
                usage.place.vcpus.get()
            ));
        }
        Some(_) => {}
    }
    if usage.place.driver_apart && usage.place.memory_gib.is_none() {
        notes.insert(format!(
            "{who}: nobody here saw the memory of its machines; the cheapest type with as many vCPUs is priced, so name one with --instance"
        ));
    }
    if usage.contestant.nodes > usage.place.machines {
        notes.insert(format!(
            "{who}: its {} nodes shared one machine, which is what is priced; it is no measurement of so many machines",
            usage.contestant.nodes
        ));
    }
}

/// Notes each price of an offer whose source bears no date: nobody can say whether it still holds.
fn undated(offer: &Offer, book: &PriceBook, notes: &mut BTreeSet<String>) {
    for (_, _, from) in offer.inputs.known().filter(|(_, _, from)| from.as_of.as_deref() == Some(UNDATED)) {
        let (book, key, source) = (book.name(), &from.key, &from.source);
        notes.insert(format!("price book {book}: {key} has no date ({source}); check it before it decides anything"));
    }
}

/// One offer at the prices of two books.
#[derive(Clone, Debug, PartialEq)]
pub struct Repriced {
    /// Suite, protocol and scale.
    pub table: String,
    /// Which family.
    pub family: Family,
    /// Which contestant.
    pub contestant: String,
    /// On what.
    pub way: String,
    /// What its time rests on.
    pub time: String,
    /// A month at the prices of the first book, over the lines that both books know, and on which machines.
    pub first: (Amount, String),
    /// The same at those of the second.
    pub second: (Amount, String),
}

/// The offers that both have, side by side: the same runs at other prices, nothing run again.
///
/// # Errors
/// Two currencies.
pub fn reprice(first: &Pricing, second: &Pricing) -> Result<Vec<Repriced>, PriceError> {
    if first.currency != second.currency {
        return Err(PriceError::Currencies {
            first: first.book.clone(),
            second: second.book.clone(),
            ours: first.currency,
            theirs: second.currency,
        });
    }
    let mut rows = Vec::new();
    for ours in &first.families {
        let same = second.families.iter().find(|f| f.at == ours.at && f.family == ours.family);
        for offer in &ours.offers {
            let is_same = |o: &&Offer| o.contestant == offer.contestant && o.way() == offer.way();
            let Some(other) = same.and_then(|f| f.offers.iter().find(is_same)) else { continue };
            if let (Some(a), Some(b)) = (known_in_both(offer, other), known_in_both(other, offer)) {
                rows.push(Repriced {
                    table: ours.table.clone(),
                    family: ours.family,
                    contestant: offer.contestant.clone(),
                    way: offer.way(),
                    time: offer.time(),
                    first: (a, offer.machines()),
                    second: (b, other.machines()),
                });
            }
        }
    }
    Ok(rows)
}

/// The base of an offer's lines that are known in another's bill too: a line that one book does not know would make it the
/// cheaper one. None where there is no total.
fn known_in_both(offer: &Offer, other: &Offer) -> Option<Amount> {
    offer.bill.total.and(other.bill.total)?;
    let known = |line: &LineCost| {
        let there = other.bill.lines.iter().any(|o| o.line == line.line && o.amount.is_ok());
        line.amount.as_ref().ok().filter(|_| there).map(|range| range.base)
    };
    Some(offer.bill.lines.iter().filter_map(known).sum())
}

/// The books that come with the program, for a message.
#[must_use]
pub fn known_books() -> String {
    built_in_names().join(", ")
}
