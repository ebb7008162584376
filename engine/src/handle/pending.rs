//! A request under way.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::error::Error;
use crate::io::ring::now;
use crate::mailbox::completion::Completion;
use crate::mailbox::is_shard_thread;
use crate::request::Reply;

/// Takes what was asked for out of its reply.
type ReadReply<T> = Box<dyn FnOnce(Reply) -> Result<T, Error> + Send>;

/// The answer to a request, now or later: block for it with [`Pending::wait`], await it, or drop it, which leaves the
/// request to take its course.
///
/// As a future it belongs to no runtime: the engine wakes its task from the shard's thread. It must not be polled
/// again after it was ready.
#[must_use = "the request takes its course, but nobody learns whether it failed"]
pub struct Pending<T> {
    completion: Completion,
    /// Until the answer was there. Closures that capture nothing cost no allocation.
    read: Option<ReadReply<T>>,
}

impl<T> Pending<T> {
    pub(super) fn new(
        completion: Completion,
        read: impl FnOnce(Reply) -> Result<T, Error> + Send + 'static,
    ) -> Self {
        Self { completion, read: Some(Box::new(read)) }
    }

    /// Whether the answer is there, so that [`Pending::wait`] returns at once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.completion.is_ready()
    }

    /// Blocks until the answer is there.
    ///
    /// # Errors
    /// [`Error::WouldDeadlock`] on a shard's own thread where the answer is not there yet; [`Error::Stopped`] if the
    /// engine ended without answering; else the request's own.
    pub fn wait(mut self) -> Result<T, Error> {
        if is_shard_thread() && !self.is_ready() {
            return Err(Error::WouldDeadlock);
        }
        block_on(|waker| self.poll_with(waker))
    }

    /// Blocks until the answer is there, or until the time is up: then it is `None`, the request takes its course, and it
    /// may be waited for again. Once the answer is there it must not be.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<T, Error>> {
        if is_shard_thread() && !self.is_ready() {
            return Some(Err(Error::WouldDeadlock));
        }
        block_on_for(timeout, |waker| self.poll_with(waker))
    }

    pub(super) fn poll_with(&mut self, waker: &Waker) -> Poll<Result<T, Error>> {
        self.completion.poll(waker).map(|reply| {
            let read = self.read.take().expect("a future is not polled again after it was ready");
            reply.map_or(Err(Error::Stopped), read)
        })
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_with(context.waker())
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending({})", if self.is_ready() { "ready" } else { "under way" })
    }
}

/// Blocks this thread, which must not be a shard's, until `poll` is ready.
pub(super) fn block_on<T>(mut poll: impl FnMut(&Waker) -> Poll<T>) -> T {
    let waker = this_thread();
    loop {
        match poll(&waker) {
            Poll::Ready(output) => return output,
            // Wakes that were meant for something else end it too; the loop looks again.
            Poll::Pending => thread::park(),
        }
    }
}

/// The same until the time is up at the latest, which is looked at after `poll`.
pub(super) fn block_on_for<T>(timeout: Duration, mut poll: impl FnMut(&Waker) -> Poll<T>) -> Option<T> {
    let waker = this_thread();
    // A handle is only ever waited for on this machine: no simulated time passes here.
    let until = now().plus(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
    loop {
        if let Poll::Ready(output) = poll(&waker) {
            return Some(output);
        }
        let left = until.since(now());
        if left == 0 {
            return None;
        }
        thread::park_timeout(Duration::from_nanos(left));
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker that ends this thread's `park`.
fn this_thread() -> Waker {
    thread_local! {
        static UNPARK: Waker = new();
    }
    fn new() -> Waker {
        Waker::from(Arc::new(Unpark(thread::current())))
    }
    // A thread that is ending has no thread-local values any more, but may still wait.
    UNPARK.try_with(Waker::clone).unwrap_or_else(|_| new())
}
