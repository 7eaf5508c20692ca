//! What is there: one paged read per kind of thing, shared by all who ask. Calls grow with pages of a thousand, not with
//! regions, clusters or machines.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::types::{Filter, Instance, InternetGateway, RouteTable, SecurityGroup, Subnet, Vpc};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, TargetGroup};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Aws;
use super::call::Api;
use super::failure::Failure;

use super::tags;
use crate::Result;
use crate::snapshot::Snapshot;

/// How long a read serves later callers: one refresh of a large state, no more.
pub(super) const SHARED: Duration = Duration::from_secs(15);
/// For those who wait for a change: near enough to now, and still one read for all who wait.
pub(super) const FRESH: Duration = Duration::from_millis(300);

/// EC2's and load balancing's largest pages.
const EC2_PAGE: i32 = 1000;
const ROUTE_TABLE_PAGE: i32 = 100;
const ELB_PAGE: i32 = 400;
/// Bound on the pages of one read.
const PAGES: usize = 500;

pub(super) struct Inventory {
    vpcs: Snapshot<Vec<Vpc>>,
    groups: Snapshot<Vec<SecurityGroup>>,
    subnets: Snapshot<Vec<Subnet>>,
    gateways: Snapshot<Vec<InternetGateway>>,
    route_tables: Snapshot<Vec<RouteTable>>,
    instances: Snapshot<Vec<Instance>>,
    balancers: Snapshot<Vec<LoadBalancer>>,
    target_groups: Snapshot<Vec<TargetGroup>>,
}

impl Inventory {
    pub(super) fn new() -> Self {
        Self {
            vpcs: Snapshot::new(),
            groups: Snapshot::new(),
            subnets: Snapshot::new(),
            gateways: Snapshot::new(),
            route_tables: Snapshot::new(),
            instances: Snapshot::new(),
            balancers: Snapshot::new(),
            target_groups: Snapshot::new(),
        }
    }

    /// Something of this service was written.
    pub(super) fn forget(&self, api: Api) {
        match api {
            Api::Ec2 => {
                self.vpcs.forget();
                self.groups.forget();
                self.subnets.forget();
                self.gateways.forget();
                self.route_tables.forget();
                self.instances.forget();
            }
            Api::Elb => {
                self.balancers.forget();
                self.target_groups.forget();
            }
            Api::Iam | Api::Route53 | Api::S3 | Api::Sts => {}
        }
    }
}

/// Ours are found by the tag that all of ours bear.
fn ours() -> Filter {
    Filter::builder().name("tag-key").values(tags::ENVIRONMENT).build()
}

/// Reads page after page.
pub(super) async fn pages<T, O, E, F, Fut>(
    aws: &Aws,
    api: Api,
    operation: &'static str,
    object: &str,
    send: F,
    take: impl Fn(O) -> (Vec<T>, Option<String>),
) -> std::result::Result<Vec<T>, Failure>
where
    F: Fn(Option<String>) -> Fut + Send + Sync,
    Fut: Future<Output = std::result::Result<O, SdkError<E, HttpResponse>>> + Send,
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let mut all = Vec::new();
    let mut next = None;
    for _ in 0..PAGES {
        let page = aws.call(api, operation, object).send(|| send(next.clone())).await?;
        let (items, token) = take(page);
        all.extend(items);
        match token {
            Some(token) if !token.is_empty() => next = Some(token),
            _ => break,
        }
    }
    Ok(all)
}

macro_rules! ec2_read {
    ($(#[$doc:meta])* $name:ident, $item:ty, $operation:literal, $object:literal, $describe:ident, $get:ident, $page:expr, $filter:expr) => {
        $(#[$doc])*
        pub(super) async fn $name(&self, age: Duration) -> Result<Arc<Vec<$item>>> {
            let aws = self.clone();
            self.inventory()
                .$name
                .get(age, || async move {
                    let client = &aws.clients().ec2;
                    let filter: Option<Vec<Filter>> = $filter;
                    let items = pages(&aws, Api::Ec2, $operation, $object, |token| {
                        client.$describe().set_filters(filter.clone()).max_results($page).set_next_token(token).send()
                    }, |mut page| (page.$get.take().unwrap_or_default(), page.next_token.take())).await?;
                    Ok(items)
                })
                .await
        }
    };
}

impl Aws {
    ec2_read!(
        /// All VPCs of the place, also those that are not ours (for overlap checks).
        vpcs, Vpc, "ec2:DescribeVpcs", "the networks", describe_vpcs, vpcs, EC2_PAGE, None
    );
    ec2_read!(
        /// Our security groups.
        groups, SecurityGroup, "ec2:DescribeSecurityGroups", "the security groups", describe_security_groups,
        security_groups, EC2_PAGE, Some(vec![ours()])
    );
    ec2_read!(
        /// Our subnets.
        subnets, Subnet, "ec2:DescribeSubnets", "the subnets", describe_subnets, subnets, EC2_PAGE, Some(vec![ours()])
    );
    ec2_read!(
        /// Our internet gateways.
        gateways, InternetGateway, "ec2:DescribeInternetGateways", "the internet gateways", describe_internet_gateways,
        internet_gateways, EC2_PAGE, Some(vec![ours()])
    );
    ec2_read!(
        /// Our route tables.
        route_tables, RouteTable, "ec2:DescribeRouteTables", "the route tables", describe_route_tables, route_tables,
        ROUTE_TABLE_PAGE, Some(vec![ours()])
    );

    /// The machines of all our clusters, for an hour after their end too.
    pub(super) async fn instances(&self, age: Duration) -> Result<Arc<Vec<Instance>>> {
        let aws = self.clone();
        self.inventory()
            .instances
            .get(age, || async move {
                let client = &aws.clients().ec2;
                let filter = Filter::builder().name("tag-key").values(tags::CLUSTER).build();
                let items = pages(
                    &aws,
                    Api::Ec2,
                    "ec2:DescribeInstances",
                    "the machines",
                    |token| {
                        let request = client.describe_instances().filters(filter.clone());
                        request.max_results(EC2_PAGE).set_next_token(token).send()
                    },
                    |mut page| {
                        let reservations = page.reservations.take().unwrap_or_default();
                        let instances = reservations.into_iter().flat_map(|r| r.instances.unwrap_or_default());
                        (instances.collect(), page.next_token.take())
                    },
                )
                .await?;
                Ok(items)
            })
            .await
    }

    /// All load balancers of the place; ours are known by their names.
    pub(super) async fn balancers(&self, age: Duration) -> Result<Arc<Vec<LoadBalancer>>> {
        let aws = self.clone();
        self.inventory()
            .balancers
            .get(age, || async move {
                let client = &aws.clients().elb;
                let items = pages(
                    &aws,
                    Api::Elb,
                    "elasticloadbalancing:DescribeLoadBalancers",
                    "the load balancers",
                    |token| client.describe_load_balancers().page_size(ELB_PAGE).set_marker(token).send(),
                    |mut page| (page.load_balancers.take().unwrap_or_default(), page.next_marker.take()),
                )
                .await?;
                Ok(items)
            })
            .await
    }

    /// All target groups of the place; ours are known by their names.
    pub(super) async fn target_groups(&self, age: Duration) -> Result<Arc<Vec<TargetGroup>>> {
        let aws = self.clone();
        self.inventory()
            .target_groups
            .get(age, || async move {
                let client = &aws.clients().elb;
                let items = pages(
                    &aws,
                    Api::Elb,
                    "elasticloadbalancing:DescribeTargetGroups",
                    "the target groups",
                    |token| client.describe_target_groups().page_size(ELB_PAGE).set_marker(token).send(),
                    |mut page| (page.target_groups.take().unwrap_or_default(), page.next_marker.take()),
                )
                .await?;
                Ok(items)
            })
            .await
    }
}
