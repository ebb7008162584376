//! Helper threads: where a shard's blocking work runs, so that the shard itself never blocks.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use crossbeam_queue::SegQueue;

use super::thread::Untied;
use super::{Completion, Fs, Job, Returned, Token, Wake};

/// Threads of one shard. Its jobs are few (allocating ahead, renaming, checkpoints); the second thread lets a short
/// one pass a long one.
const THREADS_MAX: usize = 2;

/// One shard's helper threads. None exists before the first job; dropping this drops jobs that have not begun and waits
/// for those that have.
pub(super) struct Helpers<F: Fs> {
    fs: F,
    name: String,
    shared: Arc<Shared<F>>,
    threads: Vec<JoinHandle<()>>,
    /// Jobs whose completion was not collected yet.
    outstanding: usize,
}

struct Shared<F: Fs> {
    queue: Mutex<Queue<F>>,
    arrived: Condvar,
    results: SegQueue<(Token, io::Result<u64>)>,
    waker: Arc<dyn Wake>,
}

struct Queue<F: Fs> {
    jobs: VecDeque<(Token, Job<F>)>,
    /// Threads that wait for a job.
    idle: usize,
    closing: bool,
}

impl<F: Fs> Helpers<F> {
    /// No threads yet; those to come are called `name`, and results rouse `waker`.
    pub(super) fn new(fs: F, name: String, waker: Arc<dyn Wake>) -> Self {
        let queue = Mutex::new(Queue { jobs: VecDeque::new(), idle: 0, closing: false });
        let shared = Arc::new(Shared { queue, arrived: Condvar::new(), results: SegQueue::new(), waker });
        Self { fs, name, shared, threads: Vec::new(), outstanding: 0 }
    }

    /// Queues a job.
    pub(super) fn start(&mut self, token: Token, job: Job<F>) {
        self.outstanding += 1;
        let wants_thread = {
            let mut queue = self.shared.lock();
            queue.jobs.push_back((token, job));
            queue.jobs.len() > queue.idle
        };
        self.shared.arrived.notify_one();
        if wants_thread
            && self.threads.len() < THREADS_MAX
            && let Err(error) = self.add_thread()
        {
            self.refuse_jobs(&error);
        }
    }

    /// Whether results wait to be collected.
    pub(super) fn has_results(&self) -> bool {
        self.outstanding > 0 && !self.shared.results.is_empty()
    }

    /// Appends the results that have arrived.
    pub(super) fn collect(&mut self, completions: &mut Vec<Completion>) {
        while self.outstanding > 0
            && let Some((token, result)) = self.shared.results.pop()
        {
            self.outstanding -= 1;
            completions.push(Completion { token, result, returned: Returned::Nothing });
        }
    }

    #[expect(clippy::disallowed_methods, reason = "inside the seam")]
    fn add_thread(&mut self) -> io::Result<()> {
        let fs = self.fs.clone();
        let shared = Arc::clone(&self.shared);
        let untied = Untied::of_this_thread();
        let thread = std::thread::Builder::new().name(self.name.clone()).spawn(move || {
            untied.apply();
            shared.run_jobs(&fs);
        })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Without a single thread nobody would ever run what is queued: it fails instead.
    fn refuse_jobs(&self, error: &io::Error) {
        if !self.threads.is_empty() {
            return;
        }
        for (token, _) in self.shared.lock().jobs.drain(..) {
            let why = format!("cannot start a helper thread: {error}");
            self.shared.results.push((token, Err(io::Error::new(error.kind(), why))));
        }
        self.shared.waker.wake();
    }
}

impl<F: Fs> Shared<F> {
    fn lock(&self) -> MutexGuard<'_, Queue<F>> {
        self.queue.lock().expect("nothing that can panic runs under this lock")
    }

    fn run_jobs(&self, fs: &F) {
        while let Some((token, job)) = self.next() {
            // A job that panics (where panics unwind) still owes its completion.
            let result = catch_unwind(AssertUnwindSafe(|| job(fs)))
                .unwrap_or_else(|_| Err(io::Error::other("a helper job panicked")));
            self.results.push((token, result));
            self.waker.wake();
        }
    }

    fn next(&self) -> Option<(Token, Job<F>)> {
        let mut queue = self.lock();
        loop {
            if queue.closing {
                return None;
            }
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            queue.idle += 1;
            queue = self.arrived.wait(queue).expect("nothing that can panic runs under this lock");
            queue.idle -= 1;
        }
    }
}

impl<F: Fs> Drop for Helpers<F> {
    fn drop(&mut self) {
        let not_begun = {
            let mut queue = self.shared.lock();
            queue.closing = true;
            mem::take(&mut queue.jobs)
        };
        // Outside the lock, since jobs own values whose drop may do anything.
        drop(not_begun);
        self.shared.arrived.notify_all();
        for thread in self.threads.drain(..) {
            // It caught its jobs' panics, so it has none of its own to report.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
