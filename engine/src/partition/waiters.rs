//! Who waits for a partition: appends for their acknowledgement, readers for something new.

use std::collections::VecDeque;

use crate::error::Error;
use crate::mailbox::ReplyTo;
use crate::request::{Appended, Reply};
use crate::types::{Nanos, Offset, Position};

/// An append that is not acknowledged yet.
pub struct Waiter {
    /// Where its batch ends.
    pub end: Position,
    /// Whom to tell.
    pub from: ReplyTo,
    /// What to tell.
    pub appended: Appended,
}

/// A reader that has seen everything.
pub struct Watcher {
    /// The visible end it has seen.
    pub end: Offset,
    /// When it gives up.
    pub until: Nanos,
    /// Whom to tell.
    pub from: ReplyTo,
}

/// Everybody who waits for one partition.
#[derive(Default)]
pub struct Waiters {
    /// By end; appends come in that order, only duplicates join in the middle.
    appends: VecDeque<Waiter>,
    watchers: Vec<Watcher>,
}

impl Waiters {
    /// Adds an append, behind those that end where it ends.
    pub fn push(&mut self, waiter: Waiter) {
        if self.appends.back().is_none_or(|last| last.end <= waiter.end) {
            self.appends.push_back(waiter);
            return;
        }
        let at = self.appends.partition_point(|earlier| earlier.end <= waiter.end);
        self.appends.insert(at, waiter);
    }

    /// Answers the appends that end at or before `position`.
    pub fn acknowledge(&mut self, position: Position, replies: &mut Vec<(ReplyTo, Reply)>) {
        while let Some(first) = self.appends.pop_front() {
            if first.end > position {
                self.appends.push_front(first);
                return;
            }
            replies.push((first.from, Reply::Append(Ok(first.appended))));
        }
    }

    /// Whether no append waits.
    pub fn is_acknowledged(&self) -> bool {
        self.appends.is_empty()
    }

    /// Adds a reader.
    pub fn watch(&mut self, watcher: Watcher) {
        self.watchers.push(watcher);
    }

    /// Answers the readers that have not seen `visible`.
    pub fn rouse(&mut self, visible: Offset, replies: &mut Vec<(ReplyTo, Reply)>) {
        for watcher in self.watchers.extract_if(.., |watcher| watcher.end < visible) {
            replies.push((watcher.from, Reply::Watch(true)));
        }
    }

    /// Answers the readers whose time is up.
    pub fn expire(&mut self, now: Nanos, replies: &mut Vec<(ReplyTo, Reply)>) {
        for watcher in self.watchers.extract_if(.., |watcher| watcher.until <= now) {
            replies.push((watcher.from, Reply::Watch(false)));
        }
    }

    /// Answers everybody: nothing more will come.
    pub fn fail_all(&mut self, error: &Error, replies: &mut Vec<(ReplyTo, Reply)>) {
        for waiter in self.appends.drain(..) {
            replies.push((waiter.from, Reply::Append(Err(error.clone()))));
        }
        for watcher in self.watchers.drain(..) {
            replies.push((watcher.from, Reply::Watch(true)));
        }
    }
}
