//! Who may call what: the roles in a client certificate, and the methods that they open (`services/machined.go` of Talos).

use super::versions;

/// Roles of a caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Roles {
    pub(super) admin: bool,
    operator: bool,
    reader: bool,
    etcd_backup: bool,
}

impl Roles {
    /// Of a certificate's organisations; what is no role is left out.
    pub(super) fn of(organizations: &[String]) -> Self {
        let has = |role: &str| organizations.iter().any(|organization| organization == role);
        Self {
            admin: has("os:admin"),
            operator: has("os:operator"),
            reader: has("os:reader"),
            etcd_backup: has("os:etcd:backup"),
        }
    }

    /// Of anyone who comes to a node in maintenance mode.
    pub(super) fn maintenance() -> Self {
        Self { reader: true, ..Self::default() }
    }
}

/// Whether the roles open a method (`/machine.MachineService/Version`) of this Talos.
pub(super) fn allows(roles: Roles, path: &str, talos: &str) -> bool {
    if roles.admin {
        return true;
    }
    let method = path.rsplit('/').next().unwrap_or_default();
    let readers_see_etcd = versions::readers_see_etcd(talos);
    match method {
        "ApplyConfiguration"
        | "Bootstrap"
        | "Copy"
        | "EtcdForfeitLeadership"
        | "EtcdLeaveCluster"
        | "EtcdRecover"
        | "EtcdRemoveMemberByID"
        | "GenerateConfiguration"
        | "GenerateClientConfiguration"
        | "Kubeconfig"
        | "MetaWrite"
        | "MetaDelete"
        | "Read"
        | "Reset"
        | "Rollback"
        | "Upgrade"
        | "Create"
        | "Destroy"
        | "Update" => false,
        "EtcdAlarmDisarm" | "EtcdDefragment" | "ImagePull" | "PacketCapture" | "Reboot" | "Restart" | "ServiceRestart"
        | "ServiceStart" | "ServiceStop" | "Shutdown" => roles.operator,
        "EtcdSnapshot" => roles.operator || roles.etcd_backup,
        "EtcdMemberList" => roles.operator || roles.reader || (readers_see_etcd && roles.etcd_backup),
        "EtcdAlarmList" | "EtcdStatus" => roles.operator || (readers_see_etcd && (roles.reader || roles.etcd_backup)),
        _ => roles.operator || roles.reader,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(role: &str, method: &str) -> bool {
        allows(Roles::of(&[role.to_owned()]), &format!("/machine.MachineService/{method}"), "v1.8.0")
    }

    #[test]
    fn roles_open_what_talos_says() {
        assert!(may("os:admin", "Bootstrap"));
        assert!(may("os:operator", "Reboot"));
        assert!(!may("os:operator", "Kubeconfig"));
        assert!(may("os:reader", "EtcdMemberList"));
        assert!(!may("os:reader", "EtcdStatus"));
        assert!(may("os:etcd:backup", "EtcdSnapshot"));
        assert!(!may("os:nonsense", "Version"));
        assert!(!may("os:impersonator", "Version"));
    }
}
