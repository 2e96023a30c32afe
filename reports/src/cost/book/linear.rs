//! Types of one series cost the same per vCPU. A row that does not is an error of the list it was copied from: prices with a
//! Windows licence among those for Linux, or a number of another region.

use super::Instance;
use super::Purchase;
use std::collections::BTreeMap;

/// How far the price of a vCPU may lie from the middle of its series.
const TOLERANCE: f64 = 0.05;

/// A type that does not cost what its series does.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "instance `{name}` costs {times:.2} times as much per vCPU on demand as the middle of its series `{series}`; prices of a series grow \
     with its size, so this looks like a price with a Windows licence or of another region: correct it, or leave the type out"
)]
pub struct NotLinear {
    /// Which.
    pub name: String,
    /// What it has in common with the others.
    pub series: String,
    /// Its price over theirs.
    pub times: f64,
}

/// Checks every series with two types or more; those with accelerators are left out, for theirs are most of the price.
pub(super) fn check(instances: &[Instance]) -> Result<(), NotLinear> {
    let mut series: BTreeMap<String, Vec<(&Instance, f64)>> = BTreeMap::new();
    for instance in instances.iter().filter(|i| i.gpus == 0) {
        if let Some(price) = instance.entry(Purchase::OnDemand).range {
            series
                .entry(series_of(&instance.name))
                .or_default()
                .push((instance, price.base / f64::from(instance.vcpus)));
        }
    }
    for (series, members) in series {
        let per_vcpu = crate::stats::sorted(members.iter().map(|(_, price)| *price));
        // Of an even number the lower middle: licences make dearer.
        let Some(middle) = per_vcpu.get(per_vcpu.len().saturating_sub(1) / 2).filter(|m| **m > 0.0) else { continue };
        if let Some((odd, price)) = members.iter().find(|(_, price)| (price / middle - 1.0).abs() > TOLERANCE) {
            return Err(NotLinear { name: odd.name.clone(), series, times: price / middle });
        }
    }
    Ok(())
}

/// The name without its size: `m6i` of `m6i.large`, `n2-standard` of `n2-standard-4`, `Ds_v5` of `D4s_v5`.
fn series_of(name: &str) -> String {
    if let Some((series, _)) = name.split_once('.') {
        return series.to_owned();
    }
    if let Some((series, size)) = name.rsplit_once('-')
        && !size.is_empty()
        && size.bytes().all(|b| b.is_ascii_digit())
    {
        return series.to_owned();
    }
    let head: String = name.chars().take_while(|c| !c.is_ascii_digit()).collect();
    let tail = name.get(head.len()..).unwrap_or_default().trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{head}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_the_name_without_the_size() {
        let known = [
            ("m6i.large", "m6i"),
            ("n2-highmem-8", "n2-highmem"),
            ("D16s_v5", "Ds_v5"),
            ("E4s_v5", "Es_v5"),
            ("mine", "mine"),
            ("", ""),
        ];
        for (name, series) in known {
            assert_eq!(series_of(name), series, "{name}");
        }
    }
}
