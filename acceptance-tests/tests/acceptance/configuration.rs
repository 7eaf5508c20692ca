//! The configurations that the tests apply.

use std::fmt::Write as _;

/// A configuration in pieces; each `extra` is HCL that goes into that block.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) environment: String,
    pub(crate) provider_type: String,
    pub(crate) provider_extra: String,
    /// The region's address range.
    pub(crate) cidr_block: String,
    pub(crate) region_name: String,
    pub(crate) region_extra: String,
    pub(crate) cluster: Option<Cluster>,
    /// What stands in the backup's block; `None` for no backup.
    pub(crate) backup: Option<String>,
}

/// The cluster of a configuration.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) talos_version: String,
    pub(crate) kubernetes_version: String,
    pub(crate) control_plane: u32,
    pub(crate) control_plane_type: String,
    pub(crate) workers: u32,
    pub(crate) worker_type: String,
    /// Another image than the official one of the version.
    pub(crate) image: Option<String>,
    pub(crate) extra: String,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            talos_version: "v1.13.9".to_owned(),
            kubernetes_version: "1.35.4".to_owned(),
            control_plane: 3,
            control_plane_type: "medium".to_owned(),
            workers: 2,
            worker_type: "large".to_owned(),
            image: None,
            extra: String::new(),
        }
    }
}

impl Configuration {
    /// A region alone.
    pub(crate) fn region(cidr_block: impl Into<String>) -> Self {
        Self {
            environment: "test".to_owned(),
            provider_type: "aws".to_owned(),
            provider_extra: String::new(),
            cidr_block: cidr_block.into(),
            region_name: "nyc1".to_owned(),
            region_extra: String::new(),
            cluster: None,
            backup: None,
        }
    }

    /// A region with a cluster of three control-plane nodes and two workers.
    pub(crate) fn cluster(cidr_block: impl Into<String>) -> Self {
        Self { cluster: Some(Cluster::default()), ..Self::region(cidr_block) }
    }

    /// A region with a backup.
    pub(crate) fn backup(cidr_block: impl Into<String>) -> Self {
        Self { backup: Some(String::new()), ..Self::region(cidr_block) }
    }

    /// The cluster's id.
    pub(crate) fn cluster_id(&self) -> String {
        format!("{}/{}/demo", self.environment, self.region_name)
    }

    /// Changes the cluster.
    pub(crate) fn with_cluster(mut self, change: impl FnOnce(&mut Cluster)) -> Self {
        change(self.cluster.get_or_insert_default());
        self
    }

    /// Changes anything.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// As Terraform reads it.
    pub(crate) fn hcl(&self) -> String {
        let Self { environment, provider_type, provider_extra, cidr_block, region_name, region_extra, .. } = self;
        let mut hcl = format!(
            r#"
terraform {{
  required_providers {{
    inferadb = {{
      source = "inferadb/inferadb"
    }}
  }}
}}

provider "inferadb" {{
  environment = "{environment}"
  {provider_extra}
}}

resource "inferadb_region" "nyc1" {{
  name          = "{region_name}"
  provider_type = "{provider_type}"
  cidr_block    = "{cidr_block}"
  {region_extra}
}}
"#
        );
        if let Some(cluster) = &self.cluster {
            let Cluster {
                talos_version, kubernetes_version, control_plane, control_plane_type, workers, worker_type, extra, ..
            } = cluster;
            let image = cluster.image.as_ref().map(|image| format!("image = \"{image}\"")).unwrap_or_default();
            let _ = write!(
                hcl,
                r#"
resource "inferadb_cluster" "demo" {{
  name               = "demo"
  region_id          = inferadb_region.nyc1.id
  talos_version      = "{talos_version}"
  kubernetes_version = "{kubernetes_version}"
  {image}

  control_plane {{
    count        = {control_plane}
    machine_type = "{control_plane_type}"
  }}

  worker_pool {{
    name         = "general"
    count        = {workers}
    machine_type = "{worker_type}"
  }}
  {extra}
}}
"#
            );
        }
        if let Some(extra) = &self.backup {
            let _ = write!(
                hcl,
                r#"
resource "inferadb_fdb_backup" "demo" {{
  name      = "inferadb-{environment}-fdb-backup"
  region_id = inferadb_region.nyc1.id
  {extra}
}}
"#
            );
        }
        hcl
    }
}
