//! A shard: everything one core owns, and the only way a service reaches the engine.

use crate::io::{Io, Op, Token};
use crate::request::Request;
use crate::types::ShardId;

/// One core's partitions, its way to the other shards, and its operations.
pub struct Shard<I: Io> {
    io: I,
    id: ShardId,
    shards: u16,
}

impl<I: Io> Shard<I> {
    /// Asks the shard that owns the partition (or the catalog). The reply reaches the service's `on_reply` with `tag`,
    /// never before this returns. Requests to one partition take effect in the order in which they are made.
    pub fn request(&mut self, tag: u64, request: Request) {
        let _ = (tag, request);
    }

    /// Starts an operation for the service; the completion reaches its `on_completion` with the same token, whose top
    /// bit must be 0.
    pub fn submit(&mut self, token: Token, op: Op<I::Fs>) {
        assert!(token.0 >> 63 == 0, "a service's tokens have 63 bits");
        self.io.submit(Token(token.0 | 1 << 63), op);
    }

    /// Clock, randomness and memory.
    pub fn io(&mut self) -> &mut I {
        &mut self.io
    }

    /// This shard's number.
    #[must_use]
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.shards
    }
}
