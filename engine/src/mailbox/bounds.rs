//! What bounds the records that are gathered for one partition.

use std::sync::Arc;

use super::room::Room;
use super::sync::{AtomicU32, Ordering};
use crate::batch::BatchError;
use crate::error::Error;

/// The room of all records that are not answered, and the size of a batch: the partition's answers correct that.
#[derive(Debug)]
pub struct Bounds {
    room: Arc<Room>,
    batch_bytes: AtomicU32,
}

impl Bounds {
    /// Room for records, and batches of at most `batch_bytes`.
    #[must_use]
    pub fn new(room: Arc<Room>, batch_bytes: usize) -> Self {
        Self { room, batch_bytes: AtomicU32::new(u32::try_from(batch_bytes).unwrap_or(u32::MAX)) }
    }

    /// What the records take up.
    #[must_use]
    pub fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// The largest batch, in bytes.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        self.batch_bytes.load(Ordering::Relaxed) as usize
    }

    /// The shard's: what a batch was answered. One that was too large was made when the topic took larger ones; those to come
    /// will be smaller. (A topic that takes larger ones again says so to nobody.)
    pub(super) fn learn<T>(&self, answer: &Result<T, Error>) {
        if let Err(Error::Batch(BatchError::TooLarge { max, .. })) = *answer
            && let Ok(max) = u32::try_from(max)
            && max < self.batch_bytes.load(Ordering::Relaxed)
        {
            self.batch_bytes.store(max, Ordering::Relaxed);
        }
    }
}
