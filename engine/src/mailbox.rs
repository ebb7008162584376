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
mod leaving;
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
use leaving::Leaving;
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
    let leaving = Arc::new(Leaving::new(shards));
    let inbox = |index| Inbox::new(Arc::clone(&boxes), index, Arc::clone(&leaving));
    let inboxes = (0..usize::from(shards)).map(inbox).collect();
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

    /// Whether a shard has ended: nothing is answered there any more.
    #[must_use]
    pub fn has_ended(&self, shard: ShardId) -> bool {
        self.mailbox(shard).doorbell.is_closed()
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
/// and what comes later is dropped, so that nobody waits for an answer to it. The other shards do not wait for one that has
/// ended so, either.
pub struct Inbox<T> {
    boxes: Arc<[Mailbox<T>]>,
    index: usize,
    leaving: Arc<Leaving>,
    /// Whether it is counted there as ready.
    ready: bool,
    /// How many shards were gone when the shard looked last; `None` where it has not, since it does not stop.
    gone: Option<u32>,
}

impl<T> Inbox<T> {
    fn new(boxes: Arc<[Mailbox<T>]>, index: usize, leaving: Arc<Leaving>) -> Self {
        Self { boxes, index, leaving, ready: false, gone: None }
    }

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
        mailbox.doorbell.try_sleep(|| mailbox.queue.is_empty() && !has_work() && !self.others_have_left())
    }

    /// A shard that stops is about to see what it still waits for: it is woken for each shard that ends from now on without
    /// having been ready ([`Peers::has_ended`]).
    pub fn watch_others(&mut self) {
        self.gone = Some(self.leaving.gone());
    }

    /// A shard that stops says whether it is ready to end: it has nothing left to do, and waits for no other's answer. Answers
    /// whether none has, so that it may end. It is woken when that comes, and may say otherwise until then.
    pub fn leave_together(&mut self, ready: bool) -> bool {
        if std::mem::replace(&mut self.ready, ready) != ready {
            if !ready {
                self.leaving.take_off();
            } else if self.leaving.add() {
                self.wake_others();
            }
        }
        ready && self.leaving.are_all()
    }

    /// Whether the others' ends have brought something to do.
    fn others_have_left(&self) -> bool {
        (self.ready && self.leaving.are_all()) || self.gone.is_some_and(|gone| gone != self.leaving.gone())
    }

    fn wake_others(&self) {
        let others = self.boxes.iter().enumerate().filter(|(index, _)| *index != self.index);
        others.for_each(|(_, mailbox)| mailbox.ring());
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
        if !self.ready {
            self.leaving.lose();
            self.wake_others();
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
