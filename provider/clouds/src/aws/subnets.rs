//! Carving a network into subnets.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

/// EC2's smallest subnet.
const SMALLEST: u8 = 28;

/// Equal parts of a network: sixteen (a /16 gives /20s of 4091 usable addresses), fewer where they would be smaller
/// than EC2 takes.
fn parts(network: Ipv4Net) -> Vec<Ipv4Net> {
    let prefix = (network.prefix_len() + 4).min(SMALLEST).max(network.prefix_len());
    network.subnets(prefix).map(Iterator::collect).unwrap_or_default()
}

/// A part for each zone that has none, the first that meets no standing subnet, in the zones' order.
///
/// What stands keeps its part, so the same zones get the same parts whichever of them stand already. `None` where the
/// network has no room left.
pub(super) fn assign(network: Ipv4Net, standing: &[(String, Ipv4Net)], zones: &[String]) -> Option<BTreeMap<String, Ipv4Net>> {
    let mut taken: Vec<Ipv4Net> = standing.iter().map(|(_, range)| *range).collect();
    let mut assigned = BTreeMap::new();
    for zone in zones {
        if standing.iter().any(|(of, _)| of == zone) {
            continue;
        }
        let part =
            parts(network).into_iter().find(|part| !taken.iter().any(|range| range.contains(part) || part.contains(range)))?;
        taken.push(part);
        assigned.insert(zone.clone(), part);
    }
    Some(assigned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zones(count: usize) -> Vec<String> {
        ('a'..='z').take(count).map(|letter| format!("us-east-1{letter}")).collect()
    }

    #[test]
    fn a_sixteen_gives_twenties() {
        let parts = assign("10.10.0.0/16".parse().unwrap(), &[], &zones(3)).unwrap();
        let parts: Vec<String> = parts.values().map(ToString::to_string).collect();
        assert_eq!(parts, ["10.10.0.0/20", "10.10.16.0/20", "10.10.32.0/20"]);
    }

    #[test]
    fn a_network_without_room_has_no_answer() {
        assert_eq!(assign("10.0.0.0/28".parse().unwrap(), &[], &zones(2)), None);
    }

    proptest! {
        #[test]
        fn parts_lie_in_the_network_and_never_meet(prefix in 16u8..=23, third in 0u8..=254, count in 1usize..=8) {
            let network = Ipv4Net::new([10, third & 0xfe, 0, 0].into(), prefix).unwrap().trunc();
            let assigned: Vec<Ipv4Net> = assign(network, &[], &zones(count)).unwrap().into_values().collect();
            prop_assert_eq!(assigned.len(), count);
            for (place, one) in assigned.iter().enumerate() {
                prop_assert!(network.contains(one));
                prop_assert!((16..=28).contains(&one.prefix_len()));
                for other in &assigned[place + 1..] {
                    prop_assert!(!one.contains(other) && !other.contains(one));
                }
            }
        }

        #[test]
        fn whatever_stands_already_the_parts_are_the_same(count in 1usize..=8, standing in any::<u8>()) {
            let network: Ipv4Net = "10.10.0.0/16".parse().unwrap();
            let all = assign(network, &[], &zones(count)).unwrap();
            let some: Vec<(String, Ipv4Net)> = all.clone().into_iter().enumerate()
                .filter(|(place, _)| standing >> place & 1 == 1).map(|(_, part)| part).collect();
            let mut together = assign(network, &some, &zones(count)).unwrap();
            together.extend(some);
            prop_assert_eq!(together, all);
        }
    }
}
