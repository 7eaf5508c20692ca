//! What the layers below write to the log at its most talkative.

use std::{
    io,
    sync::{Arc, Mutex},
};

use proto::talos::machine as wire;
use talos::client::{ApplyMode, Client};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    authority::Authority,
    node::{Answer, FakeNode},
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_trace_holds_a_config() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let authority = Authority::new();
    let node = FakeNode::start(&authority, |_, _| {
        // A dry run's answer holds the diff, keys and all.
        let details = "+ key: topsecretvalue".to_owned();
        let message = wire::ApplyConfiguration { mode_details: details, ..Default::default() };
        Answer::one(&wire::ApplyConfigurationResponse { messages: vec![message] })
    })
    .await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    let config = "machine:\n    ca:\n        key: topsecretvalue\n";
    let applied = client.try_configuration(config, ApplyMode::Staged).await.expect("an answer");
    assert!(!format!("{applied:?}").contains("topsecretvalue"));
    let log = String::from_utf8_lossy(&log.0.lock().expect("a lock")).into_owned();
    assert!(log.contains("TRACE"), "nothing was traced");
    assert!(!log.contains("topsecretvalue"), "{log}");
}
