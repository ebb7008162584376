use super::*;
use crate::batch::stamp;
use crate::types::LeaderEpoch;

/// A batch of `count` records from offset `base` on.
fn batch(base: i64, count: usize) -> Slice {
    let mut builder = BatchBuilder::new(1 << 20);
    for _ in 0..count {
        builder.push(1, None, Some(b"value")).unwrap();
    }
    let mut bytes = builder.take().unwrap();
    stamp(&mut bytes, Offset::new(base), LeaderEpoch::new(1));
    Slice::from_vec(bytes)
}

fn records(slices: Vec<Slice>, end: i64) -> Reply {
    Reply::Read(Ok(Records {
        slices,
        high_watermark: Offset::new(end),
        log_start: Offset::ZERO,
        at: crate::types::Position::ZERO,
    }))
}

fn read_from(inbox: &mut Inbox<Mail>) -> (ReplyTo, i64) {
    match next_request(inbox) {
        (to, Request::Read { from, .. }) => (to, from.value()),
        (_, other) => panic!("{other:?} is no read"),
    }
}

fn ready(tail: &mut Tail) -> Option<Result<TailRun, Error>> {
    match tail.try_next() {
        Poll::Ready(next) => next,
        Poll::Pending => panic!("{tail:?}"),
    }
}

#[test]
fn one_run_is_read_ahead_and_at_the_end_it_waits() {
    let (handle, mut inboxes) = handle_of(1);
    let inbox = &mut inboxes[0];
    let mut tail = handle.tail(partition(0), Offset::new(1));
    assert!(inbox.pop().is_none(), "nothing before it is asked for");
    assert!(tail.try_next().is_pending());
    let (to, from) = read_from(inbox);
    assert_eq!(from, 1);
    answer(to, records(vec![batch(0, 3), batch(3, 2)], 9));

    let run = ready(&mut tail).unwrap().unwrap();
    assert_eq!((run.from(), run.end()), (Offset::new(1), Offset::new(5)));
    let (to, from) = read_from(inbox);
    assert_eq!(from, 5, "the next run is read while the caller has the first");
    answer(to, records(vec![batch(5, 4)], 9));
    assert!(inbox.pop().is_none(), "but no more than one");
    assert_eq!(ready(&mut tail).unwrap().unwrap().end(), Offset::new(9));

    let (to, request) = next_request(inbox);
    assert!(matches!(request, Request::Watch { end, .. } if end == Offset::new(9)));
    answer(to, Reply::Watch(false));
    assert!(tail.try_next().is_pending());
    let (to, request) = next_request(inbox);
    assert!(matches!(request, Request::Watch { .. }), "the time was up: it waits again");
    answer(to, Reply::Watch(true));
    assert!(tail.try_next().is_pending());
    assert_eq!(read_from(inbox).1, 9);
}

#[test]
fn what_retention_took_is_an_error_and_a_seek_goes_on() {
    let (handle, mut inboxes) = handle_of(1);
    let inbox = &mut inboxes[0];
    let mut tail = handle.tail(partition(0), Offset::new(1));
    assert!(tail.try_next().is_pending());
    let gone = Error::OffsetOutOfRange { start: Offset::new(100), end: Offset::new(200) };
    answer(read_from(inbox).0, Reply::Read(Err(gone.clone())));
    assert_eq!(ready(&mut tail).unwrap().unwrap_err(), gone);
    assert!(ready(&mut tail).is_none());
    assert!(gone.to_string().contains("100"), "{gone}");

    let Some(Error::OffsetOutOfRange { start, .. }) = tail.ended().cloned() else { panic!("{tail:?}") };
    tail.seek(start);
    assert!(tail.ended().is_none() && tail.try_next().is_pending());
    assert_eq!(read_from(inbox).1, 100);
}

#[test]
fn a_busy_engine_is_waited_for() {
    let (handle, mut inboxes) = handle_of(1);
    let all = (0..Lane::Request.handle_credits()).map(|_| handle.new_producer_id().unwrap());
    let _all: Vec<_> = all.collect();
    let mut tail = handle.tail(partition(0), Offset::new(1));
    let task = Arc::new(Task::default());
    let waker = Waker::from(Arc::clone(&task));
    let mut next = std::pin::pin!(tail.next_async());
    assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    answer(next_request(&mut inboxes[0]).0, Reply::NewProducerId(Ok(ProducerId::new(1))));
    assert_eq!(task.woken(), 1);
    assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    while let Some(Mail::Request { request, .. }) = inboxes[0].pop() {
        if let Request::Read { from, .. } = request {
            return assert_eq!(from, Offset::new(1));
        }
    }
    panic!("it has not read");
}

#[test]
fn what_is_no_batch_is_an_error() {
    let (handle, mut inboxes) = handle_of(1);
    let mut tail = handle.tail(partition(0), Offset::ZERO);
    assert!(tail.try_next().is_pending());
    answer(read_from(&mut inboxes[0]).0, records(vec![Slice::from_vec(vec![0; 100])], 5));
    assert!(matches!(ready(&mut tail).unwrap(), Err(Error::Storage(_))));
}
