//! Waits that have a limit.

use super::gathering::{answer_group, appender_of, gathered, value};
use super::*;

/// Too short for anything to come meanwhile.
const SHORT: Duration = Duration::from_millis(5);
/// Longer than anything takes that comes.
const LONG: Duration = Duration::from_secs(60);

/// Runs `wait` on a thread of its own, and `meanwhile` once that has begun.
fn while_waiting<T: Send>(wait: impl FnOnce() -> T + Send, meanwhile: impl FnOnce()) -> T {
    thread::scope(|scope| {
        let waiter = scope.spawn(wait);
        thread::yield_now();
        meanwhile();
        waiter.join().unwrap()
    })
}

#[test]
fn an_answer_that_does_not_come_in_time_can_be_waited_for_again() {
    let (handle, mut inboxes) = handle_of(1);
    let mut pending = handle.append(partition(0), b"batch").unwrap();
    for timeout in [Duration::ZERO, SHORT] {
        assert_eq!(pending.wait_timeout(timeout), None);
    }
    let (from, _) = next_request(&mut inboxes[0]);
    let waited =
        while_waiting(|| pending.wait_timeout(LONG), || answer(from, Reply::Append(Ok(appended(7)))));
    assert_eq!(waited, Some(Ok(appended(7))));

    let mut there = handle.find_topic("clicks").unwrap();
    drop(next_request(&mut inboxes[0]));
    assert_eq!(there.wait_timeout(Duration::ZERO), Some(Err(Error::Stopped)), "what is there needs no time");
}

#[test]
fn a_time_without_end_is_waited_for() {
    let (handle, mut inboxes) = handle_of(1);
    let mut pending = handle.append(partition(0), b"batch").unwrap();
    let (from, _) = next_request(&mut inboxes[0]);
    let waited = while_waiting(
        || pending.wait_timeout(Duration::MAX),
        || answer(from, Reply::Append(Err(Error::DiskFull))),
    );
    assert_eq!(waited, Some(Err(Error::DiskFull)));
}

#[test]
fn a_record_that_is_not_answered_in_time_can_be_waited_for_again() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 5_000);
    let mut pending = appender.append(value("a")).unwrap();
    assert_eq!(pending.wait_timeout(SHORT), None);
    let batch = gathered(&mut inboxes[0]).remove(0);
    let waited = while_waiting(|| pending.wait_timeout(LONG), || answer_group(batch, Ok(appended(4))));
    assert_eq!(waited, Some(Ok(Offset::new(4))));
    assert_eq!(pending.wait_timeout(Duration::ZERO), Some(Ok(Offset::new(4))));
}

#[test]
fn room_that_does_not_come_in_time_is_an_error_that_has_done_nothing() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 5_000);
    let text = ".".repeat(4_000);
    let _first = appender.append(value(&text)).unwrap();
    assert_eq!(appender.append_timeout(value(&text), SHORT).unwrap_err(), Error::Busy);
    let batch = gathered(&mut inboxes[0]).remove(0);
    let appended_then = while_waiting(
        || appender.append_timeout(value(&text), LONG),
        || answer_group(batch, Ok(appended(0))),
    );
    assert!(appended_then.is_ok());
    assert_eq!(gathered(&mut inboxes[0]).len(), 1, "the one that found room");

    let all = (0..Lane::Request.handle_credits()).map(|_| handle.new_producer_id().unwrap());
    let _all: Vec<_> = all.collect();
    let when_room = || handle.when_room(|handle| handle.describe(partition(0)));
    assert!(matches!(when_room().wait_timeout(SHORT), Err(Error::Busy)));
    let (from, _) = next_request(&mut inboxes[0]);
    let asked = while_waiting(
        || when_room().wait_timeout(LONG),
        || answer(from, Reply::NewProducerId(Ok(ProducerId::new(1)))),
    );
    assert!(asked.is_ok());
    let described = std::iter::from_fn(|| inboxes[0].pop())
        .filter(|mail| matches!(mail, Mail::Request { request: Request::Describe { .. }, .. }));
    assert_eq!(described.count(), 1);
}

#[test]
fn a_shards_own_thread_waits_for_no_time() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 5_000);
    let test = thread::spawn(move || {
        mark_shard_thread();
        let deadlock = Error::WouldDeadlock;
        let mut pending = handle.append(partition(0), b"batch").unwrap();
        assert_eq!(pending.wait_timeout(LONG), Some(Err(deadlock.clone())));
        let mut record = appender.append(value("a")).unwrap();
        assert_eq!(record.wait_timeout(LONG), Some(Err(deadlock.clone())));
        assert_eq!(appender.append_timeout(value("a"), LONG).unwrap_err(), deadlock);
        let when_room = handle.when_room(|handle| handle.describe(partition(0)));
        assert_eq!(when_room.wait_timeout(LONG).unwrap_err(), deadlock);
        let mut tail = handle.tail(partition(0), TailFrom::Earliest);
        assert!(matches!(tail.next_timeout(LONG), Poll::Ready(Some(Err(Error::WouldDeadlock)))));

        let (from, _) = next_request(&mut inboxes[0]);
        answer(from, Reply::Append(Ok(appended(1))));
        assert_eq!(pending.wait_timeout(LONG), Some(Ok(appended(1))), "an answer that is there can be taken");
    });
    test.join().unwrap();
}
