//! Tora's engine: a partition log, thread-per-core on io_uring, to be embedded in a service that keeps a journal.
//!
//! A **topic** has partitions; a **partition** is a log of records, each at an **offset**, appended at one end and read
//! anywhere. An answered append is on the disk. The engine owns its threads, one for each **shard**; a service talks to
//! it from any thread, with any async runtime or none.
//!
//! # Quick start
//!
//! ```
//! use tora_engine::handle::{RecordRef, TailFrom};
//! use tora_engine::types::PartitionId;
//! use tora_engine::{Config, Engine};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("tora-doc-quick-{}", std::process::id()));
//! let engine = Engine::open(Config::new(&folder))?;
//! let handle = engine.handle();
//!
//! // Two steps each: the request is sent (or refused at once), then its answer is waited for.
//! let topic = handle.create_topic("orders", 1, &[])?.wait()?;
//! let orders = PartitionId::new(topic.id, 0);
//!
//! let appended = handle.append_records(orders, [RecordRef::new(b"order 1", b"buy 5")])?.wait()?;
//! assert_eq!(appended.base_offset.value(), 0);
//!
//! let mut tail = handle.tail(orders, TailFrom::Earliest);
//! let run = tail.next_blocking().expect("a tail goes on until the topic is deleted")?;
//! run.for_each(|record| assert_eq!(record.value, Some(&b"buy 5"[..])))?;
//!
//! engine.close();
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! Next time, [`Handle::find_topic`] finds the topic by its name. The example `journal` is a whole service: an order book
//! whose state is rebuilt from its journal.
//!
//! # What an answer means
//!
//! By default an append is answered when it is **flushed**: it survives a power cut. Records are visible to readers from
//! then on, not before. A topic made with `flush.messages` other than 1 is answered, and visible, when the device has
//! accepted the bytes: that survives a killed process, and a power cut may take the last of it.
//!
//! ```
//! # use tora_engine::{Config, Engine};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("tora-doc-flush-{}", std::process::id()));
//! # let engine = Engine::open(Config::new(&folder))?;
//! # let handle = engine.handle();
//! let samples = handle.create_topic("samples", 4, &[("flush.messages", "1000")])?.wait()?;
//! assert_eq!(samples.partitions, 4);
//! # engine.close();
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! Appends that are under way together are written and flushed together, so a flush costs little where there are many,
//! and one alone waits for nothing but the disk.
//!
//! # Three ways to append
//!
//! | what comes | use |
//! | --- | --- |
//! | single records | an [`Appender`](handle::Appender): it gathers the records of all threads into batches, without a timer |
//! | several records that belong together | [`Handle::append_records`]: one batch, visible as a whole |
//! | batches in Kafka's format | [`Handle::append`], or [`Handle::append_slice`] without a copy |
//!
//! ```
//! use tora_engine::handle::RecordRef;
//! # use tora_engine::types::PartitionId;
//! # use tora_engine::{Config, Engine};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("tora-doc-append-{}", std::process::id()));
//! # let engine = Engine::open(Config::new(&folder))?;
//! # let handle = engine.handle();
//! # let topic = handle.create_topic("readings", 1, &[])?.wait()?;
//! # let partition = PartitionId::new(topic.id, 0);
//! let appender = handle.appender(partition)?.wait()?;
//! let under_way: Vec<_> = (0..1000_u32)
//!     .map(|reading| appender.append_blocking(RecordRef::of_value(&reading.to_le_bytes())))
//!     .collect::<Result<_, _>>()?;
//! for (number, pending) in under_way.into_iter().enumerate() {
//!     assert_eq!(pending.wait()?.value(), number as i64);
//! }
//! # engine.close();
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Async
//!
//! [`Pending`](handle::Pending) and [`PendingRecord`](handle::PendingRecord) are futures, [`Tail`](handle::Tail) is a
//! stream; they belong to no runtime, and dropping one at any time is safe: what was sent takes its course, and what only
//! waited ([`Handle::wait_for`], a tail) is forgotten.
//!
//! ```
//! use tora_engine::Handle;
//! use tora_engine::error::Error;
//! use tora_engine::handle::{RecordRef, TailFrom};
//! use tora_engine::types::PartitionId;
//!
//! async fn copy(handle: Handle, from: PartitionId, to: PartitionId) -> Result<(), Error> {
//!     let appender = handle.appender(to)?.await?;
//!     let mut tail = handle.tail(from, TailFrom::Earliest);
//!     while let Some(run) = tail.next_async().await {
//!         let mut values = Vec::new();
//!         run?.for_each(|record| values.extend(record.value.map(<[u8]>::to_vec)))?;
//!         for value in values {
//!             // Waits while too much is unanswered.
//!             let _pending = appender.append_async(RecordRef::of_value(&value)).await?;
//!         }
//!     }
//!     Ok(())
//! }
//! # fn is_send<T: Send>(_: &T) {}
//! # let _ = |handle, from, to| is_send(&copy(handle, from, to));
//! ```
//!
//! # Back-pressure
//!
//! Nothing queues without a limit. Every request of a handle, and every record of an appender, comes in three forms:
//!
//! | where there is no room | a handle's requests | an appender's records |
//! | --- | --- | --- |
//! | it says [`Error::Busy`] and has done nothing | such as [`read`](Handle::read) | [`append`](handle::Appender::append) |
//! | it blocks | [`when_room`](Handle::when_room)`(…).wait()` | [`append_blocking`](handle::Appender::append_blocking) |
//! | it is a future | [`when_room`](Handle::when_room)`(…).await` | [`append_async`](handle::Appender::append_async) |
//!
//! Whatever blocks can be given a limit of time: [`WhenRoom::wait_timeout`](handle::WhenRoom::wait_timeout) and
//! [`Appender::append_timeout`](handle::Appender::append_timeout) then say [`Error::Busy`],
//! [`Pending::wait_timeout`](handle::Pending::wait_timeout), [`PendingRecord::wait_timeout`](handle::PendingRecord::wait_timeout)
//! and [`Tail::next_timeout`](handle::Tail::next_timeout) that there is nothing yet: what they wait for is not lost by it.
//!
//! A handle counts requests under way at a shard, an appender the bytes of its records that are not answered
//! ([`AppenderOptions`](handle::AppenderOptions), [`bytes_left`](handle::Appender::bytes_left)).
//!
//! ```
//! use tora_engine::error::Error;
//! use tora_engine::handle::{AppenderOptions, RecordRef};
//! # use tora_engine::types::PartitionId;
//! # use tora_engine::{Config, Engine};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("tora-doc-busy-{}", std::process::id()));
//! # let engine = Engine::open(Config::new(&folder))?;
//! # let handle = engine.handle();
//! # let topic = handle.create_topic("readings", 1, &[])?.wait()?;
//! # let partition = PartitionId::new(topic.id, 0);
//! let options = AppenderOptions { bytes_max: 64 << 10, ..AppenderOptions::default() };
//! let appender = handle.appender_with(partition, options)?.wait()?;
//! let mut shed = 0;
//! for _ in 0..10_000 {
//!     match appender.append(RecordRef::of_value(b"a reading that may be left out")) {
//!         Ok(_pending) => {}
//!         Err(Error::Busy) => shed += 1,
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! println!("{shed} readings were left out");
//! # engine.close();
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! Of some things a shard takes only so many at a time; more shards take more:
//!
//! | of a shard's partitions | at most | past it |
//! | --- | --- | --- |
//! | requests under way | 4,096 | [`Error::Busy`], or waiting as above |
//! | appenders, each until it is dropped | 4,096 ([`limits::APPENDERS_MAX`]) | [`Error::TooManyAppenders`]: share one by cloning it |
//! | tails that wait for news, and [`Handle::wait_for`] | 1,024 | tails take turns, so that each may learn of news seconds later ([`Tail`](handle::Tail)); `wait_for` says [`Error::Busy`], or waits as above |
//!
//! # Reading, following, and time
//!
//! [`Handle::read`] returns whole batches where they lie in the engine's memory, [`Handle::tail`] follows a partition.
//! [`handle::for_each_record`] and [`TailRun::for_each`](handle::TailRun::for_each) visit the records, and `try_…` those up to
//! the first that the visitor refuses.
//! Whoever remembers [`TailRun::end`](handle::TailRun::end) with the effect of the records goes on there after a restart.
//! Each record has a time, its own or that of its append ([`RecordRef::timestamp`](handle::RecordRef::timestamp), the
//! topic's `message.timestamp.type`), and reading may begin at one
//! ([`TailFrom::Timestamp`](handle::TailFrom::Timestamp)).
//!
//! # Errors
//!
//! Every variant of [`Error`] is a case of its own, and says what to do:
//!
//! | error | what is true then |
//! | --- | --- |
//! | [`Busy`](Error::Busy) | nothing was done: try again when something was answered |
//! | [`RecordTooLarge`](Error::RecordTooLarge) | the record is not appended: it says which of the [`AppenderOptions`](handle::AppenderOptions) is too small for it |
//! | [`TooManyAppenders`](Error::TooManyAppenders) | a shard has all the appenders that it may: clone one rather than make another |
//! | [`TooManyFiles`](Error::TooManyFiles) | nothing was done: the process has too few descriptors (`ulimit -n`) |
//! | [`DiskFull`](Error::DiskFull) | nothing was appended and nothing lost; appends go on when there is space |
//! | [`Storage`](Error::Storage) | a write or flush failed: until the engine is opened again the partition takes no more, and its acknowledged records, which are there still, are not read, searched or described either; an append that was under way may have been done or not |
//! | [`Stopped`](Error::Stopped) | the engine is closed; a request that was under way may have been done or not |
//! | [`OffsetOutOfRange`](Error::OffsetOutOfRange) | retention was faster; or, where `flush.messages` is not 1, a power cut took records that were read before it, and what was remembered lies past the end. It says what is held |
//! | [`WouldDeadlock`](Error::WouldDeadlock) | a blocking call on a shard's own thread, from a [`service::Service`] |
//!
//! Appends of one partition that are under way together do not fail together: behind one that was refused (`DiskFull`,
//! `TooManyFiles`) a smaller or later one may be taken, so that a journal which has several under way would have a hole. Batches
//! with a producer id leave none, once the first of that producer was appended: what follows a refused one is
//! [out of order](Error::OutOfOrderSequence) until that was appended. An appender's records have no producer.
//!
//! An append that may have been done or not can be made again without being doubled, with a producer id
//! ([`Handle::new_producer_id`], [`BatchBuilder::set_producer`](batch::BatchBuilder::set_producer)).
//!
//! # When a shard fails
//!
//! A shard ends by itself where the kernel's interface fails, or by a panic on its thread, as one of a
//! [`service::Service`]. It is logged, the other shards stop, too, and everything answers
//! [`Stopped`](Error::Stopped), what waits included: no half of an engine goes on. [`Engine::wait_for_failure`] tells whoever
//! watches. What was acknowledged is on the disk: drop the engine and open it again, or end the process. A panic of a task's
//! waker is caught and logged, and is that task's alone.
//!
//! # Recovery
//!
//! [`Engine::open`] returns when every partition is recovered: it cuts what a crash left half-written, and refuses, alone,
//! a partition whose flushed bytes are damaged. No more than [`Config::checkpoint_bytes`] per shard is checked for it, and of
//! twice as much the batches' headers are looked at; what the journals hold, [`Config::journal_bytes`] per shard at most, is
//! copied into the logs before, and checked there, too. The number of shards may change from one opening to the next. A folder is one engine's:
//!
//! ```
//! # use tora_engine::{Config, Engine};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("tora-doc-twice-{}", std::process::id()));
//! let engine = Engine::open(Config::new(&folder))?;
//! let refused = Engine::open(Config::new(&folder)).err().expect("the folder is taken");
//! println!("{refused}");
//! # assert!(refused.to_string().contains("this very process"));
//! # engine.close();
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! # A good guest
//!
//! Engines share no state: any number of them may run in a process, each on a folder of its own; what the machine lacks is
//! warned of once a process. Threads are not
//! tied to cores unless [`Config::pin`] says so; engines that do take different ones. Each shard locks [`Config::buffer_bytes`] into memory if it may, and goes
//! on without, a little slower, if not. While it reads from the disk it takes up to [`Config::cold_read_bytes`] more. The process's
//! allocator is left alone unless [`Config::return_memory`] says otherwise. What it has to say it says through the `log` crate.
//!
//! # Inside
//!
//! `deny(unsafe_code)` everywhere; the buffers and the ring relax it, each with its reason.
#![deny(unsafe_code)]

pub mod batch;
pub mod catalog;
pub mod checkpoint;
pub mod config;
pub mod data_folder;
pub mod engine;
pub mod error;
pub mod handle;
pub mod io;
pub mod journal;
pub mod limits;
pub mod log;
pub mod mailbox;
pub mod open;
pub mod partition;
pub mod placement;
pub mod producers;
pub mod reactor;
pub mod request;
pub mod service;
pub mod shard;
pub mod sim;
mod stored;
pub mod types;
pub mod verify;

pub use config::Config;
pub use engine::{Engine, OpenError};
pub use error::Error;
pub use handle::Handle;

/// The example of the repository's README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
