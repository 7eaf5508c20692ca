//! Watches: changes as lines of JSON, for as long as the client listens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use hyper::body::Frame;
use serde_json::{Value as Json, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout_at};

use super::cluster::KubeCluster;
use super::refusal::Refusal;
use super::request::{Objects, Request};
use super::selector::Selector;
use super::store::{Change, Resource};

/// How long a watch runs whose client names no time; real ones end between this and its double.
const DEFAULT_LIMIT: Duration = Duration::from_mins(30);

pub(super) struct Watch {
    cluster: Arc<KubeCluster>,
    changes: Receiver<u64>,
    resource: Resource,
    namespace: Option<String>,
    selector: Selector,
    /// The newest change that was looked at.
    version: u64,
    lines: VecDeque<Bytes>,
    until: Instant,
    ended: bool,
}

impl Watch {
    /// From `resourceVersion`; without one (or 0) from what exists now.
    pub(super) fn start(
        cluster: &Arc<KubeCluster>,
        request: &Request,
        objects: &Objects,
        selector: Selector,
    ) -> Result<Self, Refusal> {
        let number = |name: &str| {
            let value = request.query(name).unwrap_or("0");
            value.parse::<u64>().map_err(|_| Refusal::bad_request(format!("invalid {name}: {value}")))
        };
        let from = number("resourceVersion")?;
        let limit = match number("timeoutSeconds")? {
            0 => DEFAULT_LIMIT,
            seconds => Duration::from_secs(seconds).min(DEFAULT_LIMIT),
        };
        let initial = request.flag("sendInitialEvents");
        let mut watch = Self {
            cluster: Arc::clone(cluster),
            // Before the store is read, so that no change is missed.
            changes: cluster.changes(),
            resource: objects.resource,
            namespace: objects.namespace.clone(),
            selector,
            version: from,
            lines: VecDeque::new(),
            until: Instant::now() + limit,
            ended: false,
        };
        if from == 0 || initial {
            let store = cluster.store();
            watch.version = store.version();
            let fitting =
                store.list(watch.resource, watch.namespace.as_deref()).filter(|(_, object)| watch.selector.fits(object));
            watch.lines = fitting.map(|(_, object)| line("ADDED", object)).collect();
            if initial {
                let metadata = json!({
                    "resourceVersion": watch.version.to_string(),
                    "annotations": { "k8s.io/initial-events-end": "true" },
                });
                let kind = watch.resource.kind();
                let object = json!({ "kind": kind, "apiVersion": watch.resource.api_version(), "metadata": metadata });
                watch.lines.push_back(line("BOOKMARK", &object));
            }
        }
        Ok(watch)
    }

    /// The lines as the frames of a body.
    pub(super) fn frames(self) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + 'static {
        futures_util::stream::unfold(self, |mut watch| async move {
            let line = watch.next().await?;
            Some((Ok(Frame::data(line)), watch))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            self.changes.borrow_and_update();
            self.read();
            if self.lines.is_empty() && !matches!(timeout_at(self.until, self.changes.changed()).await, Ok(Ok(()))) {
                self.ended = true;
            }
        }
    }

    fn read(&mut self) {
        let Some(changes) = self.cluster.store().changes_after(self.version) else {
            self.lines.push_back(line("ERROR", &Refusal::expired(self.version).status()));
            self.ended = true;
            return;
        };
        for change in changes {
            self.version = change.version;
            self.lines.extend(self.seen(&change));
        }
    }

    /// What a change looks like through the selector.
    fn seen(&self, change: &Change) -> Option<Bytes> {
        let namespace = change.object["metadata"]["namespace"].as_str();
        if change.resource != self.resource || (self.namespace.is_some() && self.namespace.as_deref() != namespace) {
            return None;
        }
        let before = change.before.as_ref().is_some_and(|object| self.selector.fits(object));
        let after = !change.deleted && self.selector.fits(&change.object);
        match (before, after) {
            (false, true) => Some(line("ADDED", &change.object)),
            (true, true) => Some(line("MODIFIED", &change.object)),
            (true, false) => Some(line("DELETED", &change.object)),
            (false, false) => None,
        }
    }
}

fn line(event: &str, object: &Json) -> Bytes {
    let mut text = json!({ "type": event, "object": object }).to_string();
    text.push('\n');
    text.into()
}
