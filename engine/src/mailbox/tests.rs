#![expect(clippy::disallowed_methods, reason = "the threads here play senders")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::*;

/// A wake-up as the seam promises it: one that comes before the sleep ends it at once.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
    wakes: AtomicUsize,
}

impl Bell {
    fn sleep(&self) {
        let rung = self.changed.wait_while(self.rung.lock().unwrap(), |rung| !*rung).unwrap();
        drop(rung);
        *self.rung.lock().unwrap() = false;
    }

    fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(&self) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

const SHARD: ShardId = ShardId::new(0);

fn one_mailbox<T: Send>(capacity: usize) -> (Peers<T>, Inbox<T>, Arc<Bell>) {
    let (peers, mut inboxes) = mailboxes(1, capacity);
    let mut inbox = inboxes.pop().unwrap();
    let bell = Arc::new(Bell::default());
    inbox.register(Arc::clone(&bell) as Arc<dyn Wake>);
    (peers, inbox, bell)
}

#[test]
fn a_sleeping_shard_misses_nothing_from_many_senders() {
    const SENDERS: usize = 4;
    const EACH: usize = 20_000;
    let (peers, mut inbox, bell) = one_mailbox::<(usize, usize)>(SENDERS * EACH);
    let mut next = [0; SENDERS];
    let mut tries = 0;
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let peers = peers.clone();
            scope.spawn(move || (0..EACH).for_each(|number| peers.send(SHARD, (sender, number))));
        }
        while next.iter().sum::<usize>() < SENDERS * EACH {
            while let Some((sender, number)) = inbox.pop() {
                assert_eq!(number, next[sender], "messages of one sender keep their order");
                next[sender] += 1;
            }
            if next.iter().sum::<usize>() < SENDERS * EACH {
                tries += 1;
                if inbox.try_sleep(|| false) {
                    bell.sleep();
                }
            }
            inbox.awake();
        }
    });
    assert!(bell.wakes() <= tries, "{} wakes for {tries} tries to sleep", bell.wakes());
}

#[test]
fn only_a_sleeper_is_woken_and_only_once() {
    let (peers, mut inbox, bell) = one_mailbox::<u32>(8);
    peers.send(SHARD, 1);
    assert_eq!(bell.wakes(), 0, "the shard is awake");
    assert!(!inbox.try_sleep(|| false), "a message lies there");
    assert_eq!(inbox.pop(), Some(1));
    assert!(inbox.try_sleep(|| false));
    peers.send(SHARD, 2);
    peers.send(SHARD, 3);
    assert_eq!(bell.wakes(), 1);
    inbox.awake();
    peers.send(SHARD, 4);
    peers.wake(SHARD);
    assert_eq!(bell.wakes(), 1);
}

#[test]
fn work_elsewhere_keeps_a_shard_awake_and_wakes_it() {
    let (peers, mut inbox, bell) = one_mailbox::<u32>(1);
    assert!(!inbox.try_sleep(|| true));
    peers.wake(SHARD);
    assert_eq!(bell.wakes(), 0, "it did not go to sleep");
    assert!(inbox.try_sleep(|| false));
    peers.wake(SHARD);
    assert_eq!(bell.wakes(), 1);
}

#[test]
fn a_message_sent_before_the_shard_starts_is_found() {
    let (peers, mut inboxes) = mailboxes(2, 1);
    peers.send(ShardId::new(1), 7);
    let mut inbox = inboxes.pop().unwrap();
    inbox.register(Arc::new(Bell::default()));
    assert!(!inbox.try_sleep(|| false));
    assert_eq!(inbox.pop(), Some(7));
}

#[test]
fn a_closed_mailbox_drops_what_lies_there_and_what_comes() {
    let (peers, inbox, _bell) = one_mailbox::<Arc<()>>(2);
    let mail = Arc::new(());
    peers.send(SHARD, Arc::clone(&mail));
    assert_eq!(Arc::strong_count(&mail), 2);
    drop(inbox);
    assert_eq!(Arc::strong_count(&mail), 1);
    for _ in 0..5 {
        peers.send(SHARD, Arc::clone(&mail));
        assert_eq!(Arc::strong_count(&mail), 1);
    }
}

#[test]
#[should_panic(expected = "reserved by a credit")]
fn sending_without_a_credit_is_found_out() {
    let (peers, _inbox, _bell) = one_mailbox(1);
    peers.send(SHARD, 1);
    peers.send(SHARD, 2);
}

#[test]
fn credits_run_out_per_shard_and_lane_and_come_back() {
    let (near, far) = (ShardId::new(1), ShardId::new(2));
    let mut credits = Credits::new(3);
    for _ in 0..Lane::Request.shard_credits() {
        assert!(credits.take(near, Lane::Request));
    }
    assert!(!credits.take(near, Lane::Request));
    assert_eq!(credits.left(near, Lane::Request), 0);
    assert!(credits.take(far, Lane::Request), "another shard has credits of its own");
    assert!(credits.take(near, Lane::Watch), "and so have watches");
    credits.put_back(near, Lane::Request);
    assert!(credits.take(near, Lane::Request));
}

#[test]
#[should_panic(expected = "was not made")]
fn a_reply_without_a_request_is_found_out() {
    Credits::new(2).put_back(ShardId::new(1), Lane::Request);
}

#[test]
fn a_mailbox_has_room_for_every_credit() {
    let shards = 3;
    let (peers, mut inboxes) = mail::open(shards);
    let mut inbox = inboxes.remove(0);
    inbox.register(Arc::new(Bell::default()));
    let per_lane = |lane: Lane| 2 * 2 * lane.shard_credits() + lane.handle_credits();
    let all = per_lane(Lane::Request) + per_lane(Lane::Watch) + 2 + crate::limits::APPENDERS_MAX;
    for version in 0..u64::from(all) {
        peers.send(SHARD, Mail::CatalogApplied { shard: ShardId::new(1), version });
    }
    assert_eq!(std::iter::from_fn(|| inbox.pop()).count(), all as usize);
}

/// Two shards that stop, and what wakes them.
fn two_that_stop() -> ([Inbox<()>; 2], [Arc<Bell>; 2]) {
    let (_, inboxes) = mailboxes(2, 1);
    let mut inboxes: [Inbox<()>; 2] = inboxes.try_into().unwrap_or_else(|_| unreachable!("there are two"));
    let bells = [(); 2].map(|()| Arc::new(Bell::default()));
    for (inbox, bell) in inboxes.iter_mut().zip(&bells) {
        inbox.register(Arc::clone(bell) as Arc<dyn Wake>);
        inbox.watch_others();
    }
    (inboxes, bells)
}

#[test]
fn the_last_shard_to_be_ready_wakes_the_others() {
    let ([mut first, mut last], bells) = two_that_stop();
    assert!(!first.leave_together(true));
    assert!(first.try_sleep(|| false));
    assert!(!last.leave_together(false));
    assert_eq!(bells[0].wakes(), 0);
    assert!(last.leave_together(true));
    assert_eq!(bells[0].wakes(), 1);
    assert!(!first.try_sleep(|| false), "it may leave");
    drop(last);
    assert!(first.leave_together(true), "also when the other has");
}

#[test]
fn a_shard_that_has_something_to_do_again_is_waited_for() {
    let ([mut first, mut last], _bells) = two_that_stop();
    assert!(!first.leave_together(true));
    assert!(!first.leave_together(true), "it counts once");
    assert!(!first.leave_together(false));
    assert!(!last.leave_together(true));
    assert!(last.try_sleep(|| false));
    assert!(first.leave_together(true) && last.leave_together(true));
}

#[test]
fn a_shard_that_fails_is_not_waited_for() {
    let ([mut first, last], bells) = two_that_stop();
    assert!(!first.leave_together(false), "it waits for an answer of the other");
    assert!(first.try_sleep(|| false));
    drop(last);
    assert_eq!(bells[0].wakes(), 1);
    assert!(!first.try_sleep(|| false), "it looks again what it waits for");
    first.watch_others();
    assert!(first.try_sleep(|| false));
    assert!(first.leave_together(true));
}

#[test]
fn a_shard_that_has_failed_before_is_not_waited_for() {
    let (peers, mut inboxes) = mailboxes::<()>(2, 1);
    let mut other = inboxes.remove(0);
    assert!(!peers.has_ended(ShardId::new(1)));
    drop(inboxes);
    assert!(peers.has_ended(ShardId::new(1)) && !peers.has_ended(SHARD));
    other.register(Arc::new(Bell::default()));
    assert!(other.try_sleep(|| false), "it does not stop yet");
    assert!(other.leave_together(true));
}
