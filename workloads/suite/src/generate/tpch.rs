//! The eight TPC-H tables, from the `tpchgen` crates.

use super::{Part, Rows};
use crate::spec::Tpch;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

/// The version of the generator crate, as the lock file pins it.
pub(super) const VERSION: &str = "4.0.0";

/// Tables and their rows, the largest first so that the last part to finish is a small one.
pub(super) fn tables(spec: &Tpch) -> Vec<(&'static str, u64)> {
    let scaled = |base: f64| (base * spec.scale_factor) as u64;
    vec![
        ("lineitem", scaled(6_001_215.0)),
        ("orders", scaled(1_500_000.0)),
        ("partsupp", scaled(800_000.0)),
        ("part", scaled(200_000.0)),
        ("customer", scaled(150_000.0)),
        ("supplier", scaled(10_000.0)),
        ("nation", 25),
        ("region", 5),
    ]
}

/// The rows of one part. The generator counts parts from 1 and, like dbgen, gives the last one the remainder.
pub(super) fn rows(spec: &Tpch, part: &Part) -> Rows {
    let sf = spec.scale_factor;
    let index = i32::try_from(part.index).unwrap_or(i32::MAX).saturating_add(1);
    let of = i32::try_from(part.of).unwrap_or(i32::MAX);
    match part.table {
        "lineitem" => Box::new(LineItemArrow::new(LineItemGenerator::new(sf, index, of))),
        "orders" => Box::new(OrderArrow::new(OrderGenerator::new(sf, index, of))),
        "partsupp" => Box::new(PartSuppArrow::new(PartSuppGenerator::new(sf, index, of))),
        "part" => Box::new(PartArrow::new(PartGenerator::new(sf, index, of))),
        "customer" => Box::new(CustomerArrow::new(CustomerGenerator::new(sf, index, of))),
        "supplier" => Box::new(SupplierArrow::new(SupplierGenerator::new(sf, index, of))),
        "nation" => Box::new(NationArrow::new(NationGenerator::new(sf, index, of))),
        _ => Box::new(RegionArrow::new(RegionGenerator::new(sf, index, of))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_name_the_generator_that_is_linked() {
        let lock = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"));
        assert!(lock.contains(&format!("name = \"tpchgen\"\nversion = \"{VERSION}\"")));
    }
}
