//! Waiting, as a future, for the engine to have room for a request.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Handle, Pending};
use crate::error::Error;
use crate::io::Slice;
use crate::mailbox::budget::PermitPlace;
use crate::request::Appended;
use crate::types::PartitionId;

/// An append that waits for room; see [`Handle::append_async`]. Ready with the request under way.
#[must_use = "a future does nothing until it is awaited"]
pub struct AppendRoom<'a> {
    handle: Handle,
    place: PermitPlace,
    partition: PartitionId,
    batch: &'a [u8],
}

impl<'a> AppendRoom<'a> {
    pub(super) fn new(handle: Handle, place: PermitPlace, partition: PartitionId, batch: &'a [u8]) -> Self {
        Self { handle, place, partition, batch }
    }
}

impl Future for AppendRoom<'_> {
    type Output = Result<Pending<Appended>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.place.poll(context.waker()).map(|permit| {
            let batch = Slice::copy_from(this.batch);
            Ok(this.handle.append_with(permit, this.partition, batch))
        })
    }
}

impl fmt::Debug for AppendRoom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppendRoom({}, {} bytes)", self.partition, self.batch.len())
    }
}
