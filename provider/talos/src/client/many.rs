//! Many nodes at once.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use rustls::ClientConfig;

use super::{Client, Error, Identity, IdentityError};

/// So many nodes are asked at one time.
const AT_ONCE: usize = 64;

/// The nodes of a cluster: one client and one connection for each, made when first needed and kept.
pub struct Clients {
    tls: Arc<ClientConfig>,
    nodes: Mutex<BTreeMap<String, Client>>,
}

impl Clients {
    /// With an identity that all nodes know: the cluster's CA and an `os:admin` certificate.
    pub fn new(identity: &Identity) -> Result<Self, IdentityError> {
        Ok(Self { tls: identity.tls()?, nodes: Mutex::default() })
    }

    /// The client of one node; see [`Client::new`] for the address.
    pub fn node(&self, address: &str) -> Client {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.entry(address.to_owned()).or_insert_with(|| Client::with_tls(address, Arc::clone(&self.tls))).clone()
    }

    /// Asks each node once, all at one time, with this deadline for each call. Nodes that do not answer bear their
    /// error, so that a read of a cluster takes the deadline at most.
    pub async fn each<T, F>(
        &self,
        addresses: impl IntoIterator<Item = impl AsRef<str>>,
        deadline: Duration,
        ask: impl Fn(Client) -> F,
    ) -> BTreeMap<String, Result<T, Error>>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let asked: Vec<_> = addresses
            .into_iter()
            .map(|address| {
                let client = self.node(address.as_ref()).with_deadline(deadline);
                let answer = ask(client.clone());
                async move { (client.address().to_owned(), answer.await) }
            })
            .collect();
        stream::iter(asked).buffer_unordered(AT_ONCE).collect().await
    }
}
