//! Messages between cores: a bounded queue per shard, and the protocol by which a sleeping shard is woken.
//!
//! Sending never blocks and never fails. Every message takes a slot that was reserved before: a request by one of its
//! sender's [`Credits`], its reply by the same credit, which comes back with the reply; an embedding service's request
//! by its [budget](budget::Budget), gathered records by a permit that their [gatherer](gather) keeps. A mailbox has room for
//! all of them together ([`mail::open`]), so a full one is a bug and asserted.
//!
//! Going to sleep and sending are each other's mirror image: the shard stores "asleep" and then looks at its queue,
//! the sender puts its message there and then looks for "asleep", each with a sequentially consistent fence between.
//! Whatever the order, one of the two sees the other, so no message waits for a shard that sleeps; and a shard that is
//! awake is never woken, which saves the system call. loom runs this very code through every order (`loom_tests`).
//!
//! Messages from one sender arrive in the order in which they were sent.

pub mod bounds;
pub mod budget;
pub mod completion;
mod credits;
mod doorbell;
pub mod gather;
pub mod group;
pub mod mail;
pub mod room;
mod shard_thread;
mod sync;
mod waking;

use std::sync::Arc;

pub use completion::Completer;
pub use credits::Credits;
pub use mail::{Lane, Mail, ReplyTo};
pub use shard_thread::{is_shard_thread, mark_shard_thread};

use crate::io::Wake;
use crate::types::ShardId;
use doorbell::{Doorbell, Rung};
use sync::Queue;

/// One shard's queue with its doorbell.
struct Mailbox<T> {
    queue: Queue<T>,
    doorbell: Doorbell,
}

impl<T> Mailbox<T> {
    fn new(capacity: usize) -> Self {
        Self { queue: Queue::new(capacity), doorbell: Doorbell::default() }
    }

    fn send(&self, mail: T) {
        let fits = self.queue.push(mail).is_ok();
        assert!(fits, "a mailbox is full, though each message's slot is reserved by a credit");
        self.ring();
    }

    fn ring(&self) {
        match self.doorbell.ring() {
            Rung::Open => {}
            // Nobody reads here any more: what lies here is dropped, whoever put it there.
            Rung::Closed => self.clear(),
        }
    }

    fn clear(&self) {
        while let Some(mail) = self.queue.pop() {
            drop(mail);
        }
    }
}

/// Mailboxes for `shards` shards, each with room for `capacity` messages: what everybody sends by, and the receiving
/// ends in the order of the shards' numbers.
#[must_use]
pub fn mailboxes<T: Send>(shards: u16, capacity: usize) -> (Peers<T>, Vec<Inbox<T>>) {
    let boxes: Arc<[Mailbox<T>]> = (0..shards).map(|_| Mailbox::new(capacity)).collect();
    let inboxes = (0..usize::from(shards)).map(|index| Inbox { boxes: Arc::clone(&boxes), index }).collect();
    (Peers { boxes }, inboxes)
}

/// The sending ends of all mailboxes; cloning shares them.
pub struct Peers<T> {
    boxes: Arc<[Mailbox<T>]>,
}

impl<T: Send> Peers<T> {
    /// Puts `mail` into a shard's mailbox and wakes the shard if it sleeps. A shard that has ended drops it.
    ///
    /// The caller holds the credit for its slot; without one the mailbox may be full, which panics.
    pub fn send(&self, to: ShardId, mail: T) {
        self.mailbox(to).send(mail);
    }

    /// Wakes a shard if it sleeps, for something left to it elsewhere (what its `has_work` looks at, see
    /// [`Inbox::try_sleep`]).
    pub fn wake(&self, shard: ShardId) {
        self.mailbox(shard).ring();
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u16 {
        u16::try_from(self.boxes.len()).expect("made for a u16 of shards")
    }

    fn mailbox(&self, shard: ShardId) -> &Mailbox<T> {
        &self.boxes[usize::from(shard.value())]
    }
}

impl<T> Clone for Peers<T> {
    fn clone(&self) -> Self {
        Self { boxes: Arc::clone(&self.boxes) }
    }
}

/// The receiving end of one shard's mailbox, held by the shard alone. Dropping it closes the mailbox: what lies there
/// and what comes later is dropped, so that nobody waits for an answer to it.
pub struct Inbox<T> {
    boxes: Arc<[Mailbox<T>]>,
    index: usize,
}

impl<T> Inbox<T> {
    /// Says how the shard is woken: once, before its first [`Inbox::try_sleep`].
    pub fn register(&mut self, waker: Arc<dyn Wake>) {
        self.mailbox().doorbell.register(waker);
    }

    /// The next message.
    pub fn pop(&mut self) -> Option<T> {
        self.mailbox().queue.pop()
    }

    /// How many messages lie here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mailbox().queue.len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mailbox().queue.is_empty()
    }

    /// Whether the shard may sleep: no message lies here, and `has_work` has found nothing elsewhere either. It is
    /// asked after the shard has made itself known as asleep, so who leaves something for it and calls
    /// [`Peers::wake`] afterwards is never missed.
    ///
    /// After true, every sender wakes the shard until it calls [`Inbox::awake`].
    #[must_use]
    pub fn try_sleep(&mut self, has_work: impl FnOnce() -> bool) -> bool {
        let mailbox = self.mailbox();
        mailbox.doorbell.try_sleep(|| mailbox.queue.is_empty() && !has_work())
    }

    /// The shard has woken up, for whatever reason: senders leave their messages without waking it. To be called
    /// before looking at the messages.
    pub fn awake(&mut self) {
        self.mailbox().doorbell.awake();
    }

    fn mailbox(&self) -> &Mailbox<T> {
        &self.boxes[self.index]
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        self.mailbox().doorbell.close();
        self.mailbox().clear();
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
