//! Requests that wait for room.

use super::*;

/// As many requests as there is room for, unanswered.
fn fill(handle: &Handle) -> Vec<Pending<ProducerId>> {
    (0..Lane::Request.handle_credits()).map(|_| handle.new_producer_id().unwrap()).collect()
}

/// Answers the oldest request, which makes room for another.
fn make_room(inbox: &mut Inbox<Mail>) {
    let (from, request) = next_request(inbox);
    assert!(matches!(request, Request::NewProducerId));
    answer(from, Reply::NewProducerId(Ok(ProducerId::new(1))));
}

fn poll<F: Future + Unpin>(future: &mut F, task: &Arc<Task>) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(&Waker::from(Arc::clone(task))))
}

#[test]
fn where_there_is_room_a_request_is_made_once_and_at_once() {
    let (handle, mut inboxes) = handle_of(1);
    let mut calls = 0;
    let request = |handle: &Handle| {
        calls += 1;
        handle.append(partition(0), b"batch")
    };
    let pending = handle.when_room(request).wait().unwrap();
    assert_eq!(calls, 1);
    let (from, request) = next_request(&mut inboxes[0]);
    assert!(matches!(request, Request::Append { batch, .. } if &*batch == b"batch"));
    answer(from, Reply::Append(Ok(appended(3))));
    assert_eq!(pending.wait(), Ok(appended(3)));
}

#[test]
fn every_kind_of_request_waits_for_room() {
    let (handle, mut inboxes) = handle_of(1);
    let inbox = &mut inboxes[0];
    let _all = fill(&handle);
    let task = Arc::new(Task::default());
    let mut calls = 0;
    let mut append = handle.when_room(|handle| {
        calls += 1;
        handle.append_records(partition(0), [RecordRef::of_value(b"value")])
    });
    let mut describe = handle.when_room(|handle| handle.describe(partition(1)));
    let mut create = handle.when_room(|handle| handle.create_topic("clicks", 1, &[]));
    assert!(poll(&mut append, &task).is_pending());
    assert!(poll(&mut describe, &task).is_pending());
    assert!(poll(&mut create, &task).is_pending());
    assert_eq!(task.woken(), 0);

    make_room(inbox);
    assert_eq!(task.woken(), 1, "there is room for one");
    assert!(matches!(poll(&mut append, &task), Poll::Ready(Ok(_))));
    drop(append);
    assert_eq!(calls, 2, "in vain, and with room");
    assert!(poll(&mut describe, &task).is_pending());
    make_room(inbox);
    make_room(inbox);
    assert_eq!(task.woken(), 3);
    assert!(matches!(poll(&mut create, &task), Poll::Ready(Ok(_))));
    assert!(matches!(poll(&mut describe, &task), Poll::Ready(Ok(_))));
    assert!(matches!(handle.describe(partition(0)), Err(Error::Busy)), "the room was theirs");
}

#[test]
fn each_lane_is_waited_for() {
    let (handle, mut inboxes) = handle_of(1);
    let watch = |handle: &Handle| handle.wait_for(partition(0), Offset::ZERO, Duration::from_secs(1));
    let _all: Vec<_> = (0..Lane::Watch.handle_credits()).map(|_| watch(&handle).unwrap()).collect();
    let task = Arc::new(Task::default());
    let mut waiting = handle.when_room(watch);
    assert!(poll(&mut waiting, &task).is_pending());
    drop(handle.new_producer_id().unwrap());
    answer(next_request(&mut inboxes[0]).0, Reply::Watch(true));
    assert_eq!(task.woken(), 1);
    assert!(poll(&mut waiting, &task).is_ready());
}

#[test]
fn what_is_refused_for_another_reason_does_not_wait() {
    let (handle, _inboxes) = handle_of(1);
    let none = handle.when_room(|handle| handle.append_records(partition(0), [])).wait();
    assert!(matches!(none, Err(Error::Batch(BatchError::Empty))));
    let budget = &handle.inner.budgets[0].requests;
    assert_eq!(budget.left(), Lane::Request.handle_credits(), "its room is free again");
}

#[test]
fn a_dropped_wait_has_asked_for_nothing_and_passes_its_room_on() {
    let (handle, mut inboxes) = handle_of(1);
    let _all = fill(&handle);
    let tasks = [(); 2].map(|()| Arc::new(Task::default()));
    let mut first = handle.when_room(Handle::new_producer_id);
    let mut second = handle.when_room(|handle| handle.describe(partition(0)));
    assert!(poll(&mut first, &tasks[0]).is_pending());
    assert!(poll(&mut second, &tasks[1]).is_pending());
    make_room(&mut inboxes[0]);
    drop(first);
    assert_eq!(tasks.each_ref().map(|task| task.woken()), [1, 1]);
    assert!(poll(&mut second, &tasks[1]).is_ready());
    while let Some(mail) = inboxes[0].pop() {
        if matches!(mail, Mail::Request { request: Request::Describe { .. }, .. }) {
            return assert!(inboxes[0].pop().is_none());
        }
    }
    panic!("the second was not made");
}

#[test]
fn busy_batches_are_not_looked_at() {
    let (handle, _inboxes) = handle_of(1);
    let _all = fill(&handle);
    let records =
        std::iter::from_fn(|| -> Option<RecordRef<'static>> { panic!("there is no room for them") });
    assert!(matches!(handle.append_records(partition(0), records), Err(Error::Busy)));
}

/// What would be made twice is not: only the handle's one request waits.
#[test]
fn requests_beside_the_one_are_busy_as_ever() {
    let (handle, mut inboxes) = handle_of(2);
    let other = (0..).map(partition).find(|id| owner(*id, 2) == ShardId::new(1)).unwrap();
    let _all = fill(&handle);
    let another = handle.when_room(|_| handle.new_producer_id()).wait();
    assert!(matches!(another, Err(Error::Busy)), "it was made through another handle");

    let mut made = 0;
    let two = handle.when_room(|handle| {
        drop(handle.describe(other)?);
        made += 1;
        handle.new_producer_id()
    });
    assert!(matches!(two.wait(), Err(Error::Busy)));
    assert_eq!((made, inboxes[1].pop().is_some(), inboxes[1].pop().is_none()), (1, true, true));

    let mut clone = None;
    let cloned = handle.when_room(|handle| {
        clone = Some(handle.clone());
        handle.describe(other)
    });
    assert!(cloned.wait().is_ok());
    assert!(matches!(clone.unwrap().new_producer_id(), Err(Error::Busy)), "a clone has no turn");
}
