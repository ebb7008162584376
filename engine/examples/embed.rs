//! The engine inside a program of yours: appends a million records with many in flight, reads them all back, and
//! prints how long each append took.
//!
//! `cargo run --release --example embed -p tora-engine -- --help`
//!
//! There is no server and no Kafka client here. A handle leaves a request with the shard that owns the partition and
//! returns at once with a [`Pending`]; this program blocks on it (`wait`), an async one would `.await` it.
#![expect(
    clippy::disallowed_methods,
    reason = "the seam is the engine's; an embedding service uses std as it likes"
)]

use std::collections::VecDeque;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use hdrhistogram::Histogram;
use tora_engine::error::Error as EngineError;
use tora_engine::handle::{Pending, RecordRef, try_for_each_record};
use tora_engine::request::{Appended, CreatedTopic, OffsetQuery};
use tora_engine::types::{Offset, PartitionId};
use tora_engine::{Config, Engine, Handle};

const HELP: &str = "\
Appends records to an embedded engine, reads them back, prints latencies and rates.

  --dir DIR          the data folder; kept afterwards (default: a temporary one in the current directory)
  --records N        records in all (1000000)
  --batch N          records in each append (10)
  --in-flight N      appends under way at once, in all (256)
  --shards N         the engine's threads, and the topic's partitions (2)
";

const TOPIC: &str = "readings";
const VALUE_SIZE: usize = 100;
const READ_BYTES: usize = 1 << 20;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    if env::args().any(|arg| arg == "--help" || arg == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match Options::parse(env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("embed: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let folder = Folder::new(options.dir.clone());

    // One thread per shard, each with an io_uring of its own. Opening recovers what an earlier run left behind.
    let mut config = Config::new(&folder.path);
    config.shards = options.shards;
    let engine = Engine::open(config)?;

    // Handles are cheap to clone and may be used from any thread.
    let handle = engine.handle();
    let topic = find_or_create(&handle, i32::from(options.shards))?;
    let partitions: Vec<_> = (0..topic.partitions).map(|index| PartitionId::new(topic.id, index)).collect();
    println!(
        "{} records of {VALUE_SIZE} bytes, {} per append, {} appends in flight, {} partitions on {} shards, in {}",
        options.records,
        options.batch,
        options.in_flight,
        partitions.len(),
        options.shards,
        folder.path.display()
    );
    println!("acknowledged means flushed to the disk (flush.messages=1, the default)\n");

    // A folder that was kept may hold records already: ours begin where those end.
    let starts =
        partitions.iter().map(|&partition| end_of(&handle, partition)).collect::<Result<Vec<_>, _>>()?;

    append_all(options, &handle, &partitions)?;
    read_all(options, &handle, &partitions, &starts)?;
    follow(&handle, partitions[0])?;

    // Closing answers what is under way and frees the folder. Dropping the engine does the same.
    engine.close();
    Ok(())
}

fn find_or_create(handle: &Handle, partitions: i32) -> Result<CreatedTopic, EngineError> {
    // The first `?` is for a request that was not even sent (the engine is busy), the second for its answer.
    match handle.find_topic(TOPIC)?.wait()? {
        Some(topic) => Ok(topic),
        None => handle.create_topic(TOPIC, partitions, &[])?.wait(),
    }
}

fn end_of(handle: &Handle, partition: PartitionId) -> Result<Offset, EngineError> {
    Ok(handle.list_offset(partition, OffsetQuery::Latest)?.wait()?.offset)
}

/// One thread per partition, each with its share of the records and of the appends in flight.
fn append_all(options: &Options, handle: &Handle, partitions: &[PartitionId]) -> Result<(), Failure> {
    let begun = Instant::now();
    let histograms = on_each(partitions, |index, partition| {
        append_share(handle, partition, &options.share(index, partitions.len()))
    })?;
    let took = begun.elapsed();

    let mut latencies = new_histogram();
    for histogram in histograms {
        latencies.add(histogram)?;
    }
    print_rate("append", options.records, took);
    print!("append latency, µs:");
    for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
        print!("  {name} {:.0}", latencies.value_at_quantile(quantile) as f64 / 1e3);
    }
    println!("\n");
    Ok(())
}

fn append_share(handle: &Handle, partition: PartitionId, share: &Share) -> Result<Histogram<u64>, Failure> {
    let mut latencies = new_histogram();
    // Answers of one partition come in order, so waiting for the oldest never overlooks a younger one.
    let mut under_way: VecDeque<(Instant, Pending<Appended>)> = VecDeque::with_capacity(share.in_flight);
    let mut values = Vec::new();
    let mut next = 0;
    while next < share.records || !under_way.is_empty() {
        while next < share.records && under_way.len() < share.in_flight {
            let count = share.batch.min(share.records - next);
            values.clear();
            values.extend((next..next + count).map(value));
            let records = values.iter().map(|value| RecordRef::of_value(value));
            let sent = Instant::now();
            // Waits where more is under way than the engine takes; then the batch is in the mailbox of the partition's shard.
            let pending =
                handle.when_room(|handle| handle.append_records(partition, records.clone())).wait()?;
            under_way.push_back((sent, pending));
            next += count;
        }
        // Block for the oldest, then take whatever else is there.
        while let Some((sent, pending)) = under_way.pop_front() {
            pending.wait()?;
            latencies.saturating_record(u64::try_from(sent.elapsed().as_nanos())?);
            if under_way.front().is_none_or(|(_, pending)| !pending.is_ready()) {
                break;
            }
        }
    }
    Ok(latencies)
}

fn read_all(
    options: &Options,
    handle: &Handle,
    partitions: &[PartitionId],
    starts: &[Offset],
) -> Result<(), Failure> {
    let begun = Instant::now();
    on_each(partitions, |index, partition| {
        read_share(handle, partition, starts[index], options.share(index, partitions.len()).records)
    })?;
    print_rate("read", options.records, begun.elapsed());
    println!("every record came back, in order and unchanged\n");
    Ok(())
}

fn read_share(handle: &Handle, partition: PartitionId, start: Offset, records: u64) -> Result<(), Failure> {
    let mut next = start;
    let mut seen = 0;
    while seen < records {
        // Whole batches, where they lie in the engine's memory: nothing is copied.
        let read = handle.read(partition, next, READ_BYTES)?.wait()?;
        next = try_for_each_record(&read, next, |record| -> Result<(), Failure> {
            let in_place = record.offset == start.plus(seen as i64);
            if !(in_place && record.value == Some(&value(seen))) {
                return Err(format!("{partition} holds something else at offset {}", record.offset).into());
            }
            seen += 1;
            Ok(())
        })?;
        if read.slices.is_empty() {
            return Err(format!("{partition} ends after {seen} of {records} records").into());
        }
    }
    Ok(())
}

/// What a consumer does at the end of a partition: it waits for more.
fn follow(handle: &Handle, partition: PartitionId) -> Result<(), Failure> {
    let end = end_of(handle, partition)?;
    let news = handle.wait_for(partition, end, Duration::from_secs(10))?;
    let sent = Instant::now();
    let appended = handle.append_records(partition, [RecordRef::new(b"sensor-7", b"21.5")])?;
    assert!(news.wait()?, "ten seconds are enough for one append");
    println!("a waiting reader learned of one more record after {} µs", sent.elapsed().as_micros());
    // Seen means acknowledged, so the answer to the append is there as well, or about to be.
    assert_eq!(appended.wait()?.base_offset, end);
    Ok(())
}

/// Runs `work` on a thread for each partition.
fn on_each<T: Send>(
    partitions: &[PartitionId],
    work: impl Fn(usize, PartitionId) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = partitions
            .iter()
            .enumerate()
            .map(|(index, &partition)| scope.spawn(move || work(index, partition)))
            .collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).collect()
    })
}

/// A value that is different for each record and can be checked when it comes back.
fn value(number: u64) -> [u8; VALUE_SIZE] {
    let mut value = [b'.'; VALUE_SIZE];
    value[..8].copy_from_slice(&number.to_be_bytes());
    value
}

fn new_histogram() -> Histogram<u64> {
    // Up to a minute in nanoseconds, to three digits.
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order")
}

fn print_rate(what: &str, records: u64, took: Duration) {
    let seconds = took.as_secs_f64();
    let rate = records as f64 / seconds;
    println!("{what}: {rate:.0} records/s, {:.1} MB/s ({seconds:.2} s)", rate * VALUE_SIZE as f64 / 1e6);
}

struct Options {
    dir: Option<PathBuf>,
    records: u64,
    batch: u64,
    in_flight: usize,
    shards: u16,
}

/// One thread's part of the work.
struct Share {
    records: u64,
    batch: u64,
    in_flight: usize,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { dir: None, records: 1_000_000, batch: 10, in_flight: 256, shards: 2 };
        while let Some(name) = args.next() {
            let value =
                args.next().ok_or_else(|| format!("{name} needs a value (--help lists the options)"))?;
            let number = || match value.parse::<u64>() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(format!("{name} takes a whole number above 0, not {value}")),
            };
            match name.as_str() {
                "--dir" => options.dir = Some(PathBuf::from(&value)),
                "--records" => options.records = number()?,
                "--batch" => options.batch = number()?,
                "--in-flight" => options.in_flight = usize::try_from(number()?)?,
                "--shards" => options.shards = u16::try_from(number()?)?,
                _ => return Err(format!("there is no option {name} (--help lists them)").into()),
            }
        }
        Ok(options)
    }

    fn share(&self, index: usize, threads: usize) -> Share {
        let (index, count) = (index as u64, threads as u64);
        let records = self.records / count + u64::from(index < self.records % count);
        Share { records, batch: self.batch, in_flight: (self.in_flight / threads).max(1) }
    }
}

/// The data folder, removed at the end if it is a temporary one.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn new(chosen: Option<PathBuf>) -> Self {
        let temporary = chosen.is_none();
        // Not in /tmp, which is often memory: a flush there would show nothing.
        let path = chosen.unwrap_or_else(|| Path::new(".").join(format!("tora-embed-{}", process::id())));
        Self { path, temporary }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            eprintln!("embed: {} could not be removed: {error}", self.path.display());
        }
    }
}
