//! How many appenders a shard takes, and what that leaves to others.

use super::gathering::appender_of;
use super::*;
use crate::limits::APPENDERS_MAX;

#[test]
fn appenders_take_nothing_from_requests() {
    let (handle, mut inboxes) = handle_of(1);
    let inbox = &mut inboxes[0];
    let mut appenders: Vec<_> =
        (0..APPENDERS_MAX).map(|_| appender_of(&handle, inbox, 1 << 20, 5_000)).collect();
    let refused = handle.appender(partition(0));
    assert!(matches!(refused, Err(Error::TooManyAppenders)));
    assert!(Error::TooManyAppenders.to_string().contains("cloning"), "it says what to do");

    // All that may be under way at once, for which the mailbox has room.
    let records: Vec<_> =
        appenders.iter().map(|appender| appender.append(RecordRef::of_value(b"a")).unwrap()).collect();
    let batch = Slice::copy_from(b"batch");
    let requests: Vec<_> = (0..Lane::Request.handle_credits())
        .map(|_| handle.append_slice(partition(0), batch.clone()).unwrap())
        .collect();
    assert!(matches!(handle.new_producer_id(), Err(Error::Busy)));
    let watches: Vec<_> = (0..Lane::Watch.handle_credits())
        .map(|_| handle.wait_for(partition(0), Offset::ZERO, Duration::from_secs(1)).unwrap())
        .collect();
    let mail = std::iter::from_fn(|| inbox.pop()).count();
    assert_eq!(mail, records.len() + requests.len() + watches.len());

    let shared = appenders[0].clone();
    drop(appenders.swap_remove(0));
    assert!(matches!(handle.appender(partition(0)), Err(Error::TooManyAppenders)), "it is still in use");
    drop((shared, records));
    appenders.push(appender_of(&handle, inbox, 1 << 20, 5_000));
}

#[test]
fn shards_have_appenders_of_their_own() {
    let (handle, _inboxes) = handle_of(2);
    let of_shard = |shard: u16| {
        (0..).map(partition).find(|id| owner(*id, 2) == ShardId::new(shard)).expect("each has some")
    };
    let _taken: Vec<_> = (0..APPENDERS_MAX).map(|_| handle.appender(of_shard(0)).unwrap()).collect();
    assert!(matches!(handle.appender(of_shard(0)), Err(Error::TooManyAppenders)));
    assert!(handle.appender(of_shard(1)).is_ok());
}
