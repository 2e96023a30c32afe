//! The words that all formats share.

pub(crate) mod tables;

use crate::cost::break_even::{At, Axis, Crossing, Within};
use crate::cost::input::Key;
use crate::cost::model::Line;
use crate::cost::offer::Offer;
use crate::cost::pricing::{self, FamilyPricing, Jobs, Pricing};
use crate::cost::unit::{Amount, Hours, Range, Unit, money_text};
use crate::cost::usage::{Usage, WorkUsage};
use crate::cost::{Deployment, Purchase, Scaled};
use std::collections::{BTreeMap, BTreeSet};

/// What two books are compared over.
pub(crate) const KNOWN_IN_BOTH: &str =
    "Sums are over the lines that both books know, at the base of each range; nothing was run again.";

/// What is to be done, and at whose prices.
pub(crate) fn scenario(pricing: &Pricing) -> String {
    let s = &pricing.scenario;
    let jobs = match s.jobs {
        Jobs::AsMeasured => "jobs of the size measured".to_owned(),
        Jobs::PerDay(jobs) => match number(jobs.get()).as_str() {
            "1" => "1 job a day".to_owned(),
            per_day => format!("{per_day} jobs a day"),
        },
    };
    format!(
        "{} a month in {jobs}, at the prices of {} in {} ({}). Ranges are low–high.",
        data(s.volume.get()),
        pricing.provider,
        pricing.region,
        pricing.book
    )
}

/// Which workloads the figures are of.
pub(crate) fn workloads(family: &FamilyPricing) -> String {
    let common = family.usages.iter().map(|u| u.common).max().unwrap_or_default();
    let cases = family.usages.first().map_or(0, |u| u.cases);
    let read = family.usages.first().and_then(|u| u.data.as_ref());
    let read = read.map(|(d, how)| format!(", each over {} ({how})", data(d.get()))).unwrap_or_default();
    let who = if common == cases { "all" } else { "those that everybody completed who completed any" };
    format!(
        "Figures are over {common} of {cases} workloads, {who}{read}. A terabyte processed is 10^12 bytes read by a workload; more \
         data than was measured is taken as so many runs of the measured size, one after the other, and less as that part of one: \
         xN is a time taken N times, with the largest error that this had between sizes that were measured, or ±? where no two \
         sizes near it were. Times are those of {}.",
        family.machine
    )
}

/// What storage, requests and egress add to every offer alike; none where they are not known or nothing is priced.
pub(crate) fn data_lines(pricing: &Pricing, family: &FamilyPricing) -> Option<String> {
    let volume = pricing.scenario.volume;
    let offer = family.offers.iter().find(|o| o.bill.total.is_some())?;
    let (all, running) = (offer.per_tb(volume)?, offer.running_per_tb(volume)?);
    let less = |a: Amount, b: Amount| Amount::of(a.get() - b.get());
    let added = Range {
        low: less(all.low, running.low),
        base: less(all.base, running.base),
        high: less(all.high, running.high),
    };
    let lacks = offer.bill.lines.iter().any(|l| l.amount.is_err() && l.line.is_of_data());
    let known = match (lacks, added.high.get() > 0.0) {
        (true, false) => "unknown amounts".to_owned(),
        (true, true) => format!("≥ {}", three(&added)),
        (false, _) => three(&added),
    };
    Some(format!(
        "Running is what depends on the engine and the deployment. Storage, requests and egress add {known} {} per TB to every offer \
         alike and are in the totals only.",
        pricing.currency
    ))
}

/// An amount without its currency.
pub(crate) fn amount(amount: Amount) -> String {
    money_text(amount)
}

/// Low to high.
pub(crate) fn ends(range: &Range<Amount>) -> String {
    if range.is_exact() {
        "exact".to_owned()
    } else {
        format!("{}–{}", money_text(range.low), money_text(range.high))
    }
}

/// The base with low and high.
pub(crate) fn three(range: &Range<Amount>) -> String {
    if range.is_exact() { money_text(range.base) } else { format!("{} ({})", money_text(range.base), ends(range)) }
}

/// A sum from which lines are missing is the least that it can be.
pub(crate) fn at_least(offer: &Offer, text: String) -> String {
    if offer.bill.unknown.is_empty() { text } else { format!("≥ {text}") }
}

/// The same for running alone.
pub(crate) fn at_least_running(offer: &Offer, text: String) -> String {
    if offer.bill.missing().is_empty() { text } else { format!("≥ {text}") }
}

fn titles(lines: &[Line]) -> String {
    lines.iter().map(|line| line.title()).collect::<Vec<_>>().join(", ")
}

/// What sums lack, behind what else is said of them; nothing where they lack nothing.
pub(crate) fn without(missing: &[Line]) -> String {
    if missing.is_empty() { String::new() } else { format!("; ≥, without {}", titles(missing)) }
}

/// An offer's way of running, with the engine whose platform it borrows.
pub(crate) fn way(offer: &Offer) -> String {
    let borrowed = offer.priced_as.as_ref().map(|e| format!(", priced as {e}")).unwrap_or_default();
    format!("{}{borrowed}", offer.way())
}

/// An offer in full.
pub(crate) fn offer(offer: &Offer) -> String {
    let lacks = without(&offer.bill.missing());
    format!("{} on {}, {} ({}{lacks})", offer.contestant, offer.machines(), way(offer), offer.time())
}

/// A number with three digits that count.
pub(crate) fn number(x: f64) -> String {
    let digits = match x.abs() {
        0.0 => return "0".to_owned(),
        a if !(1e-4..1e6).contains(&a) => return format!("{x:.2e}"),
        a => (2.0 - a.log10().floor()).clamp(0.0, 6.0) as usize,
    };
    let text = format!("{x:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Gigabytes at a human scale, in powers of ten.
pub(crate) fn data(gb: f64) -> String {
    const SCALES: [(f64, &str); 4] = [(1e6, "PB"), (1e3, "TB"), (1.0, "GB"), (1e-3, "MB")];
    let (per, unit) = SCALES.into_iter().find(|(per, _)| gb >= *per).unwrap_or((1e-3, "MB"));
    format!("{} {unit}", number(gb / per))
}

/// Hours of a range's base, with what they are counted in.
pub(crate) fn hours(range: Option<Range<Hours>>) -> Option<String> {
    crate::cost::sizing::hours(range).map(number)
}

/// What a usage's costs rest on, in a few words.
pub(crate) fn time(family: &FamilyPricing, usage: &Usage) -> String {
    offers_of(family, usage).next().map_or_else(|| usage.basis.short(), Offer::time)
}

/// The offers of a usage.
pub(crate) fn offers_of<'a>(family: &'a FamilyPricing, usage: &'a Usage) -> impl Iterator<Item = &'a Offer> {
    family.offers.iter().filter(|o| o.contestant == usage.contestant.label)
}

/// The one with the least total at the base, of those of which most is known.
pub(crate) fn cheapest<'a>(offers: impl Iterator<Item = &'a Offer>) -> Option<&'a Offer> {
    pricing::cheapest(offers.map(|o| (o, o)))
}

/// What an hour of a usage's instances costs on demand.
pub(crate) fn rate(family: &FamilyPricing, usage: &Usage) -> Option<Range<Amount>> {
    let own = |o: &&Offer| o.deployment == Deployment::SelfHosted && o.purchase == Some(Purchase::OnDemand);
    offers_of(family, usage).find(own)?.hourly()
}

/// What one run of a workload costs while it works; none unless it completed on the instances that are priced.
pub(crate) fn run_cost(family: &FamilyPricing, usage: &Usage, work: &WorkUsage) -> Option<Range<Amount>> {
    use crate::cost::Basis;
    let hourly = rate(family, usage).filter(|_| !matches!(usage.basis, Basis::Predicted { .. }))?;
    let wall = work.wall_h?;
    let times = |h: Hours, a: Amount| Amount::of(h.get() * a.get());
    Some(Range {
        low: times(wall.low, hourly.low),
        base: times(wall.base, hourly.base),
        high: times(wall.high, hourly.high),
    })
}

/// What would have to be written in the book, each once, with how many offers want it; and who is compared with no others until it is.
pub(crate) fn unknown(offers: &[Offer]) -> Vec<String> {
    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    for unknown in offers.iter().flat_map(|o| &o.bill.unknown) {
        *wanted.entry(unknown.to_string()).or_default() += 1;
    }
    let line = |(text, n): (String, usize)| if n == 1 { text } else { format!("{text}, for {n} offers") };
    wanted.into_iter().map(line).chain(not_compared(offers)).collect()
}

/// Who is not compared with all others, because sums lack different lines.
fn not_compared(offers: &[Offer]) -> Vec<String> {
    let mut alike: BTreeMap<Vec<Line>, BTreeSet<String>> = BTreeMap::new();
    for offer in offers.iter().filter(|o| o.bill.total.is_some()) {
        let who = format!("{} ({})", offer.contestant, offer.deployment.name());
        alike.entry(offer.bill.missing()).or_default().insert(who);
    }
    if alike.len() < 2 {
        return Vec::new();
    }
    let lacking = alike.into_iter().filter(|(missing, _)| !missing.is_empty());
    let item = |(missing, who): (Vec<Line>, BTreeSet<String>)| {
        let who = who.into_iter().collect::<Vec<_>>().join(", ");
        format!("not compared with the others: the sums of {who} lack {}", titles(&missing))
    };
    lacking.map(item).collect()
}

/// What the times of a contestant rest on.
pub(crate) fn basis_of(family: &FamilyPricing, contestant: &str) -> String {
    let usage = family.usages.iter().find(|u| u.contestant.label == contestant);
    usage.map(|u| u.basis.short()).unwrap_or_default()
}

/// A crossing in a sentence.
pub(crate) fn crossing(family: &FamilyPricing, crossing: &Crossing) -> Option<String> {
    let name = |i: usize| family.offers.get(i).map(|o| format!("{} ({})", o.contestant, way(o)));
    let (below, above) = (name(crossing.below)?, name(crossing.above)?);
    let (below_offer, above_offer) = (family.offers.get(crossing.below)?, family.offers.get(crossing.above)?);
    let place = |at: At| match at {
        At::Data(gb) => data(gb.get()),
        At::Jobs(jobs) => number(jobs.get()),
    };
    let per = match crossing.axis {
        Axis::Data => "a month",
        Axis::Jobs => "jobs a day",
    };
    let at = format!("{} {per}", place(crossing.at));
    let certain = match crossing.within {
        Within::Places(ends) => {
            let [low, high] = ends.map(place);
            format!("from {low} to {high} within the intervals of the times; ")
        }
        Within::Open => "not for certain: within the intervals of the times there may be no such place; ".to_owned(),
        Within::Unknown => "how certain that is, is not known: a time has no interval; ".to_owned(),
    };
    // Both lack the same lines.
    let lacks = without(&below_offer.bill.missing());
    let of = |i: usize| family.offers.get(i).map(|o| o.basis.short());
    let bases: BTreeSet<String> = [crossing.below, crossing.above].into_iter().filter_map(of).collect();
    let bases = bases.into_iter().collect::<Vec<_>>().join(" and ");
    let scaled = [below_offer, above_offer].into_iter().zip(crossing.job_gb).map(|(o, job)| scaled_at(family, o, job));
    let scaled: BTreeSet<String> = scaled.collect();
    let scaled = scaled.into_iter().collect::<Vec<_>>().join(" and ");
    Some(format!("{above} is cheaper than {below} above {at} ({certain}times {bases}, {scaled}{lacks})"))
}

/// How an offer's time is scaled where a job has so many gigabytes: not where that is what was measured.
fn scaled_at(family: &FamilyPricing, offer: &Offer, job: Option<f64>) -> String {
    let usage = family.usages.iter().find(|u| u.contestant.label == offer.contestant);
    let measured = usage.and_then(|u| Some((u.data.as_ref()?.0, u.sizes.as_ref())));
    let known = job.zip(measured);
    match known.map(|(gb, (data, sizes))| Scaled::between(data, gb, sizes)) {
        Some(None) => "not scaled".to_owned(),
        Some(Some(scaled)) if scaled.error.is_some() => format!("scaled {scaled}"),
        _ => "scaled ±?".to_owned(),
    }
}

/// Prices and assumptions that the shown offers use, each once, with date and source.
pub(crate) fn rests_on(pricing: &Pricing) -> Vec<String> {
    let mut bases: BTreeSet<String> = BTreeSet::new();
    let mut numbers: BTreeSet<(String, String)> = BTreeSet::new();
    for offer in pricing.families.iter().flat_map(|f| &f.offers) {
        bases.insert(format!("{}: time {}", offer.contestant, offer.rests_on()));
        let used: BTreeSet<Key> = offer.bill.lines.iter().flat_map(|l| l.inputs.iter().copied()).collect();
        for (key, range, from) in offer.inputs.known().filter(|(key, ..)| used.contains(key)) {
            // What is asked or measured stands in the tables.
            if !from.key.contains('.') {
                continue;
            }
            // The model counts in hours what the file says in seconds.
            let (per, unit) = if from.key.ends_with("_s") { (3600.0, "s") } else { (1.0, key.unit()) };
            let [low, base, high] = [range.low, range.base, range.high].map(|x| number(x * per));
            let values = if range.is_exact() { base } else { format!("{base} ({low}–{high})") };
            let since = from.as_of.as_ref().map(|d| format!(", {d}")).unwrap_or_default();
            numbers.insert((from.key.clone(), format!("{values} {unit}{since}: {}", from.source)));
        }
    }
    let mut all: Vec<String> = vec![
        "times on rented instances are taken to be those measured on the machine named above; measure on the instances to be sure"
            .to_owned(),
    ];
    all.extend(bases);
    all.extend(numbers.into_iter().map(|(key, text)| format!("{key} = {text}")));
    all
}
