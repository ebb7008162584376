//! Moving the log's start: because somebody asks for it (Kafka's DeleteRecords), or because of retention.

use super::{Context, Partition};
use crate::error::Error;
use crate::io::Fs;
use crate::mailbox::ReplyTo;
use crate::request::Reply;
use crate::sim::plant::{Plant, planted};
use crate::types::Offset;

/// Somebody waits for the start to be at an offset, or behind it.
pub(super) struct Deletion {
    before: Offset,
    from: ReplyTo,
}

impl Partition {
    /// Moves the log's start to `before`, at most the visible end. Answered when that is durable.
    pub fn delete_records<F: Fs>(&mut self, from: ReplyTo, before: Offset, cx: &mut Context<'_, F>) {
        if let Some(why) = self.log.failure() {
            let error = Error::Storage(why.to_owned());
            cx.replies.push((from, Reply::DeleteRecords(Err(error))));
            return;
        }
        let (start, end) = (self.log.start_offset(), self.log.visible_upto());
        if before > end || before < Offset::ZERO {
            cx.replies.push((from, Reply::DeleteRecords(Err(Error::OffsetOutOfRange { start, end }))));
            return;
        }
        self.deletions.push(Deletion { before, from });
        if planted(Plant::LogStartNotStored) {
            self.log.start_stored(before);
        }
        self.answer_deletions(cx);
        self.log.remove_again();
        self.go_on_deleting(cx);
    }

    /// Does what the log's progress allows.
    pub(super) fn go_on_deleting<F: Fs>(&mut self, cx: &mut Context<'_, F>) {
        if !self.deletions.is_empty() {
            self.move_start(cx);
        }
        if self.log.has_leaving() {
            let reads = &self.reads;
            self.log.retire(|file| reads.are_of(file), cx.wanted);
        }
    }

    /// Has the next checkpoint move the start as far as the log is durable, and the log flushed where that is not far
    /// enough: with `flush.messages` other than 1 more may be visible.
    fn move_start<F>(&mut self, cx: &mut Context<'_, F>) {
        let (_, durable) = self.log.durable();
        let asked = self.deletions.iter().map(|deletion| deletion.before);
        if let Some(upto) = asked.clone().filter(|before| *before <= durable).max() {
            *cx.start_moves |= self.log.want_start(upto);
        }
        if asked.max().is_some_and(|furthest| furthest > durable) {
            self.log.want_flush();
        }
    }

    /// Deletes what retention keeps no longer. Says whether that gives a helper something to do.
    pub fn retain<F: Fs>(&mut self, cx: &mut Context<'_, F>) -> bool {
        if self.closed {
            return false;
        }
        let wanted = cx.wanted.len();
        let moves = self.log.retain(cx.unix_millis, cx.wanted);
        *cx.start_moves |= moves;
        self.go_on_deleting(cx);
        moves || cx.wanted.len() > wanted
    }

    /// A checkpoint that moves the start to `start` is on the disk.
    pub fn start_stored<F: Fs>(&mut self, start: Offset, cx: &mut Context<'_, F>) {
        self.log.start_stored(start);
        self.log.bring_successor(cx.wanted);
        self.answer_deletions(cx);
        self.go_on_deleting(cx);
    }

    /// That checkpoint could not be written.
    pub fn start_not_stored<F>(&mut self, start: Offset, error: &Error, cx: &mut Context<'_, F>) {
        self.log.start_not_stored();
        for deletion in self.deletions.extract_if(.., |deletion| deletion.before <= start) {
            cx.replies.push((deletion.from, Reply::DeleteRecords(Err(error.clone()))));
        }
    }

    fn answer_deletions<F>(&mut self, cx: &mut Context<'_, F>) {
        let start = self.log.start_offset();
        for deletion in self.deletions.extract_if(.., |deletion| deletion.before <= start) {
            cx.replies.push((deletion.from, Reply::DeleteRecords(Ok(start))));
        }
    }

    pub(super) fn refuse_deletions<F>(&mut self, error: &Error, cx: &mut Context<'_, F>) {
        for deletion in self.deletions.drain(..) {
            cx.replies.push((deletion.from, Reply::DeleteRecords(Err(error.clone()))));
        }
    }
}
