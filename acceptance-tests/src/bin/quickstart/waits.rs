//! What the provider waits for, by its own log.

/// The provider's module whose lines tell of waits.
const MODULE: &str = "@module=terraform_provider_inferadb.cluster.fleet";
/// How Terraform marks the provider's lines, whatever its version.
const MARK: &str = " provider.terraform-provider-inferadb";

/// What a line of Terraform's log (TF_LOG_PROVIDER=INFO) says of a wait: for what, and how it stands. `None` for other lines.
pub(crate) fn read(line: &str) -> Option<(&str, &str)> {
    let (_, told) = line.split_once(MARK)?;
    let fields = told.find(MODULE)?;
    let message = told.get(..fields)?.split_once(": ")?.1;
    // Fields stand in any order behind the message.
    let message = message.split(": timestamp=").next()?.trim_end().trim_end_matches(':');
    let (step, stands) = message.split_once(": ")?;
    // The rest says the same of further nodes.
    Some((step, stands.split("; ").next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_by_its_first_reason() {
        let line = "2026-11-24T04:22:00.483Z [INFO]  provider.terraform-provider-inferadb_v0.1.0: etcd: `127.110.0.4` lists 2 of 3 \
                    members; `EtcdMemberList` on node `127.110.16.5`: no answer within 5 s: \
                    @module=terraform_provider_inferadb.cluster.fleet timestamp=2026-11-24T04:22:00.483Z";
        assert_eq!(read(line), Some(("etcd", "`127.110.0.4` lists 2 of 3 members")));
    }

    #[test]
    fn the_order_of_fields_does_not_matter() {
        let line = "2026-11-24T04:21:55.485Z [INFO]  provider.terraform-provider-inferadb: machines: 0 of 5 nodes: \
                    timestamp=2026-11-24T04:21:55.485Z @module=terraform_provider_inferadb.cluster.fleet";
        assert_eq!(read(line), Some(("machines", "0 of 5 nodes")));
    }

    #[test]
    fn other_lines_are_left() {
        for line in [
            "2026-11-24T04:21:47.698Z [INFO]  provider: configuring client automatic mTLS",
            "2026-11-24T04:21:54.042Z [INFO]  provider.terraform-provider-inferadb: machine runs: \
             @module=terraform_provider_inferadb.cluster.make machine=i-8",
            "",
        ] {
            assert_eq!(read(line), None);
        }
    }
}
