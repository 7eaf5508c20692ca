//! A read that many callers share.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::time::Instant;

use crate::Result;

type Flight<T> = BoxFuture<'static, Result<Arc<T>>>;

/// The last answer of one read. Callers that come while it is under way wait for that one; a write drops it, also one
/// that is under way, so nobody who writes and then reads gets an answer from before.
pub(crate) struct Snapshot<T> {
    state: Arc<Mutex<State<T>>>,
}

struct State<T> {
    /// Counts the writes.
    epoch: u64,
    kept: Option<(Instant, Arc<T>)>,
    /// Weak: once all who wait for it were dropped, it is gone, and the next caller starts anew.
    flight: Option<WeakShared<Flight<T>>>,
}

impl<T: Send + Sync + 'static> Snapshot<T> {
    pub(crate) fn new() -> Self {
        Self { state: Arc::new(Mutex::new(State { epoch: 0, kept: None, flight: None })) }
    }

    /// The answer, if it is no older than `age`; else that of `read`.
    pub(crate) async fn get<F, Fut>(&self, age: Duration, read: F) -> Result<Arc<T>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        let flight: Shared<Flight<T>> = {
            let mut state = lock(&self.state);
            if let Some((at, value)) = &state.kept
                && at.elapsed() <= age
            {
                return Ok(Arc::clone(value));
            }
            if let Some(flight) = state.flight.as_ref().and_then(WeakShared::upgrade) {
                flight
            } else {
                let flight = self.start(state.epoch, read()).shared();
                state.flight = flight.downgrade();
                flight
            }
        };
        flight.await
    }

    fn start(&self, epoch: u64, read: impl Future<Output = Result<T>> + Send + 'static) -> Flight<T> {
        let state = Arc::clone(&self.state);
        let begun = Instant::now();
        async move {
            let answer = read.await.map(Arc::new);
            let mut state = lock(&state);
            if state.epoch == epoch {
                state.flight = None;
                if let Ok(value) = &answer {
                    state.kept = Some((begun, Arc::clone(value)));
                }
            }
            answer
        }
        .boxed()
    }

    /// Something was written.
    pub(crate) fn forget(&self) {
        let mut state = lock(&self.state);
        state.epoch += 1;
        state.kept = None;
        state.flight = None;
    }
}

fn lock<T>(state: &Mutex<State<T>>) -> std::sync::MutexGuard<'_, State<T>> {
    // Nothing panics while it is held; if something did, the state would still be whole.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const AGE: Duration = Duration::from_mins(1);

    fn read(count: &Arc<AtomicUsize>) -> impl Future<Output = Result<usize>> + Send + 'static + use<> {
        let count = Arc::clone(count);
        async move {
            tokio::task::yield_now().await;
            Ok(count.fetch_add(1, Ordering::SeqCst) + 1)
        }
    }

    #[tokio::test]
    async fn callers_at_the_same_time_share_one_read() {
        let (snapshot, count) = (Snapshot::new(), Arc::new(AtomicUsize::new(0)));
        let all = futures_util::future::join_all((0..50).map(|_| snapshot.get(AGE, || read(&count)))).await;
        assert!(all.into_iter().all(|answer| *answer.unwrap() == 1));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_write_drops_what_is_kept_and_what_is_under_way() {
        let (snapshot, count) = (Snapshot::new(), Arc::new(AtomicUsize::new(0)));
        let early = snapshot.get(AGE, || read(&count));
        let late = async {
            snapshot.forget();
            snapshot.get(AGE, || read(&count)).await
        };
        let (early, late) = futures_util::future::join(early, late).await;
        assert_eq!((*early.unwrap(), *late.unwrap()), (1, 2));
        assert_eq!(*snapshot.get(AGE, || read(&count)).await.unwrap(), 2, "the later answer is the one kept");
    }

    #[tokio::test]
    async fn an_abandoned_read_is_begun_anew() {
        let (snapshot, count) = (Snapshot::new(), Arc::new(AtomicUsize::new(0)));
        assert!(snapshot.get(AGE, std::future::pending::<Result<usize>>).now_or_never().is_none());
        assert_eq!(*snapshot.get(AGE, || read(&count)).await.unwrap(), 1);
    }
}
