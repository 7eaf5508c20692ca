//! Waiting for something that takes its time.

use std::time::Duration;

use tokio::time::Instant;

/// Pauses between looks at something that takes its time: short at first, then growing.
pub(crate) struct Pace {
    next: Duration,
    longest: Duration,
    deadline: Instant,
}

impl Pace {
    /// Looks end after `limit`.
    pub(crate) fn new(limit: Duration, longest: Duration) -> Self {
        Self { next: Duration::from_millis(200), longest, deadline: Instant::now() + limit }
    }

    /// Waits for the next look; `false` when the time is up.
    pub(crate) async fn wait(&mut self) -> bool {
        if Instant::now() >= self.deadline {
            return false;
        }
        tokio::time::sleep(self.next.mul_f64(0.75 + 0.5 * rand::random::<f64>())).await;
        self.next = self.next.mul_f64(1.5).min(self.longest);
        true
    }
}
