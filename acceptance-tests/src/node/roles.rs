//! Which role may call what, as Talos' own rules have it for the methods that are played here.

/// What a caller may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Reads that tell no secret.
    Read,
    /// What an operator does, readers not.
    Operate,
    /// Snapshots of etcd.
    EtcdBackup,
    /// All the rest.
    Admin,
}

/// The access that a method takes.
pub(super) fn of(service: &str, method: &str) -> Access {
    match (service, method) {
        (
            "machine.MachineService",
            "Version" | "ServiceList" | "EtcdMemberList" | "Hostname" | "List" | "Logs" | "Dmesg" | "Events" | "Memory" | "Mounts"
            | "ImageList" | "Containers" | "CPUInfo" | "DiskStats" | "DiskUsage" | "LoadAvg" | "NetworkDeviceStats" | "Processes"
            | "Stats" | "SystemStat" | "LogsContainers" | "Netstat",
        )
        | ("cosi.resource.State", "Get" | "List" | "Watch")
        | ("storage.StorageService" | "time.TimeService" | "cluster.ClusterService" | "inspect.InspectService", _) => Access::Read,
        (
            "machine.MachineService",
            "EtcdStatus" | "EtcdAlarmList" | "EtcdAlarmDisarm" | "EtcdDefragment" | "Reboot" | "Shutdown" | "Restart" | "ServiceStart"
            | "ServiceStop" | "ServiceRestart" | "PacketCapture" | "EtcdForfeitLeadership",
        ) => Access::Operate,
        ("machine.MachineService", "EtcdSnapshot") => Access::EtcdBackup,
        _ => Access::Admin,
    }
}

/// Whether one of these roles grants it.
pub(super) fn grant(roles: &[String], access: Access) -> bool {
    roles.iter().any(|role| match role.as_str() {
        "os:admin" => true,
        "os:operator" => access != Access::Admin,
        "os:reader" => access == Access::Read,
        "os:etcd:backup" => access == Access::EtcdBackup,
        _ => false,
    })
}
