//! `tora-load verify`: whether everything that was acknowledged is there, once and in order, also where the broker is
//! killed meanwhile.
//!
//! Threads of their own and blocking sockets: nothing is measured here, and connections come and go.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::admin::Admin;
use crate::check::Verdict;
use crate::cli::VerifyArgs;
use crate::clock::Clock;
use crate::codec::fetch::Position;
use crate::codec::versions::Api;
use crate::date;
use crate::meter::Acknowledged;
use crate::placement;
use crate::progress::Progress;
use crate::stamp::{STAMP_LEN, SessionId};
use crate::subject::Subject;
use crate::summary;
use crate::sys;
use crate::table::quantity;
use crate::workload::{CONNECTIONS_MAX, PARTITIONS_MAX, within};

mod consumer;
mod link;
mod moments;
mod producer;
mod shared;

use consumer::Consumer;
pub use link::Link;
use moments::Moments;
use producer::{Produced, Producer};
use shared::Shared;

/// How often the main thread looks around.
const TICK: Duration = Duration::from_millis(20);
/// A broker that is killed before it has acknowledged anything was not killed under load: its life goes on until it has, or for
/// so much longer.
const LOAD_PATIENCE: Duration = Duration::from_secs(10);

/// What a verification found out.
struct Findings {
    /// One sentence a kill.
    kills: Vec<Value>,
    acknowledged: u64,
    /// Batches that were sent again after a connection broke.
    resent: u64,
    /// By the consumers that followed, and by those that read everything again at the end.
    following: Verdict,
    again: Verdict,
}

impl Findings {
    /// Whether all is as it should be: both readings are clean and have exactly what was acknowledged.
    fn is_clean(&self) -> bool {
        let complete = |verdict: &Verdict| verdict.is_clean() && verdict.verified == self.acknowledged;
        self.acknowledged > 0 && complete(&self.following) && complete(&self.again)
    }
}

/// Runs the verification; gives whether nothing was off.
///
/// # Errors
/// A sentence that says what to do, where it could not begin or not go on.
pub fn run(args: &VerifyArgs) -> Result<bool, String> {
    check_arguments(args)?;
    let started_at = date::stamp(SystemTime::now());
    let out = args.out.clone().unwrap_or_else(|| Path::new("results/local").join(&started_at));
    fs::create_dir_all(&out).map_err(|e| format!("cannot make the results folder {}: {e}", out.display()))?;
    let progress = Progress::new(args.quiet);
    let moments = Moments::new(args.seed.unwrap_or_else(moments::seed_of_now), args.kills, args.duration);
    progress.say(&format!("seed {}", moments.seed()));
    let mut subject = Subject::start(&args.broker, None, &out, &started_at, &progress)?;
    let topic = format!("tora-load-{started_at}-{}", std::process::id());
    let found = verify(args, &mut subject, &topic, &moments, &progress);
    let ended = subject.end(&topic, &progress);
    let report = match &found {
        Ok(findings) => to_json(findings, &moments),
        Err(why) => json!({ "ok": false, "error": why, "seed": moments.seed() }),
    };
    let text = serde_json::to_string_pretty(&report).expect("it is plain data");
    let path = out.join("verify.json");
    fs::write(&path, text + "\n").map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    let findings = match found {
        Ok(findings) => findings,
        Err(why) => {
            println!("NOT verified: {why}");
            return Ok(false);
        }
    };
    ended?;
    print!("{}", in_words(&findings));
    println!("results in {}", out.display());
    Ok(findings.is_clean())
}

fn check_arguments(args: &VerifyArgs) -> Result<(), String> {
    if (args.record_size as usize) < STAMP_LEN {
        return Err(format!(
            "--record-size {} is too small: a value carries a sequence number and a send time, {STAMP_LEN} bytes together",
            args.record_size
        ));
    }
    const KILLS_MAX: u32 = 10_000;
    const BATCH_RECORDS_MAX: u32 = 100_000;
    if args.kills > 0 {
        within("--kills", args.kills, KILLS_MAX)?;
    }
    within("--batch-records", args.batch_records, BATCH_RECORDS_MAX)?;
    within("--connections", args.connections, CONNECTIONS_MAX)?;
    within("--partitions", args.partitions, PARTITIONS_MAX)
}

fn verify(
    args: &VerifyArgs,
    subject: &mut Subject,
    topic: &str,
    moments: &Moments,
    progress: &Progress,
) -> Result<Findings, String> {
    let mut admin = Admin::connect(subject.address())?;
    admin.create_topic(topic, args.partitions.cast_signed(), &args.broker.topic_config)?;
    let shared = Arc::new(Shared::new(subject.address(), topic));
    let producers = start_producers(args, &mut admin, &shared)?;
    let consumers = start_consumers(args, &mut admin, &shared)?;
    drop(admin);
    let kills = disturb(subject, &shared, moments, progress);
    shared.stop();
    let kills = kills.inspect_err(|_| shared.abandon());
    let (acknowledged, resent) = join_producers(producers, &shared);
    let failure = shared.failure();
    shared.all_acknowledged(acknowledged.clone());
    let following = join_consumers(consumers);
    if let Some(why) = failure {
        return Err(why);
    }
    let (kills, following) = (kills?, following?);
    progress.say("reading everything again, from the first record");
    subject.restart(progress)?;
    let again = Arc::new(Shared::new(subject.address(), topic));
    again.stop();
    again.all_acknowledged(acknowledged.clone());
    let readers = start_consumers(args, &mut Admin::connect(subject.address())?, &again)?;
    Ok(Findings {
        kills,
        acknowledged: acknowledged.iter().map(|due| due.records).sum(),
        resent,
        following,
        again: join_consumers(readers)?,
    })
}

type Producing = JoinHandle<Result<Produced, String>>;
type Consuming = JoinHandle<Result<Verdict, String>>;

/// Lets the load run and kills the broker at the moments given; gives what there is to tell of each kill.
fn disturb(
    subject: &mut Subject,
    shared: &Shared,
    moments: &Moments,
    progress: &Progress,
) -> Result<Vec<Value>, String> {
    let mut kills = Vec::new();
    let lives = moments.lives();
    let floor = subject.volume().and_then(|volume| volume.free_bytes().ok()).map(|free| free / 2);
    for (index, life) in lives.iter().enumerate() {
        let acknowledged = shared.acknowledged_so_far();
        let begun = Instant::now();
        let is_last = index + 1 == lives.len();
        let goes_on = || {
            let unloaded = !is_last && shared.acknowledged_so_far() == acknowledged;
            begun.elapsed() < if unloaded { *life + LOAD_PATIENCE } else { *life }
        };
        while goes_on() {
            if sys::interrupted() {
                return Err("interrupted".into());
            }
            if shared.failure().is_some() {
                return Ok(kills);
            }
            let free = subject.volume().and_then(|volume| volume.free_bytes().ok());
            if free.zip(floor).is_some_and(|(free, floor)| free < floor) {
                return Err(
                    "half of the free space is used: give a lower --rate or a shorter --duration".into()
                );
            }
            let rest = life.saturating_sub(begun.elapsed());
            std::thread::sleep(if rest.is_zero() { TICK } else { TICK.min(rest) });
        }
        let (lasted, records) = (begun.elapsed(), shared.acknowledged_so_far() - acknowledged);
        if is_last {
            break;
        }
        shared.nowhere();
        let ready = subject.kill_and_start()?;
        shared.moved(subject.address());
        progress.say(&format!(
            "kill {} of {}: after {:.2} s and {} records acknowledged; ready again within {} ms",
            index + 1,
            lives.len() - 1,
            lasted.as_secs_f64(),
            quantity(records as f64),
            ready.as_millis()
        ));
        kills.push(json!({
            "after_seconds": lasted.as_secs_f64(),
            "acknowledged_records": records,
            "ready_after_ms": ready.as_secs_f64() * 1e3,
        }));
    }
    Ok(kills)
}

fn start_producers(
    args: &VerifyArgs,
    admin: &mut Admin,
    shared: &Arc<Shared>,
) -> Result<Vec<Producing>, String> {
    let placements = placement::producers(&admin.leadership(shared.topic())?, args.connections as usize)?;
    let version = admin.served().agree(Api::Produce)?;
    let clock = Clock::start();
    let count = placements.len();
    let mut threads = Vec::new();
    for (index, (placement, session)) in placements.into_iter().zip((0..).map(SessionId)).enumerate() {
        let pace = producer::Pace::new(args.rate, args.batch_records, index, count);
        let identity = admin.producer_identity()?;
        let sending = producer::Sending {
            version,
            session,
            identity,
            partitions: placement.partitions,
            batch_records: args.batch_records,
            record_size: args.record_size as usize,
            clock,
            pace,
        };
        let shared = Arc::clone(shared);
        threads.push(std::thread::spawn(move || {
            let producer = Producer::new(Arc::clone(&shared), sending);
            producer.run().inspect_err(|why| shared.fail(why))
        }));
    }
    Ok(threads)
}

/// Starts consumers that read every partition from its first record.
fn start_consumers(
    args: &VerifyArgs,
    admin: &mut Admin,
    shared: &Arc<Shared>,
) -> Result<Vec<Consuming>, String> {
    let placements = placement::consumers(&admin.leadership(shared.topic())?, args.connections as usize)?;
    let version = admin.served().agree(Api::Fetch)?;
    let start = |placement: placement::Placement| {
        let positions = placement.partitions.iter().map(|&partition| Position { partition, offset: 0 });
        let consumer = Consumer::new(Arc::clone(shared), version, positions.collect());
        let shared = Arc::clone(shared);
        std::thread::spawn(move || consumer.run().inspect_err(|why| shared.fail(why)))
    };
    Ok(placements.into_iter().map(start).collect())
}

/// What all producers got acknowledged, and how many batches they sent again.
fn join_producers(threads: Vec<Producing>, shared: &Shared) -> (Vec<Acknowledged>, u64) {
    let (mut acknowledged, mut resent) = (Vec::new(), 0);
    for thread in threads {
        match thread.join() {
            Ok(Ok(produced)) => {
                acknowledged.extend(produced.acknowledged);
                resent += produced.resent;
            }
            Ok(Err(_)) => {}
            Err(_) => shared.fail("a producing thread was lost"),
        }
    }
    (acknowledged, resent)
}

fn join_consumers(threads: Vec<Consuming>) -> Result<Verdict, String> {
    let mut sum = Verdict::default();
    for thread in threads {
        sum += thread.join().map_err(|_| "a consuming thread was lost")??;
    }
    Ok(sum)
}

fn to_json(findings: &Findings, moments: &Moments) -> Value {
    json!({
        "ok": findings.is_clean(),
        "error": null,
        "seed": moments.seed(),
        "kills": findings.kills,
        "acknowledged_records": findings.acknowledged,
        "batches_sent_again": findings.resent,
        "following": summary::verification(findings.following),
        "read_again": summary::verification(findings.again),
    })
}

fn in_words(findings: &Findings) -> String {
    let reading = |what: &str, v: &Verdict| {
        format!(
            "{what}: {} records, {} lost, {} duplicated, {} out of order, {} corrupt\n",
            v.verified, v.lost, v.duplicated, v.reordered, v.corrupt
        )
    };
    format!(
        "{}: {} records acknowledged, the broker killed {} times, {} batches sent again\n{}{}",
        if findings.is_clean() { "verified" } else { "NOT verified" },
        findings.acknowledged,
        findings.kills.len(),
        findings.resent,
        reading("  read while they came ", &findings.following),
        reading("  read again at the end", &findings.again),
    )
}

#[cfg(test)]
mod tests;
