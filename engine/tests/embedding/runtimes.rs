//! The engine's futures on tokio, on smol, and on no runtime at all.

use std::time::Duration;

use tora_engine::Handle;
use tora_engine::batch::BatchBuilder;
use tora_engine::error::Error;
use tora_engine::handle::{Appender, AppenderOptions, RecordRef};
use tora_engine::request::OffsetQuery;
use tora_engine::types::{Offset, PartitionId};

use crate::support::{Folder, block_on};

/// More than fits at once, from one task: records, batches of both kinds and a look at the end. Nothing is ever busy: what does
/// not fit is waited for.
async fn work(handle: Handle, topic: &str) -> Result<(), Error> {
    let topic = handle.when_room(|handle| handle.create_topic(topic, 1, &[])).await?.await?;
    let partition = PartitionId::new(topic.id, 0);
    let options = AppenderOptions { bytes_max: 8_000, ..AppenderOptions::default() };
    let appender = handle.when_room(|handle| handle.appender_with(partition, options)).await?.await?;
    records(&appender, 1_000).await?;

    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(0, None, Some(b"value")).expect("it fits");
    let batch = builder.finish().expect("it has a record");
    let mut pending = Vec::new();
    for _ in 0..2_500 {
        pending.push(handle.when_room(|handle| handle.append(partition, batch)).await?);
        let record = [RecordRef::of_value(b"value")];
        pending.push(handle.when_room(|handle| handle.append_records(partition, record)).await?);
    }
    for pending in pending {
        pending.await?;
    }
    let query = OffsetQuery::Latest;
    let end = handle.when_room(|handle| handle.list_offset(partition, query)).await?.await?.offset;
    assert_eq!(end, Offset::new(6_000));
    let timeout = Duration::from_millis(5);
    let waited = handle.when_room(|handle| handle.wait_for(partition, end, timeout)).await?.await?;
    assert!(!waited, "nothing comes any more");
    Ok(())
}

async fn records(appender: &Appender, count: i64) -> Result<(), Error> {
    let mut pending = Vec::new();
    for _ in 0..count {
        pending.push(appender.append_async(RecordRef::new(b"key", b"value")).await?);
    }
    let mut last = Offset::new(-1);
    for pending in pending {
        let offset = pending.await?;
        assert!(offset > last, "{offset} comes after {last}");
        last = offset;
    }
    Ok(())
}

#[test]
fn on_no_runtime() {
    let folder = Folder::new();
    let engine = folder.open(2);
    block_on(work(engine.handle(), "alone")).unwrap();
}

#[test]
fn on_tokio_from_one_thread_and_from_several() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
    one.block_on(work(engine.handle(), "one")).unwrap();

    let several = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    several.block_on(async {
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let handle = engine.handle();
                tokio::spawn(async move { work(handle, &format!("topic-{number}")).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
}

#[test]
fn on_smol() {
    let folder = Folder::new();
    let engine = folder.open(2);
    smol::block_on(async {
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let handle = engine.handle();
                smol::spawn(async move { work(handle, &format!("topic-{number}")).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn tasks_that_wait_for_room_of_one_appender_may_be_dropped() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let topic = handle.create_topic("clicks", 1, &[]).unwrap().wait().unwrap();
    let partition = PartitionId::new(topic.id, 0);
    let options = AppenderOptions { bytes_max: 4_096, ..AppenderOptions::default() };
    let appender = handle.appender_with(partition, options).unwrap().wait().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let done = runtime.block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let appender = appender.clone();
                tokio::spawn(async move { records(&appender, 200).await })
            })
            .collect();
        // Wherever they are just now: in line, woken, or waiting for an answer.
        for task in tasks.iter().step_by(2) {
            tokio::task::yield_now().await;
            task.abort();
        }
        let mut done = 0;
        for task in tasks {
            match task.await {
                Ok(outcome) => {
                    outcome.unwrap();
                    done += 1;
                }
                Err(error) => assert!(error.is_cancelled(), "{error}"),
            }
        }
        done
    });
    assert!(done >= 32, "{done} of 64 tasks were left alone");
    // Records of dropped tasks take their course; then all the room is free again.
    appender.append_blocking(RecordRef::of_value(b"last")).unwrap().wait().unwrap();
    assert_eq!(appender.bytes_left(), 4_096);
}
