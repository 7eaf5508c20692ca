//! The wire: prost messages and tonic services, generated from `proto/*.proto`.
//!
//! Each file holds the messages, fields and methods that this workspace speaks, written from the facts of the wire;
//! a peer may send more, which prost ignores.

/// Terraform's plugin protocol 5 (minor 10), as Terraform and OpenTofu speak it to a provider.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod tfplugin5 {
    tonic::include_proto!("tfplugin5");
}

/// The services that HashiCorp's go-plugin expects of every plugin: broker, controller, stdio.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod plugin {
    tonic::include_proto!("plugin");
}

/// gRPC's standard health service.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}

/// The Talos API, v1.8 to v1.14: a node's services behind apid (port 50000) and trustd (50001).
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod talos {
    /// A cluster's health as a control-plane node sees it.
    pub mod cluster {
        tonic::include_proto!("cluster");
    }

    /// What every Talos service shares: who answered, and chunks of a stream.
    pub mod common {
        tonic::include_proto!("common");
    }

    /// A node's controllers.
    pub mod inspect {
        tonic::include_proto!("inspect");
    }

    /// The machine service: configs, etcd, power, services, files.
    pub mod machine {
        tonic::include_proto!("machine");
    }

    /// Specs of COSI resources in their binary form.
    pub mod resource {
        tonic::include_proto!("talos.resource");
    }

    /// trustd's service, which signs API certificates of workers.
    pub mod security {
        tonic::include_proto!("securityapi");
    }

    /// A node's disks.
    pub mod storage {
        tonic::include_proto!("storage");
    }

    /// A node's clock.
    pub mod time {
        tonic::include_proto!("time");
    }

    /// Where the messages above look for `google.rpc.Status`.
    pub mod google {
        /// gRPC's error inside a message.
        pub mod rpc {
            tonic::include_proto!("google.rpc");
        }
    }
}

/// COSI: the state of a Talos node's controllers.
pub mod cosi {
    /// Resources and the service that reads them.
    #[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
    pub mod resource {
        tonic::include_proto!("cosi.resource");
    }
}
