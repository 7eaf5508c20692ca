//! Pages of answers, as EC2 and Elastic Load Balancing cut them. moto mostly gives everything at once.

use super::answer::{Answer, Refusal};
use super::request::{Request, Service};
use super::xml::Element;

/// An action whose answers come in pages.
struct Paged {
    action: &'static str,
    /// Where the entries stand.
    set: &'static str,
    /// Smallest and largest page that may be asked for.
    least: usize,
    most: usize,
    /// The page where none is asked for; 0 is all at once.
    default: usize,
    /// The parameter of ids that rules out a page size.
    ids: &'static str,
}

const fn ec2(action: &'static str, set: &'static str, ids: &'static str, most: usize) -> Paged {
    Paged { action, set, least: 5, most, default: 0, ids }
}

const fn elb(action: &'static str, set: &'static str) -> Paged {
    Paged { action, set, least: 1, most: 400, default: 400, ids: "" }
}

const EC2: &[Paged] = &[
    ec2("DescribeInstances", "reservationSet", "InstanceId", 1000),
    ec2("DescribeInternetGateways", "internetGatewaySet", "", 1000),
    ec2("DescribeNetworkInterfaces", "networkInterfaceSet", "NetworkInterfaceId", 1000),
    ec2("DescribeRouteTables", "routeTableSet", "", 100),
    ec2("DescribeSecurityGroupRules", "securityGroupRuleSet", "", 1000),
    ec2("DescribeSecurityGroups", "securityGroupInfo", "GroupId", 1000),
    ec2("DescribeSubnets", "subnetSet", "", 1000),
    ec2("DescribeVolumes", "volumeSet", "VolumeId", 1000),
    ec2("DescribeVpcs", "vpcSet", "", 1000),
    Paged { default: 100, ..ec2("DescribeInstanceTypes", "instanceTypeSet", "InstanceType", 100) },
    Paged { default: 1000, ..ec2("DescribeInstanceTypeOfferings", "instanceTypeOfferingSet", "", 1000) },
];

const ELB: &[Paged] = &[
    elb("DescribeListeners", "Listeners"),
    elb("DescribeLoadBalancers", "LoadBalancers"),
    elb("DescribeTargetGroups", "TargetGroups"),
];

/// The page that a request wants.
pub(crate) struct Page {
    paged: &'static Paged,
    from: usize,
    size: usize,
}

/// Tokens say where a page begins.
const TOKEN: &str = "sandbox-page-from-";

/// Takes the page out of a request, so that moto gives everything; `None` if the action has no pages.
pub(crate) fn take(request: &mut Request) -> Result<Option<Page>, Refusal> {
    let (table, size_key, token_key) = match request.service {
        Service::Ec2 => (EC2, "MaxResults", "NextToken"),
        Service::Elbv2 => (ELB, "PageSize", "Marker"),
        _ => return Ok(None),
    };
    let Some(paged) = table.iter().find(|paged| paged.action == request.action) else { return Ok(None) };
    let size = match request.parameters.get(size_key) {
        None => paged.default,
        Some(value) => {
            let size = value.parse().ok().filter(|size| (paged.least..=paged.most).contains(size));
            size.ok_or_else(|| invalid(request.service, value, paged))?
        }
    };
    if request.service == Service::Ec2
        && request.parameters.get(size_key).is_some()
        && !request.parameters.list(paged.ids).is_empty()
    {
        return Err(Refusal::new(
            "InvalidParameterCombination",
            format!("The parameter {} cannot be used with the parameter maxResults", paged.ids),
        ));
    }
    let from = match request.parameters.get(token_key) {
        None => 0,
        Some(token) => token
            .strip_prefix(TOKEN)
            .and_then(|from| from.parse().ok())
            .ok_or_else(|| Refusal::new("InvalidParameterValue", format!("Invalid value '{token}' for {token_key}")))?,
    };
    request.parameters.remove_below(size_key);
    request.parameters.remove_below(token_key);
    Ok(Some(Page { paged, from, size }))
}

fn invalid(service: Service, value: &str, paged: &Paged) -> Refusal {
    let message =
        format!("Value ( {value} ) for the page size is invalid. Expecting a value from {} to {}.", paged.least, paged.most);
    Refusal::new(if service == Service::Ec2 { "InvalidParameterValue" } else { "ValidationError" }, message)
}

impl Page {
    /// Cuts the page out of an answer that holds everything.
    pub(crate) fn cut(&self, service: Service, answer: Answer) -> Answer {
        let mut tree = answer.tree();
        let result = format!("{}Result", self.paged.action);
        let (inner, next) =
            if service == Service::Ec2 { (Some(&mut tree), "nextToken") } else { (tree.child_mut(&result), "NextMarker") };
        if let Some(inner) = inner {
            self.cut_from(inner, next);
        }
        answer.replaced(&tree)
    }

    fn cut_from(&self, inner: &mut Element, next: &str) {
        inner.remove(next);
        let Some(set) = inner.child_mut(self.paged.set) else { return };
        let count = set.elements().count();
        let size = if self.size == 0 { count } else { self.size };
        let until = self.from.saturating_add(size);
        let kept: Vec<Element> = set.elements().skip(self.from).take(size).cloned().collect();
        set.retain(|_| false);
        for element in kept {
            set.push(element);
        }
        if until < count {
            inner.push(Element::with_text(next, &format!("{TOKEN}{until}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_up_to_everything() {
        let mut everything = Element::new("vpcSet");
        for index in 0..12 {
            everything.push(Element::with_text("item", &index.to_string()));
        }
        let mut seen = Vec::new();
        let mut from = 0;
        loop {
            let mut answer = Element::new("DescribeVpcsResponse").node(everything.clone());
            Page { paged: &EC2[8], from, size: 5 }.cut_from(&mut answer, "nextToken");
            seen.extend(answer.all("item").into_iter().map(|item| item.text().to_owned()));
            match answer.text_of("nextToken").strip_prefix(TOKEN) {
                Some(next) => from = next.parse().expect("a number"),
                None => break,
            }
        }
        assert_eq!(seen, (0..12).map(|index| index.to_string()).collect::<Vec<_>>());
    }
}
