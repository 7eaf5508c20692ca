//! `docs/cost-estimation.md` counts the machines that the environments have, and adds up.

use std::collections::BTreeMap;

use crate::page::table;
use crate::parity::asked_for;
use crate::tree::read;

const HEAD: [&str; 4] = ["what", "price, $", "a month each, $", "staging, number"];

/// The provider's names of machines, and AWS'.
const MACHINES: [(&str, &str); 3] = [("small", "`t3.medium`"), ("medium", "`t3.xlarge`"), ("large", "`t3.2xlarge`")];

/// AWS' machines and how many vCPUs each has.
const VCPUS: [(&str, u64); 3] = [("small", 2), ("medium", 4), ("large", 8)];

/// The environments with the columns of their numbers and costs.
const COLUMNS: [(&str, usize, usize); 2] = [("staging", 3, 4), ("production", 5, 6)];

fn rows() -> Vec<Vec<String>> {
    table(&read("docs/cost-estimation.md"), &HEAD)
}

/// The control plane and each pool of a region, as JSON.
fn pools_of_a_region() -> String {
    let pool = "for name, pool in var.worker_pools : ";
    format!(
        "jsonencode(concat([[var.control_plane.machine_type, var.control_plane.count, coalesce(var.control_plane.disk_size, 50)]], \
         [{pool}[pool.machine_type, pool.count, coalesce(pool.disk_size, 50)]]))"
    )
}

/// The quota that an account needs is that of the machines of a region and of its two routers.
#[tokio::test(flavor = "multi_thread")]
async fn the_vcpus_are_those_of_the_environments() {
    let mut needed = Vec::new();
    for (environment, _, _) in COLUMNS {
        let answers = asked_for(environment, &[pools_of_a_region()]).await;
        let pools: Vec<(String, u64, u64)> = serde_json::from_str(&answers[0]).unwrap();
        let vcpus = |size: &str| VCPUS.iter().find(|(name, _)| *name == size).unwrap().1;
        needed.push(pools.iter().map(|(size, count, _)| count * vcpus(size)).sum::<u64>() + 2 * 2);
    }
    let page = read("docs/cost-estimation.md").replace('\n', " ");
    let said = format!("staging takes {} vCPUs in each of its regions, production {},", needed[0], needed[1]);
    assert!(page.contains(&said), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_and_disks_are_those_of_the_environments() {
    let expressions = ["length(var.regions)".to_owned(), pools_of_a_region()];
    for (environment, number, _) in COLUMNS {
        let answers = asked_for(environment, &expressions).await;
        let regions: u64 = answers[0].parse().unwrap();
        let pools: Vec<(String, u64, u64)> = serde_json::from_str(&answers[1]).unwrap();
        let mut machines: BTreeMap<&str, u64> = MACHINES.iter().map(|(_, theirs)| (*theirs, 0)).collect();
        let routers = 2 * regions;
        let mut disks = 10 * routers;
        for (size, count, disk) in &pools {
            let (_, theirs) = MACHINES.iter().find(|(ours, _)| ours == size).unwrap();
            *machines.entry(theirs).or_default() += regions * count;
            disks += regions * count * disk;
        }
        machines.insert("`t4g.micro` of the subnet routers", routers);
        machines.insert("GiB of disk, `gp3`", disks);
        for (what, counted) in machines {
            let row = rows().into_iter().find(|row| row[0] == what).unwrap_or_else(|| panic!("no row {what}"));
            assert_eq!(row[number], counted.to_string(), "{environment}: {what}");
        }
    }
}

/// A budget warns at four fifths of its limit: above what is expected, and not far.
#[tokio::test(flavor = "multi_thread")]
async fn the_budgets_fit_the_sums() {
    let together = rows().pop().unwrap();
    for (environment, _, cost) in COLUMNS {
        let answers = asked_for(environment, &["var.costs.monthly_limit".to_owned()]).await;
        let (limit, sum): (f64, f64) = (answers[0].parse().unwrap(), together[cost].parse().unwrap());
        assert!(limit * 0.8 > sum && limit < sum * 1.5, "{environment}: a limit of {limit} for {sum}");
    }
}

#[test]
fn the_sums_are_the_numbers_times_the_prices() {
    let number = |cell: &str| -> f64 { cell.parse().unwrap_or_else(|_| panic!("`{cell}` is no number")) };
    let mut rows = rows();
    let together = rows.pop().unwrap();
    assert_eq!(together[0], "together");
    for (environment, count, cost) in COLUMNS {
        let mut sum = 0.0;
        for row in &rows {
            let price = number(row[1].split(' ').next().unwrap());
            let month = if row[1].ends_with("an hour") { price * 730.0 } else { price };
            assert!((number(&row[2]) - month).abs() < 0.001, "{}: {month}", row[0]);
            // To the dollar, either way where half of one is left.
            assert!((number(&row[cost]) - number(&row[2]) * number(&row[count])).abs() < 0.51, "{environment}: {}", row[0]);
            sum += number(&row[cost]);
        }
        assert!((number(&together[cost]) - sum).abs() < 0.5, "{environment}: {sum}");
    }
}
