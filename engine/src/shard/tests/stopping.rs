//! The shard's end: what was asked before is done.

use std::task::Poll;

use super::*;
use crate::handle::RecordRef;

#[test]
fn what_was_sent_before_the_end_is_done_however_much_it_is() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[]);
    // More than a turn takes, all of it answered at once, and an append behind it.
    let asked: Vec<_> =
        (0..2 * limits::MAIL_PER_TURN).map(|_| rig.handle.find_topic("log").unwrap()).collect();
    let appended = rig.handle.append_records(partition, [RecordRef::of_value(b"0")]).unwrap();
    let watching = rig.handle.wait_for(partition, Offset::new(1), Duration::from_secs(60)).unwrap();
    let handle = rig.handle.clone();
    // Whatever else the end takes, it does not come before them.
    rig.shard().stop();
    assert!(asked.iter().all(Pending::is_ready));
    rig.close();
    for pending in asked {
        assert!(matches!(pending.wait(), Ok(Some(_))));
    }
    assert_eq!(appended.wait().map(|appended| appended.base_offset), Ok(Offset::ZERO));
    assert_eq!(watching.wait(), Ok(true), "who waits for more is told to look");
    assert_eq!(handle.find_topic("log").unwrap().wait(), Err(Error::Stopped));
}

/// Stops it as an engine is closed, while others go on. Answers how many milliseconds that takes.
fn stop_beside(rig: &mut Rig, mut others: impl FnMut()) -> u64 {
    let begun = rig.world.now();
    rig.stop.store(true, Ordering::Release);
    rig.shard().wake(CATALOG_SHARD);
    while rig.step() {
        others();
    }
    rig.world.now().since(begun) / 1_000_000
}

/// A stop whose disk answers takes a fraction of this.
const SHORT_MS: u64 = limits::STOP_MS / 4;

#[test]
fn who_appends_after_each_answer_does_not_hold_it_up() {
    let world = world();
    let mut rig = Rig::open_on(&world, config());
    let partition = rig.create("log", &[]);
    let handle = rig.handle.clone();
    let append = || handle.append_records(partition, [RecordRef::of_value(b"x")]).unwrap();
    // Two that take turns, so that something is always under way.
    let mut under_way = [append(), append()];
    let (mut acknowledged, mut refused) = (0, 0);
    while acknowledged < 10 {
        rig.step();
        for pending in under_way.iter_mut().filter(|pending| pending.is_ready()) {
            std::mem::replace(pending, append()).wait().unwrap();
            acknowledged += 1;
        }
    }
    let millis = stop_beside(&mut rig, || {
        for pending in under_way.iter_mut().filter(|pending| pending.is_ready()) {
            match std::mem::replace(pending, append()).wait() {
                Ok(_) => acknowledged += 1,
                Err(error) => {
                    assert_eq!(error, Error::Stopped);
                    refused += 1;
                }
            }
        }
    });
    assert!(millis < SHORT_MS, "it took {millis} ms");
    assert!(refused > 0, "they went on all the while");
    assert_eq!(checkpointed_end(&world, partition), Offset::new(acknowledged));
    drop(rig);
    assert!(under_way.into_iter().all(|pending| pending.wait() == Err(Error::Stopped)));
    world.kill();
}

#[test]
fn who_adds_records_all_the_time_does_not_hold_it_up() {
    let world = world();
    let mut rig = Rig::open_on(&world, config());
    let partition = rig.create("log", &[]);
    let appender = rig.handle.appender(partition);
    let appender = rig.wait(appender).unwrap();
    let append = || appender.append(RecordRef::of_value(b"x"));
    let before = [append().unwrap(), append().unwrap()];
    let mut after = Vec::new();
    let millis = stop_beside(&mut rig, || after.push(append()));
    assert!(millis < SHORT_MS, "it took {millis} ms");
    for (offset, pending) in before.into_iter().enumerate() {
        assert_eq!(pending.wait(), Ok(Offset::new(offset as i64)), "what was appended before is taken");
    }
    let mut answers = after.into_iter().map(|pending| pending.and_then(|pending| pending.wait()));
    let acknowledged = answers.by_ref().take_while(|answer| answer.is_ok()).count();
    assert!(answers.all(|answer| answer == Err(Error::Stopped)));
    assert_eq!(checkpointed_end(&world, partition), Offset::new(2 + acknowledged as i64));
    drop(rig);
    world.kill();
}

#[test]
fn who_goes_through_old_data_does_not_hold_it_up() {
    let world = world();
    let (mut rig, partitions) = reading::old_data(&world);
    let mut tail = rig.handle.tail(partitions[0], Offset::ZERO);
    let mut runs = 0;
    let mut go_on = || {
        if let Poll::Ready(Some(run)) = tail.try_next() {
            runs += 1;
            if run.unwrap().end() >= Offset::new(reading::RECORDS) {
                // Again, as somebody with far more of it would.
                tail.seek(Offset::ZERO);
            }
        }
        runs
    };
    while go_on() < 3 {
        rig.step();
    }
    let millis = stop_beside(&mut rig, || {
        go_on();
    });
    assert!(millis < SHORT_MS, "it took {millis} ms");
    assert_eq!(tail.ended(), Some(&Error::Stopped));
    assert_eq!(checkpointed_end(&world, partitions[0]), Offset::new(reading::RECORDS));
    drop(rig);
    world.kill();
}
