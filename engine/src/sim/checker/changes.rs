//! What is changed about topics while they are used.

use super::{Checker, Topic};
use crate::types::TopicId;

impl Topic {
    /// Whether it may turn out to have so many partitions: whether an unanswered wish came true is decided by a start.
    pub(super) fn may_have(&self, partitions: i32) -> bool {
        (self.partitions..=self.partitions_max).contains(&partitions)
    }

    /// It has so many.
    pub(super) fn has(&mut self, partitions: i32) {
        (self.partitions, self.partitions_max) = (partitions, partitions);
    }
}

impl Checker {
    /// A client asks for another retention, or has the segments roll at other times: logs' starts may move by themselves
    /// from now on.
    pub fn limit(&mut self, id: TopicId) {
        self.topic(id).limited = true;
    }

    /// A client asks for one partition more, and is told how many that makes; `None` while an earlier wish has no answer.
    pub fn grow(&mut self, id: TopicId) -> Option<i32> {
        let topic = self.topic(id);
        if topic.partitions_max > topic.partitions {
            return None;
        }
        topic.partitions_max += 1;
        Some(topic.partitions_max)
    }

    /// It has got it.
    pub fn grown(&mut self, id: TopicId, partitions: i32) {
        self.topic(id).has(partitions);
    }

    /// It hasn't got it and never will.
    pub fn not_grown(&mut self, id: TopicId) {
        let topic = self.topic(id);
        topic.partitions_max = topic.partitions;
    }
}
