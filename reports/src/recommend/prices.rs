//! What a price book says of those who were ranked.

use super::{Hourly, Pricing};
use crate::comparison::Contestant;
use crate::cost::{self, Amount, Deployment, Offer, Purchase, Range};

/// Prices of instances on demand that hold what was measured, run by oneself: the deployment that every engine has.
#[derive(Clone, Debug)]
pub struct BookPrices(cost::Pricing);

impl BookPrices {
    /// Of the same runs at the prices of a book; none unless its prices are in USD.
    #[must_use]
    pub fn new(pricing: cost::Pricing) -> Option<Self> {
        (pricing.currency.to_string() == "USD").then_some(Self(pricing))
    }

    fn offer(&self, contestant: &Contestant) -> Option<(&Offer, Range<Amount>)> {
        let families = self.0.families.iter().filter(|f| f.usages.iter().any(|u| u.contestant == *contestant));
        let is = |o: &&Offer| {
            o.contestant == contestant.label
                && o.deployment == Deployment::SelfHosted
                && o.purchase == Some(Purchase::OnDemand)
        };
        let priced = families.filter_map(|f| f.offers.iter().find(is)).filter_map(|o| Some((o, o.hourly()?)));
        // A machine for all of its work is the largest that any of it needs.
        priced.max_by(|(_, a), (_, b)| a.base.get().total_cmp(&b.base.get()))
    }
}

impl Pricing for BookPrices {
    fn hourly(&self, contestant: &Contestant) -> Option<Hourly> {
        let (offer, price) = self.offer(contestant)?;
        Some(Hourly {
            low: price.low.get(),
            base: price.base.get(),
            high: price.high.get(),
            from: format!("{}, {} ({}, {})", offer.machines(), offer.way(), self.0.book, self.0.region),
        })
    }
}
