//! How much the threads outside the shards may have under way at one shard.

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::room::{Place, Room};
#[cfg(all(test, loom))]
use super::sync::Fence;

/// A number of requests that may be under way, shared by all threads.
pub struct Budget {
    room: Arc<Room>,
}

impl Budget {
    /// Room for `total` requests.
    #[must_use]
    pub fn new(total: u32) -> Self {
        Self { room: Arc::new(Room::new(total)) }
    }

    /// One with a fence that a test may have left out.
    #[cfg(all(test, loom))]
    pub(super) fn with_fence(total: u32, fence: Fence) -> Self {
        Self { room: Arc::new(Room::with_fence(total, fence)) }
    }

    /// Room for one request; `None` while all of it is taken.
    #[must_use]
    pub fn try_take(&self) -> Option<Permit> {
        self.room.try_take(1).then(|| Permit { room: Arc::clone(&self.room) })
    }

    /// A place in line for one request.
    #[must_use]
    pub fn place(&self) -> PermitPlace {
        PermitPlace { place: Place::new(Arc::clone(&self.room), 1), room: Arc::clone(&self.room) }
    }

    /// Requests that may still be sent.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.room.left()
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget({} of {} left)", self.left(), self.room.total())
    }
}

/// Room for one request, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    room: Arc<Room>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.room.give_back(1);
    }
}

/// Somebody who waits for a [`Permit`].
#[derive(Debug)]
pub struct PermitPlace {
    place: Place,
    room: Arc<Room>,
}

impl PermitPlace {
    /// The permit once there is one, as [`Place::poll`].
    pub fn poll(&mut self, waker: &Waker) -> Poll<Permit> {
        self.place.poll(waker).map(|()| Permit { room: Arc::clone(&self.room) })
    }
}
