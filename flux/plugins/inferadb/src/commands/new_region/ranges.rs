//! Address ranges: those that the tree gives to regions, and those of a new one, which meets none of them.

use std::path::Path;

use ipnet::Ipv4Net;

use crate::error::Result;

use super::settings::Settings;
use super::{Options, Refused, environments};

/// What a region takes.
#[derive(Clone, Copy)]
pub(super) struct Ranges {
    pub(super) network: Ipv4Net,
    pub(super) pods: Ipv4Net,
    pub(super) services: Ipv4Net,
}

/// A range that something has, and what.
pub(super) struct Taken {
    range: Ipv4Net,
    whose: String,
}

/// The ranges of all regions of all environments: those that Terraform makes or can make, and those that clusters are told.
pub(super) fn taken(root: &Path, clusters: &[Settings]) -> Result<Vec<Taken>> {
    let mut given = Vec::new();
    for environment in environments::names(root) {
        given.extend(environments::given_ranges(root, &environment)?);
    }
    for cluster in clusters {
        for key in ["NETWORK_CIDR", "POD_CIDR", "SERVICE_CIDR"] {
            given.extend(cluster.get(key).map(|range| (range.to_owned(), format!("of `{}`", cluster.path))));
        }
    }
    // What is no range is told by Terraform.
    Ok(given.into_iter().filter_map(|(range, whose)| Some(Taken { range: range.parse().ok()?, whose })).collect())
}

/// The ranges that were asked for, and free ones for the rest.
pub(super) fn choose(options: &Options, taken: &[Taken]) -> Result<Ranges> {
    let network = asked("cidr", options.cidr.as_deref(), 16, 23, "a network takes a /16 to a /23")?;
    let pods = asked("pod-cidr", options.pod_cidr.as_deref(), 0, 22, "each node takes a /24 of it: give a /22 or larger")?;
    let services = asked("service-cidr", options.service_cidr.as_deref(), 12, 24, "kube-apiserver takes a /12 to a /24")?;
    let fill = |number: u8| {
        let default = of(number);
        Ranges {
            network: network.unwrap_or(default.network),
            pods: pods.unwrap_or(default.pods),
            services: services.unwrap_or(default.services),
        }
    };
    // The network's own number, else the tens, which people find again, else any.
    let numbers = || network.and_then(number).into_iter().chain((10..=50).step_by(10)).chain(1..=55);
    if let Some(free) = numbers().map(fill).find(|ranges| meeting(ranges, taken).is_none()) {
        return Ok(free);
    }
    let told = [("cidr", network), ("pod-cidr", pods), ("service-cidr", services)];
    let of_told = numbers().filter_map(|number| meeting(&fill(number), taken)).find(|refused| match refused {
        Refused::Meets { option, .. } => told.iter().any(|(name, told)| name == option && told.is_some()),
        _ => false,
    });
    Err(of_told.unwrap_or(Refused::NoFreeRange).into())
}

/// The ranges by one number: network 10.50, pods 10.150, services 10.250.
fn of(number: u8) -> Ranges {
    let range = |second| Ipv4Net::new_assert([10, second, 0, 0].into(), 16);
    Ranges { network: range(number), pods: range(number.saturating_add(100)), services: range(number.saturating_add(200)) }
}

fn number(network: Ipv4Net) -> Option<u8> {
    let [first, second, _, _] = network.addr().octets();
    (first == 10 && network.prefix_len() == 16 && (1..=55).contains(&second)).then_some(second)
}

fn asked(option: &'static str, value: Option<&str>, from: u8, to: u8, why: &str) -> Result<Option<Ipv4Net>> {
    let Some(value) = value else { return Ok(None) };
    let refused = |problem: String| Refused::Range { option, value: value.to_owned(), problem };
    let range: Ipv4Net = value.parse().map_err(|_| refused("no IPv4 range: write it as in `10.50.0.0/16`".to_owned()))?;
    if range.network() != range.addr() {
        return Err(refused(format!("host bits are set: did you mean `{}`?", range.trunc())).into());
    }
    if !(from..=to).contains(&range.prefix_len()) {
        return Err(refused(why.to_owned()).into());
    }
    Ok(Some(range))
}

fn meet(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// What a region's ranges meet: another region's, or each other.
fn meeting(ranges: &Ranges, taken: &[Taken]) -> Option<Refused> {
    let own = [
        ("the network", "cidr", ranges.network),
        ("the range of pods", "pod-cidr", ranges.pods),
        ("the range of services", "service-cidr", ranges.services),
    ];
    let refused = |(what, option, range): (&'static str, &'static str, Ipv4Net), other: Ipv4Net, whose: String| Refused::Meets {
        what,
        option,
        range: range.to_string(),
        other: other.to_string(),
        whose,
    };
    for (place, one) in own.into_iter().enumerate() {
        if let Some(other) = taken.iter().find(|taken| meet(one.2, taken.range)) {
            return Some(refused(one, other.range, other.whose.clone()));
        }
        if let Some((what, _, other)) = own.into_iter().take(place).find(|other| meet(one.2, other.2)) {
            return Some(refused(one, other, format!("{what} of the same region")));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(ranges: &[&str]) -> Vec<Taken> {
        ranges.iter().map(|range| Taken { range: range.parse().unwrap(), whose: "of somebody".to_owned() }).collect()
    }

    fn asking(options: &[&str], taken: &[Taken]) -> Result<String> {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            options: Options,
        }
        let line = ["new-region", "lon1", "--provider=aws", "--env=staging"];
        let line = Line::parse_from(line.iter().chain(options));
        choose(&line.options, taken).map(|ranges| format!("{} {} {}", ranges.network, ranges.pods, ranges.services))
    }

    #[test]
    fn the_first_free_ten_is_taken_then_any_number() {
        assert_eq!(asking(&[], &[]).unwrap(), "10.10.0.0/16 10.110.0.0/16 10.210.0.0/16");
        let tens = taken(&["10.10.0.0/16", "10.120.0.0/16", "10.230.4.0/24", "10.40.0.0/15", "10.50.0.0/16"]);
        assert_eq!(asking(&[], &tens).unwrap(), "10.1.0.0/16 10.101.0.0/16 10.201.0.0/16");
        assert!(asking(&[], &taken(&["10.0.0.0/8"])).unwrap_err().to_string().contains("no three ranges"));
    }

    #[test]
    fn the_rest_follows_the_network() {
        assert_eq!(asking(&["--cidr=10.33.0.0/16"], &[]).unwrap(), "10.33.0.0/16 10.133.0.0/16 10.233.0.0/16");
        let pods = taken(&["10.133.0.0/16"]);
        assert_eq!(asking(&["--cidr=10.33.0.0/16"], &pods).unwrap(), "10.33.0.0/16 10.110.0.0/16 10.210.0.0/16");
        assert_eq!(asking(&["--cidr=172.16.0.0/20"], &[]).unwrap(), "172.16.0.0/20 10.110.0.0/16 10.210.0.0/16");
    }

    #[test]
    fn ranges_that_meet_or_are_none_are_refused() {
        let said = |options: &[&str]| asking(options, &taken(&["10.30.0.0/16"])).unwrap_err().to_string();
        assert!(said(&["--cidr=10.30.4.0/22"]).contains("meets `10.30.0.0/16`, of somebody"));
        assert!(said(&["--cidr=10.60.0.0/16", "--pod-cidr=10.60.0.0/18"]).contains("the network of the same region"));
        assert!(said(&["--cidr=10.60.0.1/16"]).contains("did you mean `10.60.0.0/16`"));
        assert!(said(&["--cidr=10.60.0.0/24"]).contains("/16 to a /23"));
        assert!(said(&["--pod-cidr=10.60.0.0/23"]).contains("/22"));
        assert!(said(&["--service-cidr=10.0.0.0/8"]).contains("/12 to a /24"));
        assert!(said(&["--service-cidr=ten"]).contains("no IPv4 range"));
    }
}
