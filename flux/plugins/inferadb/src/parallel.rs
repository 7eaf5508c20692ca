//! Work on all cores.

use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

/// Asked once: the answer takes reading the limits of control groups.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(2, usize::from))
}

/// As many programs at once as there are cores, however many threads wait for one.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Slots { free: Mutex::new(cores()), freed: Condvar::new() }
    }

    /// Runs a job once there is a slot for it.
    pub(crate) fn run<R>(&self, job: impl FnOnce() -> R) -> R {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        drop(free);
        let slot = Slot(self);
        let result = job();
        drop(slot);
        result
    }
}

/// Given back where a job panics, too.
struct Slot<'s>(&'s Slots);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

/// Runs a job on each item itself, on more threads than there are cores: jobs wait for programs, the sooner the better.
pub(crate) fn on_each<T: Send>(items: &mut [T], job: impl Fn(&mut T) + Sync) {
    let threads = (4 * cores()).min(items.len());
    let left = Mutex::new(items.iter_mut());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(item) = next else { break };
                    job(item);
                }
            });
        }
    });
}

/// Runs a job for each item on as many threads as there are cores, and gives the results in order.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], job: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if let [item] = items {
        return vec![job(item)];
    }
    let next = Mutex::new(0);
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    let threads = cores().min(items.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let position = {
                        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
                        *next += 1;
                        *next - 1
                    };
                    let Some(item) = items.get(position) else { break };
                    let result = job(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((position, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(position, _)| *position);
    results.into_iter().map(|(_, result)| result).collect()
}
