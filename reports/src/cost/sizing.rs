//! As many dollars beside as many nodes: 32 instances with 4 vCPUs and one with 128 may cost the same per hour, and a comparison
//! on equal nodes hides that one of them is paid more for.

use super::book::{PriceBook, Purchase};
use super::offer::Offer;
use super::unit::{Amount, Hours, Range, Unit};
use super::usage::Usage;
use serde::Serialize;

/// What an hour's budget buys.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sizing {
    /// The budget: what an hour of the dearest self-hosted contestant costs on demand; absent without one.
    pub hourly: Option<Amount>,
    /// Whose that is.
    pub of: String,
    /// Contestants at as many nodes and at as many dollars.
    pub contestants: Vec<SizedContestant>,
    /// Types at as many dollars.
    pub types: Vec<SizedType>,
}

/// A contestant at the budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SizedContestant {
    /// Who.
    pub contestant: String,
    /// Its instances as measured, or as asked for.
    pub instances: u32,
    /// The type.
    pub instance: String,
    /// What an hour of them costs.
    pub hourly: Amount,
    /// What a terabyte takes of time.
    pub hours_per_tb: Option<Range<Hours>>,
    /// Instances of that type for the budget.
    pub instances_for_budget: u32,
    /// What a terabyte takes of time on so many, where that was measured or predicted.
    pub hours_per_tb_for_budget: Option<Range<Hours>>,
}

/// A type at the budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SizedType {
    /// Which.
    pub instance: String,
    /// How many for the budget.
    pub instances: u32,
    /// Their cores together.
    pub vcpus: u64,
    /// Their memory together, in GiB.
    pub memory_gib: f64,
}

/// The budget is the dearest self-hosted contestant's, so that nobody gets less than was measured.
pub(super) fn sizing(usages: &[Usage], offers: &[Offer], book: &PriceBook) -> Sizing {
    let on_demand = |o: &&Offer| o.product.is_none() && o.purchase == Some(Purchase::OnDemand);
    let own: Vec<(&Offer, Amount)> =
        offers.iter().filter(on_demand).filter_map(|o| Some((o, o.hourly()?.base))).collect();
    let Some((dearest, budget)) = own.iter().max_by(|a, b| a.1.get().total_cmp(&b.1.get())) else {
        return Sizing::default();
    };
    let contestants = own.iter().filter_map(|(offer, hourly)| {
        let each = hourly.get() / f64::from(offer.instances.max(1));
        let for_budget = whole(budget.get(), each);
        let of = |instances: u32| {
            let same = |u: &&Usage| {
                u.contestant.engine == offer.engine && u.place.machines == instances && is_kind(u, offer, usages)
            };
            usages.iter().find(same).and_then(|u| u.busy_per_tb)
        };
        let own = usages.iter().find(|u| u.contestant.label == offer.contestant)?;
        Some(SizedContestant {
            contestant: offer.contestant.clone(),
            instances: offer.instances,
            instance: offer.instance.clone().unwrap_or_default(),
            hourly: *hourly,
            hours_per_tb: own.busy_per_tb,
            instances_for_budget: for_budget,
            hours_per_tb_for_budget: if for_budget == offer.instances { own.busy_per_tb } else { of(for_budget) },
        })
    });
    Sizing {
        hourly: Some(*budget),
        of: format!("{} on {}", dearest.contestant, dearest.machines()),
        contestants: contestants.collect(),
        types: types(*budget, usages, book),
    }
}

/// Whether a usage differs from that of an offer in its size only.
fn is_kind(usage: &Usage, offer: &Offer, usages: &[Usage]) -> bool {
    let own = usages.iter().find(|u| u.contestant.label == offer.contestant);
    own.is_some_and(|own| {
        let (a, b) = (&own.contestant, &usage.contestant);
        (&a.variant, &a.cluster, &a.version, &a.build_id) == (&b.variant, &b.cluster, &b.version, &b.build_id)
    })
}

/// Types of the same instruction set that the budget buys at least one of, without accelerators, most cores first.
fn types(budget: Amount, usages: &[Usage], book: &PriceBook) -> Vec<SizedType> {
    let arch = usages.first().map(|u| u.place.arch.as_str()).unwrap_or_default();
    let same = book.instances.iter().filter(|i| i.gpus == 0 && i.arch == arch);
    let sized = same.filter_map(|i| {
        let each = i.hourly(Purchase::OnDemand)?.base.per_unit().get();
        let instances = whole(budget.get(), each);
        (instances > 0).then(|| SizedType {
            instance: i.name.clone(),
            instances,
            vcpus: u64::from(i.vcpus) * u64::from(instances),
            memory_gib: i.memory_gib * f64::from(instances),
        })
    });
    let mut all: Vec<SizedType> = sized.collect();
    all.sort_by(|a, b| (b.vcpus, &a.instance).cmp(&(a.vcpus, &b.instance)));
    all
}

/// How many fit; a part in a thousand over the budget still does, for prices are rounded.
fn whole(budget: f64, each: f64) -> u32 {
    if each > 0.0 { (budget / each * 1.001).floor().clamp(0.0, 1e6) as u32 } else { 0 }
}

/// So many hours per terabyte as data per hour, for a table.
pub(super) fn hours(range: Option<Range<Hours>>) -> Option<f64> {
    range.map(|r| r.base.raw())
}
