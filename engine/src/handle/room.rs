//! Waiting for the engine to have room for a request.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use super::pending::{block_on, block_on_for};
use super::{Handle, Pending};
use crate::error::Error;
use crate::mailbox::budget::{Budget, Permit, PermitPlace};
use crate::mailbox::{Lane, is_shard_thread};
use crate::types::ShardId;

/// A request that waits for room; see [`Handle::when_room`]. Ready with the request under way.
#[must_use = "nothing is asked for until it is awaited or waited for"]
pub struct WhenRoom<F> {
    /// What the request is made through: it has a turn.
    handle: Handle,
    request: F,
}

impl<F> WhenRoom<F> {
    pub(super) fn new(handle: &Handle, request: F) -> Self {
        let turn = Some(Box::new(Mutex::new(Turn::Begun)));
        Self { handle: Handle { inner: Arc::clone(&handle.inner), turn }, request }
    }

    fn turn(&mut self) -> &mut Turn {
        let turn = self.handle.turn.as_mut().expect("it was made with one");
        turn.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, F: FnMut(&Handle) -> Result<Pending<T>, Error>> WhenRoom<F> {
    /// Blocks until the request is made. It does not wait for the answer.
    ///
    /// # Errors
    /// At once [`Error::WouldDeadlock`] on a shard's own thread; else the request's own.
    pub fn wait(mut self) -> Result<Pending<T>, Error> {
        if is_shard_thread() {
            return Err(Error::WouldDeadlock);
        }
        block_on(|waker| self.poll_with(waker))
    }

    /// [`WhenRoom::wait`] for no longer than this.
    ///
    /// # Errors
    /// As [`WhenRoom::wait`], and [`Error::Busy`] where there was no room in that time: nothing was asked for.
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<Pending<T>, Error> {
        if is_shard_thread() {
            return Err(Error::WouldDeadlock);
        }
        block_on_for(timeout, |waker| self.poll_with(waker)).unwrap_or(Err(Error::Busy))
    }

    fn poll_with(&mut self, waker: &Waker) -> Poll<Result<Pending<T>, Error>> {
        loop {
            ready!(self.turn().poll(waker));
            let asked = (self.request)(&self.handle);
            // Any other request that was busy has waited for nothing: it was made through another handle, or second.
            let waits = matches!(asked, Err(Error::Busy)) && matches!(self.turn(), Turn::InLine(..));
            if !waits {
                return Poll::Ready(asked);
            }
        }
    }
}

impl<T, F: FnMut(&Handle) -> Result<Pending<T>, Error> + Unpin> Future for WhenRoom<F> {
    type Output = Result<Pending<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_with(context.waker())
    }
}

impl<F> fmt::Debug for WhenRoom<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WhenRoom({:?})", self.handle)
    }
}

/// How far a request has come that may wait for room.
pub(super) enum Turn {
    /// It was not made yet.
    Begun,
    /// There was no room for it.
    InLine((ShardId, Lane), PermitPlace),
    /// There is now, and it is its own.
    HasRoom((ShardId, Lane), Permit),
    /// It was made. Whatever is asked for through the same handle afterwards waits no more: it would be made again with it.
    Made,
}

impl Turn {
    /// Room for a request, or a place in line.
    pub(super) fn take(&mut self, at: (ShardId, Lane), budget: &Budget) -> Result<Permit, Error> {
        let permit = match std::mem::replace(self, Self::Made) {
            Self::Made => return budget.try_take().ok_or(Error::Busy),
            Self::HasRoom(known, permit) if known == at => Some(permit),
            _ => budget.try_take(),
        };
        permit.ok_or_else(|| {
            *self = Self::InLine(at, budget.place());
            Error::Busy
        })
    }

    /// Ready when it is worth asking.
    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        if let Self::InLine(at, place) = self {
            let permit = ready!(place.poll(waker));
            *self = Self::HasRoom(*at, permit);
        }
        Poll::Ready(())
    }
}
