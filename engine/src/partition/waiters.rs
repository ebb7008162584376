//! Who waits for a partition: appends for their acknowledgement, readers for something new.

use std::collections::VecDeque;

use crate::error::Error;
use crate::limits;
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

    /// Answers the readers whose time is up, and those who are gone, whose room is others' then. Says when to look at the rest.
    pub fn expire(&mut self, now: Nanos, replies: &mut Vec<(ReplyTo, Reply)>) -> Option<Nanos> {
        let look = now.plus_millis(limits::WATCH_LOOK_MS);
        let mut next: Option<Nanos> = None;
        let is_over = |watcher: &mut Watcher| {
            let Watcher { until, from, .. } = watcher;
            if *until <= now || from.is_abandoned() {
                return true;
            }
            let at = if from.may_be_abandoned() { look.min(*until) } else { *until };
            next = Some(next.map_or(at, |next| next.min(at)));
            false
        };
        for watcher in self.watchers.extract_if(.., is_over) {
            replies.push((watcher.from, Reply::Watch(false)));
        }
        next
    }

    /// The engine stops: answers the shards' readers, which go on to read what there is. Those outside learn that it has
    /// stopped, since neither their time is up nor has anything come.
    pub fn stop_watching(&mut self, replies: &mut Vec<(ReplyTo, Reply)>) {
        for Watcher { from, .. } in self.watchers.drain(..) {
            match from {
                ReplyTo::Shard { .. } => replies.push((from, Reply::Watch(false))),
                // Dropping it says so.
                ReplyTo::Handle(_) | ReplyTo::Group(_) => drop(from),
            }
        }
    }

    /// Forgets the readers who are gone.
    pub fn forget_abandoned(&mut self) {
        self.watchers.retain(|watcher| !watcher.from.is_abandoned());
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
