//! Work on all cores.

use std::sync::{Condvar, Mutex, OnceLock, PoisonError, mpsc};
use std::thread::{JoinHandle, Scope};

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

type Job = Box<dyn FnOnce() + Send>;

/// Does what nobody waits for, in order; all of it is done where this is dropped.
#[derive(Default)]
pub(crate) struct Behind(OnceLock<(mpsc::Sender<Job>, JoinHandle<()>)>);

impl Behind {
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let (sender, _) = self.0.get_or_init(|| {
            let (sender, jobs) = mpsc::channel::<Job>();
            (sender, std::thread::spawn(move || jobs.into_iter().for_each(|job| job())))
        });
        if let Err(mpsc::SendError(job)) = sender.send(Box::new(job)) {
            job();
        }
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

/// Runs a job on each item, on so many threads for each core, and gives the results in order. More than one are for jobs that
/// wait for programs, the sooner the better.
pub(crate) fn on_each<T: Send, R: Send>(items: Vec<T>, threads_per_core: usize, job: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = (threads_per_core * cores()).min(items.len());
    run(threads, items.into_iter(), job)
}

/// Runs a job for each item on as many threads as there are cores, and gives the results in order.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], job: impl Fn(&T) -> R + Sync) -> Vec<R> {
    run(cores().min(items.len()), items.iter(), job)
}

/// The same for jobs so short that a thread is worth it only where it has so many to do.
pub(crate) fn in_parallel_where_many<T: Sync, R: Send>(items: &[T], many: usize, job: impl Fn(&T) -> R + Sync) -> Vec<R> {
    run(cores().min(items.len() / many.max(1)), items.iter(), job)
}

/// Runs jobs on so many threads, and gives their results in the order of the items.
fn run<T, R: Send>(threads: usize, items: impl Iterator<Item = T> + Send, job: impl Fn(T) -> R + Sync) -> Vec<R> {
    if threads < 2 {
        return items.map(job).collect();
    }
    let left = Mutex::new(items.enumerate());
    let results: Mutex<Vec<(usize, R)>> = Mutex::default();
    let work = || {
        loop {
            let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((position, item)) = next else { break };
            let result = job(item);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((position, result));
        }
    };
    std::thread::scope(|scope| start(scope, threads, &work));
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(position, _)| *position);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Starts a job on so many threads, this one among them. Each starts the next, as that takes a while.
fn start<'scope>(scope: &'scope Scope<'scope, '_>, threads: usize, job: &'scope (impl Fn() + Sync)) {
    if threads > 1 {
        scope.spawn(move || start(scope, threads - 1, job));
    }
    job();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        let expected: Vec<usize> = items.iter().map(|item| item * 2).collect();
        assert_eq!(in_parallel(&items, |item| item * 2), expected);
        assert_eq!(in_parallel_where_many(&items, 8, |item| item * 2), expected);
        assert_eq!(in_parallel_where_many(&items, 2000, |item| item * 2), expected);
        assert_eq!(on_each(items, 4, |item| item * 2), expected);
        assert!(on_each(Vec::new(), 1, |item: usize| item).is_empty());
    }

    #[test]
    fn what_nobody_waits_for_is_done_in_the_end_and_in_order() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let behind = Behind::default();
        for number in 0..100 {
            let done = Arc::clone(&done);
            behind.run(move || done.lock().unwrap_or_else(PoisonError::into_inner).push(number));
        }
        drop(behind);
        assert_eq!(*done.lock().unwrap_or_else(PoisonError::into_inner), (0..100).collect::<Vec<_>>());
    }
}
