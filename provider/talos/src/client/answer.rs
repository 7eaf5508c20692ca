//! Taking a node's message out of an answer.

use proto::talos::{common::Metadata, machine as wire};
use tonic::Code;

use super::{Client, Error, ErrorKind};

/// A message of an answer: each says who answered, and a failure can stand there while the call is OK.
pub(super) trait Message {
    fn metadata(&self) -> Option<&Metadata>;
}

macro_rules! messages {
    ($($name:ident),* $(,)?) => {
        $(impl Message for wire::$name {
            fn metadata(&self) -> Option<&Metadata> {
                self.metadata.as_ref()
            }
        })*
    };
}

messages!(
    ApplyConfiguration,
    Bootstrap,
    EtcdForfeitLeadership,
    EtcdLeaveCluster,
    EtcdMembers,
    EtcdRemoveMemberById,
    EtcdStatus,
    Hostname,
    Reboot,
    ServiceList,
    Version,
);

impl Client {
    /// The one message of an answer.
    pub(super) fn only<M: Message>(&self, call: &'static str, messages: Vec<M>) -> Result<M, Error> {
        let message = messages
            .into_iter()
            .next()
            .ok_or_else(|| self.error(call, ErrorKind::Malformed("it holds no message".to_owned())))?;
        self.check(call, message.metadata())?;
        Ok(message)
    }

    /// The failure that stands in a message's metadata, as the error that it is.
    pub(super) fn check(&self, call: &'static str, metadata: Option<&Metadata>) -> Result<(), Error> {
        let Some(metadata) = metadata else {
            return Ok(());
        };
        if let Some(status) = metadata.status.as_ref().filter(|status| status.code != 0) {
            return Err(self.error_from_code(call, Code::from_i32(status.code), status.message.clone()));
        }
        if !metadata.error.is_empty() {
            return Err(self.error_from_code(call, Code::Unknown, metadata.error.clone()));
        }
        Ok(())
    }
}
