use super::*;
use crate::mailbox::gather::Batch;
use crate::request::Described;

/// An appender of partition 0 whose topic takes batches of `batch_bytes`, with room for `bytes_max`.
pub(super) fn appender_of(
    handle: &Handle,
    inbox: &mut Inbox<Mail>,
    batch_bytes: usize,
    bytes_max: u32,
) -> Appender {
    let options = AppenderOptions { bytes_max, ..AppenderOptions::default() };
    let pending = handle.appender_with(partition(0), options).unwrap();
    let (from, request) = next_request(inbox);
    assert!(matches!(request, Request::Describe { partition: asked } if asked == partition(0)));
    let (log_start, high_watermark) = (Offset::ZERO, Offset::ZERO);
    let described = Described { max_message_bytes: batch_bytes, log_start, high_watermark };
    answer(from, Reply::Describe(Ok(described)));
    pending.wait().unwrap()
}

/// All the batches that the next message brings.
pub(super) fn gathered(inbox: &mut Inbox<Mail>) -> Vec<Batch> {
    match inbox.pop() {
        Some(Mail::Gathered(gathering)) => gathering.take().collect(),
        other => panic!("{other:?} brings no batches"),
    }
}

fn values_of(batch: &Batch) -> Vec<String> {
    let batch = batches(&batch.batch, CrcCheck::Full).next().unwrap().unwrap();
    let value = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
    batch.records().unwrap().map(|record| value(record.unwrap().value)).collect()
}

pub(super) fn answer_group(batch: Batch, result: Result<Appended, Error>) {
    match batch.from {
        ReplyTo::Group(completer) => completer.complete(Reply::Append(result)),
        other => panic!("{other:?} is not a batch's records"),
    }
}

pub(super) fn value(value: &str) -> RecordRef<'_> {
    RecordRef::of_value(value.as_bytes())
}

#[test]
fn one_message_brings_all_that_was_gathered_until_it_is_taken() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 1 << 20);
    let early: Vec<_> = ["a", "b", "c"].map(|text| appender.append(value(text)).unwrap()).into();
    let mut batch = gathered(&mut inboxes[0]);
    assert_eq!(batch.len(), 1);
    assert_eq!(values_of(&batch[0]), ["a", "b", "c"]);
    assert!(inboxes[0].pop().is_none(), "one message was enough");

    let late = appender.append(value("d")).unwrap();
    let mut next = gathered(&mut inboxes[0]);
    answer_group(next.remove(0), Err(Error::DiskFull));
    assert_eq!(late.wait(), Err(Error::DiskFull));
    assert!(early.iter().all(|pending| !pending.is_ready()));
    answer_group(batch.remove(0), Ok(appended(40)));
    let offsets: Vec<_> = early.into_iter().map(|pending| pending.wait().unwrap().value()).collect();
    assert_eq!(offsets, [40, 41, 42]);
}

#[test]
fn records_carry_the_callers_time_or_the_clocks() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 1 << 20);
    for timestamp in [Some(42), None] {
        let _pending = appender.append(RecordRef { timestamp, ..value("a") }).unwrap();
    }
    let batch = &gathered(&mut inboxes[0])[0];
    let batch = batches(&batch.batch, CrcCheck::Full).next().unwrap().unwrap();
    let times: Vec<_> = batch.records().unwrap().map(|record| record.unwrap().timestamp).collect();
    assert_eq!(times, [42, 1_700_000_000_000]);
}

#[test]
fn a_full_batch_is_followed_by_another_in_the_same_message() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 82, 1 << 20);
    let pending: Vec<_> = (0..5).map(|_| appender.append(value("0123")).unwrap()).collect();
    let batches = gathered(&mut inboxes[0]);
    assert_eq!(batches.iter().map(|batch| values_of(batch).len()).collect::<Vec<_>>(), [1, 1, 1, 1, 1]);
    for (number, batch) in batches.into_iter().enumerate() {
        answer_group(batch, Ok(appended(number as i64 * 10)));
    }
    let offsets: Vec<_> = pending.into_iter().map(|pending| pending.wait().unwrap().value()).collect();
    assert_eq!(offsets, [0, 10, 20, 30, 40]);
}

#[test]
fn a_record_that_no_batch_takes_leaves_the_others_alone() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 82, 1 << 20);
    let left = appender.bytes_left();
    let _small = appender.append(value("a")).unwrap();
    let taken = left - appender.bytes_left();
    let large = appender.append(value("0123456789abcdef")).unwrap_err();
    assert!(matches!(large, Error::Batch(BatchError::TooLarge { max: 82, .. })));
    assert_eq!(appender.bytes_left(), left - taken, "its room is free again");
    assert_eq!(values_of(&gathered(&mut inboxes[0])[0]), ["a"]);
}

#[test]
fn a_refusal_says_how_large_the_batches_to_come_may_be() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 5_000);
    let append =
        |count: usize| -> Vec<_> { (0..count).map(|_| appender.append(value("0123")).unwrap()).collect() };
    let sizes = |batches: &[Batch]| batches.iter().map(|batch| values_of(batch).len()).collect::<Vec<_>>();
    let early = append(5);
    let mut first = gathered(&mut inboxes[0]);
    let meanwhile = append(3);
    let refusal = Error::Batch(BatchError::TooLarge { size: 117, max: 82 });
    answer_group(first.remove(0), Err(refusal.clone()));
    for pending in early {
        assert_eq!(pending.wait(), Err(refusal.clone()));
    }

    let late = append(2);
    let batches = gathered(&mut inboxes[0]);
    assert_eq!(sizes(&batches), [3, 1, 1], "what was gathered before stays together");
    let outcomes =
        [Err(Error::Batch(BatchError::TooLarge { size: 95, max: 200 })), Ok(appended(7)), Ok(appended(8))];
    for (batch, outcome) in batches.into_iter().zip(outcomes) {
        answer_group(batch, outcome);
    }
    assert!(meanwhile.into_iter().all(|pending| pending.wait().is_err()));
    assert_eq!(late.into_iter().map(|pending| pending.wait().unwrap().value()).collect::<Vec<_>>(), [7, 8]);
    assert_eq!(appender.bytes_left(), 5_000);

    let large = appender.append(value("0123456789abcdef")).unwrap_err();
    assert!(
        matches!(large, Error::Batch(BatchError::TooLarge { max: 82, .. })),
        "the smallest counts: {large:?}"
    );
}

#[test]
fn unanswered_records_take_room_until_they_are_answered() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 5_000);
    let text = ".".repeat(1_000);
    let pending: Vec<_> = (0..4).map(|_| appender.append(value(&text)).unwrap()).collect();
    assert_eq!(appender.append(value(&text)).unwrap_err(), Error::Busy);
    assert!(appender.append(value("small")).is_ok());

    let mut batch = gathered(&mut inboxes[0]);
    assert_eq!(appender.append(value(&text)).unwrap_err(), Error::Busy, "taken up is not answered");
    thread::scope(|scope| {
        let blocked = scope.spawn(|| appender.append_blocking(value(&text)).unwrap());
        thread::yield_now();
        answer_group(batch.remove(0), Ok(appended(0)));
        drop(blocked.join().unwrap());
    });
    assert_eq!(pending.into_iter().next_back().unwrap().wait(), Ok(Offset::new(3)));
}

#[test]
fn whoever_waits_for_room_is_woken_in_turn_and_may_leave_the_line() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 5_000);
    let text = ".".repeat(3_000);
    let _first = appender.append(value(&text)).unwrap();
    let first = gathered(&mut inboxes[0]).remove(0);
    let _small = appender.append(value("not answered yet")).unwrap();
    let tasks: Vec<_> = (0..3).map(|_| Arc::new(Task::default())).collect();
    let poll = |room: &mut std::pin::Pin<Box<RecordRoom<'_>>>, task: &Arc<Task>| {
        let waker = Waker::from(Arc::clone(task));
        room.as_mut().poll(&mut Context::from_waker(&waker))
    };
    let mut rooms: Vec<_> = (0..2).map(|_| Box::pin(appender.append_async(value(&text)))).collect();
    assert!(poll(&mut rooms[0], &tasks[2]).is_pending());
    assert!(poll(&mut rooms[0], &tasks[0]).is_pending(), "the task that polled last counts");
    assert!(poll(&mut rooms[1], &tasks[1]).is_pending());

    answer_group(first, Ok(appended(0)));
    let woken = || tasks.iter().map(|task| task.woken()).collect::<Vec<_>>();
    assert_eq!(woken(), [1, 0, 0], "there is room for one");
    drop(rooms.remove(0));
    assert_eq!(woken(), [1, 1, 0], "who leaves passes the room on");
    let Poll::Ready(Ok(pending)) = poll(&mut rooms[0], &tasks[1]) else { panic!("there is room") };
    answer_group(gathered(&mut inboxes[0]).remove(0), Ok(appended(1)));
    assert_eq!(pending.wait(), Ok(Offset::new(2)));
    assert_eq!(appender.bytes_left(), 5_000);
}

#[test]
fn a_future_that_is_kept_and_never_polled_holds_up_no_other() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 5_000);
    let text = ".".repeat(3_000);
    let _first = appender.append(value(&text)).unwrap();
    let (mut kept, mut other) =
        (Box::pin(appender.append_async(value(&text))), Box::pin(appender.append_async(value(&text))));
    let task = Arc::new(Task::default());
    let waker = Waker::from(Arc::clone(&task));
    assert!(kept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(other.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    answer_group(gathered(&mut inboxes[0]).remove(0), Ok(appended(0)));
    assert_eq!(task.woken(), 1, "there is room, and nothing is under way that would wake it later");
    assert!(other.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
}

#[test]
fn an_answer_wakes_every_record_that_is_still_waited_for() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 5_000);
    let mut pending: Vec<_> = (0..3).map(|_| Box::pin(appender.append(value("a")).unwrap())).collect();
    let tasks: Vec<_> = (0..4).map(|_| Arc::new(Task::default())).collect();
    for (number, task) in [(0, 3), (0, 0), (1, 1), (2, 2), (2, 2)] {
        let waker = Waker::from(Arc::clone(&tasks[task]));
        assert!(pending[number].as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(pending.remove(1));
    answer_group(gathered(&mut inboxes[0]).remove(0), Ok(appended(5)));
    assert_eq!(tasks.iter().map(|task| task.woken()).collect::<Vec<_>>(), [1, 0, 1, 0]);
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(pending[1].as_mut().poll(&mut context), Poll::Ready(Ok(Offset::new(7))));
}

#[test]
fn a_batch_that_is_dropped_and_a_closed_mailbox_say_stopped() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 5_000);
    let taken = appender.append(value("a")).unwrap();
    drop(gathered(&mut inboxes[0]));
    assert_eq!(taken.wait(), Err(Error::Stopped));
    assert_eq!(appender.bytes_left(), 5_000);

    let left = appender.append(value("b")).unwrap();
    drop(inboxes);
    assert_eq!(left.wait(), Err(Error::Stopped));
    assert_eq!(appender.append(value("c")).unwrap_err(), Error::Stopped);
    assert_eq!(appender.bytes_left(), 5_000);
}

#[test]
fn a_shards_own_thread_does_not_wait_for_room() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 5_000);
    let test = thread::spawn(move || {
        mark_shard_thread();
        assert_eq!(appender.append_blocking(value("a")).unwrap_err(), Error::WouldDeadlock);
        let pending = appender.append(value("a")).unwrap();
        assert_eq!(pending.wait(), Err(Error::WouldDeadlock));
    });
    test.join().unwrap();
}

#[test]
fn a_shard_that_stops_takes_what_was_gathered_once_more() {
    let (handle, mut inboxes) = handle_of(1);
    let appender = appender_of(&handle, &mut inboxes[0], 1 << 20, 1 << 20);
    let early: Vec<_> = ["a", "b"].map(|text| appender.append(value(text)).unwrap()).into();
    let Some(Mail::Gathered(gathering)) = inboxes[0].pop() else { panic!("nothing was sent") };
    let mut batches: Vec<Batch> = gathering.take_last().collect();
    assert_eq!(values_of(&batches[0]), ["a", "b"]);
    assert_eq!(appender.append(value("c")).unwrap_err(), Error::Stopped);
    assert!(inboxes[0].pop().is_none());
    answer_group(batches.remove(0), Ok(appended(5)));
    assert_eq!(early.into_iter().map(|pending| pending.wait().unwrap().value()).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(appender.bytes_left(), 1 << 20);
}
