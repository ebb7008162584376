//! One shard's right to send requests to the others.

use super::mail::Lane;
use crate::types::ShardId;

/// What one shard may still send to each of the others. A request takes a credit, which reserves the request's slot
/// there and its reply's slot here; the reply brings it back. Plain numbers, since one shard counts them alone.
#[derive(Debug)]
pub struct Credits {
    left: Box<[Left]>,
}

#[derive(Clone, Copy, Debug)]
struct Left {
    requests: u32,
    watches: u32,
}

impl Credits {
    /// All credits, for a shard among `shards`.
    #[must_use]
    pub fn new(shards: u16) -> Self {
        let all = Left { requests: Lane::Request.shard_credits(), watches: Lane::Watch.shard_credits() };
        Self { left: vec![all; usize::from(shards)].into() }
    }

    /// Takes a credit for one request to `to`; false while all are under way.
    #[must_use]
    pub fn take(&mut self, to: ShardId, lane: Lane) -> bool {
        let left = self.lane(to, lane);
        let taken = *left > 0;
        *left -= u32::from(taken);
        taken
    }

    /// Puts back the credit of a request that `from` has answered.
    pub fn put_back(&mut self, from: ShardId, lane: Lane) {
        let left = self.lane(from, lane);
        *left += 1;
        assert!(*left <= lane.shard_credits(), "shard {from} answered a request that was not made");
    }

    /// Requests that may still be sent to `to`.
    #[must_use]
    pub fn left(&self, to: ShardId, lane: Lane) -> u32 {
        let left = &self.left[usize::from(to.value())];
        match lane {
            Lane::Request => left.requests,
            Lane::Watch => left.watches,
        }
    }

    /// Whether a request to `to` is under way.
    #[must_use]
    pub fn has_asked(&self, to: ShardId) -> bool {
        [Lane::Request, Lane::Watch].into_iter().any(|lane| self.left(to, lane) < lane.shard_credits())
    }

    fn lane(&mut self, shard: ShardId, lane: Lane) -> &mut u32 {
        let left = &mut self.left[usize::from(shard.value())];
        match lane {
            Lane::Request => &mut left.requests,
            Lane::Watch => &mut left.watches,
        }
    }
}
