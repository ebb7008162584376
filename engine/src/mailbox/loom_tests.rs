//! The mailbox under loom: every order of the threads and every value that the memory model lets a load see.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p tora-engine --release --lib loom`, with a target directory of its own. The code
//! under test is the real one; what stands below it is modelled (`sync::model`), and here the eventfd that a shard
//! sleeps on. A lost wake-up leaves the sleeper asleep for good, which loom reports as a deadlock.

use std::sync::atomic::AtomicUsize as Counter;
use std::task::{Poll, Waker};

use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::bounds::Bounds;
use super::budget::Budget;
use super::completion::completion;
use super::gather::{Gathered, Gatherer};
use super::group::{Group, GroupCompleter, GroupRecord};
use super::room::Room;
use super::sync::{Fence, Ordering};
use super::*;
use crate::batch::BatchHeader;
use crate::request::{Appended, Reply};
use crate::types::{Offset, PartitionId, TopicId};

const SHARD: ShardId = ShardId::new(0);

/// An eventfd: a wake adds to its count, a sleep waits until that is not 0 and takes it.
struct EventFd {
    count: Mutex<u64>,
    changed: Condvar,
    /// Not loom's: it counts and must not order anything.
    wakes: Counter,
}

impl EventFd {
    fn new() -> Arc<Self> {
        Arc::new(Self { count: Mutex::new(0), changed: Condvar::new(), wakes: Counter::new(0) })
    }

    fn sleep(&self) {
        let mut count = self.count.lock().unwrap();
        while *count == 0 {
            count = self.changed.wait(count).unwrap();
        }
        *count = 0;
    }

    fn ring(&self) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        *self.count.lock().unwrap() += 1;
        self.changed.notify_one();
    }
}

impl Wake for EventFd {
    fn wake(&self) {
        self.ring();
    }
}

impl std::task::Wake for EventFd {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// One mailbox, from parts that may be flawed.
fn mailbox<T>(queue: Queue<T>, fence: Fence) -> (Peers<T>, Inbox<T>, Arc<EventFd>) {
    let boxes: Arc<[Mailbox<T>]> = Arc::new([Mailbox { queue, doorbell: Doorbell::with_fence(fence) }]);
    let mut inbox = Inbox::new(Arc::clone(&boxes), 0, Arc::new(Leaving::new(1)));
    let eventfd = EventFd::new();
    inbox.register(Arc::clone(&eventfd) as Arc<dyn Wake>);
    (Peers { boxes }, inbox, eventfd)
}

fn sound<T>() -> (Peers<T>, Inbox<T>, Arc<EventFd>) {
    mailbox(Queue::new(4), Fence::new())
}

/// An inbox that is not closed after a panic: once loom has found a deadlock, its atomics are gone, and asking them
/// during the unwinding would end the process.
struct Held<T>(Option<Inbox<T>>);

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::mem::forget(self.0.take());
        }
    }
}

/// What a shard does, until it has `count` messages; says how often it tried to sleep, too.
fn receive<T>(inbox: &mut Inbox<T>, eventfd: &EventFd, count: usize) -> (Vec<T>, usize) {
    let mut received = Vec::new();
    let mut tries = 0;
    loop {
        received.extend(std::iter::from_fn(|| inbox.pop()));
        if received.len() == count {
            return (received, tries);
        }
        tries += 1;
        if inbox.try_sleep(|| false) {
            eventfd.sleep();
        }
        inbox.awake();
    }
}

/// Each sender sends `each` messages, numbered.
fn senders_and_a_sleeper(
    senders: usize,
    each: usize,
    queue: fn() -> Queue<(usize, usize)>,
    fence: fn() -> Fence,
) {
    let (peers, inbox, eventfd) = mailbox(queue(), fence());
    let mut held = Held(Some(inbox));
    let threads: Vec<_> = (0..senders)
        .map(|sender| {
            let peers = peers.clone();
            thread::spawn(move || (0..each).for_each(|number| peers.send(SHARD, (sender, number))))
        })
        .collect();
    let inbox = held.0.as_mut().expect("held until the end");
    let (received, tries) = receive(inbox, &eventfd, senders * each);
    for sender in 0..senders {
        let numbers: Vec<_> = received.iter().filter(|mail| mail.0 == sender).map(|mail| mail.1).collect();
        assert_eq!(numbers, (0..each).collect::<Vec<_>>(), "messages of one sender keep their order");
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let wakes = eventfd.wakes.load(Ordering::Relaxed);
    assert!(wakes <= tries, "{wakes} wakes for {tries} tries to sleep");
}

/// Every order in which threads are interrupted at most `forced` times, where all orders would take minutes.
fn model_bounded(forced: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(forced);
    model.check(test);
}

#[test]
fn no_wake_up_is_lost_between_one_sender_and_a_sleeper() {
    loom::model(|| senders_and_a_sleeper(1, 1, || Queue::new(4), Fence::new));
}

#[test]
fn no_wake_up_is_lost_to_a_sender_of_two_messages() {
    model_bounded(4, || senders_and_a_sleeper(1, 2, || Queue::new(4), Fence::new));
}

#[test]
fn no_wake_up_is_lost_between_two_senders_and_a_sleeper() {
    model_bounded(3, || senders_and_a_sleeper(2, 1, || Queue::new(4), Fence::new));
}

#[test]
fn no_wake_up_is_lost_between_two_senders_of_two_messages() {
    model_bounded(2, || senders_and_a_sleeper(2, 2, || Queue::new(4), Fence::new));
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_a_wake_up_is_lost() {
    loom::model(|| senders_and_a_sleeper(1, 1, || Queue::new(4), Fence::left_out));
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_second_look_a_wake_up_is_lost() {
    loom::model(|| senders_and_a_sleeper(1, 1, || Queue::blind(4), Fence::new));
}

#[test]
fn a_shard_that_is_awake_is_not_woken() {
    loom::model(|| {
        let (peers, mut inbox, eventfd) = sound();
        let thread = thread::spawn(move || peers.send(SHARD, ()));
        let found = inbox.pop().is_some();
        thread.join().unwrap();
        assert_eq!(eventfd.wakes.load(Ordering::Relaxed), 0);
        assert!(found || inbox.pop().is_some());
    });
}

#[test]
fn work_left_elsewhere_is_not_missed() {
    loom::model(|| {
        let (peers, mut inbox, eventfd) = sound::<()>();
        let elsewhere = loom::sync::Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let work = elsewhere.clone();
        let thread = thread::spawn(move || {
            work.store(true, Ordering::Relaxed);
            peers.wake(SHARD);
        });
        if inbox.try_sleep(|| elsewhere.load(Ordering::Relaxed)) {
            eventfd.sleep();
        }
        inbox.awake();
        assert!(elsewhere.load(Ordering::Relaxed) || !inbox.try_sleep(|| false));
        thread.join().unwrap();
    });
}

#[test]
fn nothing_stays_in_a_mailbox_that_is_closed_meanwhile() {
    loom::model(|| {
        let (peers, inbox, _eventfd) = sound::<Arc<()>>();
        let mail = Arc::new(());
        let sent = Arc::clone(&mail);
        let sender = peers.clone();
        let thread = thread::spawn(move || sender.send(SHARD, sent));
        drop(inbox);
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&mail), 1, "the mail was dropped");
        drop(peers);
    });
}

/// What a shard does that stops and has nothing left to do.
fn end(mut inbox: Inbox<()>) {
    let eventfd = EventFd::new();
    inbox.register(Arc::clone(&eventfd) as Arc<dyn Wake>);
    inbox.watch_others();
    while !inbox.leave_together(true) {
        if inbox.try_sleep(|| false) {
            eventfd.sleep();
        }
        inbox.awake();
    }
}

#[test]
fn of_two_shards_that_end_none_is_left_asleep() {
    model_bounded(4, || {
        let (_peers, mut inboxes) = mailboxes(2, 1);
        let other = inboxes.pop().unwrap();
        let thread = thread::spawn(move || end(other));
        end(inboxes.pop().unwrap());
        thread.join().unwrap();
    });
}

#[test]
fn a_shard_that_fails_leaves_none_asleep() {
    model_bounded(4, || {
        let (_peers, mut inboxes) = mailboxes(2, 1);
        let other = inboxes.pop().unwrap();
        let thread = thread::spawn(move || drop(other));
        end(inboxes.pop().unwrap());
        thread.join().unwrap();
    });
}

/// What a thread outside the shards does until `poll` is ready.
fn wait<T>(mut poll: impl FnMut(&Waker) -> Poll<T>) -> T {
    let eventfd = EventFd::new();
    let waker = Waker::from(Arc::clone(&eventfd));
    loop {
        match poll(&waker) {
            Poll::Ready(output) => return output,
            Poll::Pending => eventfd.sleep(),
        }
    }
}

#[test]
fn a_completion_is_not_missed() {
    loom::model(|| {
        let budget = Budget::new(1);
        let (completer, mut completion) = completion(budget.try_take().unwrap());
        let thread = thread::spawn(move || completer.complete(Reply::Watch(true)));
        let reply = wait(|waker| completion.poll(waker));
        assert!(matches!(reply, Some(Reply::Watch(true))));
        assert!(budget.try_take().is_some(), "the room is free when the reply is there");
        thread.join().unwrap();
    });
}

fn who_waits_for_room(fence: fn() -> Fence) {
    let budget = Budget::with_fence(1, fence());
    let permit = budget.try_take().unwrap();
    let thread = thread::spawn(move || drop(permit));
    let mut place = budget.place();
    drop(wait(|waker| place.poll(waker)));
    thread.join().unwrap();
}

#[test]
fn who_waits_for_room_gets_it() {
    loom::model(|| who_waits_for_room(Fence::new));
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_fence_who_waits_for_room_misses_it() {
    loom::model(|| who_waits_for_room(Fence::left_out));
}

#[test]
fn of_two_who_wait_for_room_both_get_it() {
    model_bounded(2, || {
        let budget = Arc::new(Budget::new(1));
        let permit = budget.try_take().unwrap();
        let other = Arc::clone(&budget);
        let thread = thread::spawn(move || {
            let mut place = other.place();
            drop(wait(|waker| place.poll(waker)));
        });
        drop(permit);
        let mut place = budget.place();
        drop(wait(|waker| place.poll(waker)));
        thread.join().unwrap();
    });
}

#[test]
fn who_leaves_the_line_passes_the_room_on() {
    model_bounded(2, || {
        let budget = Arc::new(Budget::new(1));
        let permit = budget.try_take().unwrap();
        let mut leaver = budget.place();
        let eventfd = EventFd::new();
        assert!(leaver.poll(&Waker::from(Arc::clone(&eventfd))).is_pending());
        let other = Arc::clone(&budget);
        let thread = thread::spawn(move || {
            let mut place = other.place();
            drop(wait(|waker| place.poll(waker)));
        });
        drop(permit);
        drop(leaver);
        thread.join().unwrap();
    });
}

fn two_records_of_a_batch(fence: fn() -> Fence) {
    let group = Arc::new(Group::with_fence(fence()));
    let room = Arc::new(Room::new(2));
    assert!(room.try_take(2));
    let records = [0, 1].map(|number| GroupRecord::new(Arc::clone(&group), number));
    let completer = GroupCompleter::new(group, Arc::new(Bounds::new(room, 1 << 20)), 2, 2);
    let [mut first, mut second] = records;
    let shard = thread::spawn(move || {
        let appended = Appended { base_offset: Offset::new(7), log_append_time: -1, log_start: Offset::ZERO };
        completer.complete(Reply::Append(Ok(appended)));
    });
    let other = thread::spawn(move || wait(|waker| second.poll(waker)));
    assert_eq!(wait(|waker| first.poll(waker)), Ok(Offset::new(7)));
    assert_eq!(other.join().unwrap(), Ok(Offset::new(8)));
    shard.join().unwrap();
}

#[test]
fn no_record_of_a_batch_misses_its_answer() {
    model_bounded(3, || two_records_of_a_batch(Fence::new));
}

/// Two threads append a record each; a shard takes what was gathered, whenever a message comes.
fn two_records_and_a_shard(fence: fn() -> Fence) {
    let (peers, mut inboxes) = mailboxes(1, 1);
    let mut held = Held(inboxes.pop());
    let inbox = held.0.as_mut().expect("held until the end");
    let eventfd = EventFd::new();
    inbox.register(Arc::clone(&eventfd) as Arc<dyn Wake>);
    let (slot, room) = (Budget::new(1).try_take().unwrap(), Arc::new(Room::new(2)));
    assert!(room.try_take(2));
    let partition = PartitionId::new(TopicId::from_random(1, 2), 0);
    let gatherer =
        Gatherer::new(partition, SHARD, peers, slot, Bounds::new(room, 1 << 20)).with_fence(fence());
    let gatherer = Arc::new(gatherer);
    let append = |gatherer: &Arc<Gatherer>| {
        let record = Gathered { timestamp: 0, key: None, value: None, headers: &[] };
        drop(gatherer.push(&record, 1).unwrap());
    };
    let other = Arc::clone(&gatherer);
    let threads = [thread::spawn(move || append(&other)), thread::spawn(move || append(&gatherer))];
    let mut records = 0;
    while records < 2 {
        while let Some(mail) = inbox.pop() {
            let Mail::Gathered(gathering) = mail else { panic!("{mail:?}") };
            for batch in gathering.take() {
                records += BatchHeader::parse(&batch.batch).unwrap().records_count;
            }
        }
        if records < 2 && inbox.try_sleep(|| false) {
            eventfd.sleep();
        }
        inbox.awake();
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn no_gathered_record_is_left_behind() {
    model_bounded(2, || two_records_and_a_shard(Fence::new));
}
