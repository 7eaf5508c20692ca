//! The birth of etcd: once in a cluster's life, on one node.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

use super::{
    Error, Progress,
    wait::{Look, Patience, until},
};
use crate::client::{self, Client, ErrorKind};

const STEP: &str = "bootstrap";

/// Talos itself waits 5 s for the time to be in sync before it answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// What Talos says while it cannot bootstrap yet. Its third precondition, being a control-plane node, no waiting mends.
const NOT_YET: [&str; 2] = ["bootstrap is not available yet", "time is not in sync yet"];

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bootstrapped {
    /// This call, or one just before whose etcd has no data yet.
    Now,
    /// An earlier one: the node has etcd data.
    Before,
}

/// Bootstraps etcd on `node`, and asks no other: on a second waiting node Talos would make a second cluster. Which node
/// it is must be settled, and remembered outside, before the first call; only that node may ever be given again.
pub async fn bootstrap(node: &Client, deadline: Instant, progress: &Progress<'_>) -> Result<Bootstrapped, Error> {
    let node = &node.with_deadline(ANSWER_WITHIN);
    let patience = &Mutex::new(Patience::default());
    until(STEP, deadline, progress, || async move {
        let answer = node.bootstrap().await;
        judge(answer, &mut *patience.lock().await).map_err(|source| Error::Node { step: STEP, source })
    })
    .await
}

fn judge(answer: Result<(), client::Error>, patience: &mut Patience) -> Result<Look<Bootstrapped>, client::Error> {
    let error = match answer {
        Ok(()) => return Ok(Look::Done(Bootstrapped::Now)),
        Err(error) => error,
    };
    match &error.kind {
        ErrorKind::AlreadyExists(_) => Ok(Look::Done(Bootstrapped::Before)),
        ErrorKind::FailedPrecondition(why) if NOT_YET.iter().any(|known| why.contains(known)) => {
            Ok(Look::NotYet(format!("`{}`: {why}", error.node)))
        }
        ErrorKind::FailedPrecondition(_) | ErrorKind::NotFound(_) | ErrorKind::Malformed(_) => Err(error),
        _ => patience.bear(error).map(|error| Look::NotYet(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn after(kind: ErrorKind) -> Result<Option<Bootstrapped>, ErrorKind> {
        let error = client::Error { node: "10.0.0.1".to_owned(), call: "Bootstrap", kind };
        match judge(Err(error), &mut Patience::default()) {
            Ok(Look::Done(done)) => Ok(Some(done)),
            Ok(Look::NotYet(_)) => Ok(None),
            Err(error) => Err(error.kind),
        }
    }

    #[test]
    fn etcd_data_means_that_it_was_bootstrapped() {
        let answer = ErrorKind::AlreadyExists("etcd data directory is not empty".to_owned());
        assert_eq!(after(answer), Ok(Some(Bootstrapped::Before)));
    }

    #[test]
    fn what_passes_is_waited_out() {
        for kind in [
            ErrorKind::FailedPrecondition("bootstrap is not available yet".to_owned()),
            ErrorKind::FailedPrecondition("time is not in sync yet".to_owned()),
            ErrorKind::Unreachable("connection refused".to_owned()),
            ErrorKind::DeadlineExceeded(ANSWER_WITHIN),
            ErrorKind::Unavailable("machined restarts".to_owned()),
            ErrorKind::Untrusted("not valid yet".to_owned()),
            ErrorKind::Other { code: Code::Internal, message: String::new() },
        ] {
            assert_eq!(after(kind.clone()), Ok(None), "{kind}");
        }
    }

    #[test]
    fn what_does_not_pass_ends_it() {
        for kind in [
            ErrorKind::FailedPrecondition("bootstrap can only be performed on a control plane node".to_owned()),
            ErrorKind::Unimplemented("maintenance mode".to_owned()),
            ErrorKind::PermissionDenied("not authorized".to_owned()),
            ErrorKind::InvalidArgument("etcd is not configured, bootstrap is not possible".to_owned()),
        ] {
            assert_eq!(after(kind.clone()), Err(kind));
        }
    }
}
