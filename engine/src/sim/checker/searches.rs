//! What searches find.

use super::{Checker, Floor, Verdict};
use crate::types::PartitionId;

impl Checker {
    /// Somebody who asked for the largest timestamp when `floor` was known was told that its record is at `offset`, or, with
    /// −1, that there is none; every record of a run has a timestamp.
    pub fn newest_at(&mut self, partition: PartitionId, floor: Floor, offset: i64) -> Verdict {
        let limited = self.topics.get(&partition.topic).is_some_and(|topic| topic.limited);
        let start_max = self.partitions.get(&partition).map_or(0, |known| known.start_max);
        if offset == -1 && floor.end > start_max && !limited {
            return Err(format!(
                "{partition}: no record is the newest, but those from {start_max} to {} are there",
                floor.end
            ));
        }
        if offset < floor.start && offset != -1 {
            return Err(format!(
                "{partition}: record {offset} is the newest, but the log started at {} before",
                floor.start
            ));
        }
        Ok(())
    }
}
