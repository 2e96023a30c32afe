//! What matters most: each number alone at its low and at its high, all others at their base.

use super::input::{At, Key, Point};
use super::model::{Part, total};
use super::offer::Offer;
use super::unit::Amount;
use serde::Serialize;

/// What one number does to a total.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Swing {
    /// What the number is called.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Its least and its most.
    pub values: (f64, f64),
    /// A month of running with the least.
    pub at_low: Amount,
    /// A month of running with the most.
    pub at_high: Amount,
}

impl Swing {
    /// How far the two totals are apart.
    #[must_use]
    pub fn width(&self) -> f64 {
        (self.at_high.get() - self.at_low.get()).abs()
    }
}

/// The numbers that move what running an offer costs, the widest first (storage, requests and egress move all offers alike); equal ones in the order of the model.
#[must_use]
pub fn tornado(offer: &Offer) -> Vec<Swing> {
    let at = |key: Key, value: f64| {
        total(offer.deployment, Part::Running, &Point::new(&offer.inputs, At::Base).but(key, value))
    };
    let swings = offer.inputs.known().filter(|(_, range, _)| !range.is_exact()).filter_map(|(key, range, _)| {
        let (at_low, at_high) = (at(key, range.low)?, at(key, range.high)?);
        Some(Swing { name: key.name(), unit: key.unit(), values: (range.low, range.high), at_low, at_high })
    });
    let mut swings: Vec<Swing> = swings.filter(|s| s.width() > 0.0).collect();
    swings.sort_by(|a, b| b.width().total_cmp(&a.width()));
    swings
}
