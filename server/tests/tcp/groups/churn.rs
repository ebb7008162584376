//! A group of a hundred partitions whose members come, leave and die under load: every record is delivered, and nobody
//! skips one.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::JoinGroupResponse;

use crate::support::members::{Member, committed, decode};
use crate::support::requests::{batch, create, fetch, produce_all};
use crate::support::stored::values;
use crate::support::{Client, Server};

const PARTITIONS: i32 = 100;
const GROUP: &str = "churn";
const TOPIC: &str = "t";
/// How long members come and go, at least.
const CHURN: Duration = Duration::from_secs(12);
/// Records that are a load, and how often members have to have got a share.
const RECORDS_MIN: i64 = 10_000;
const SHARES_MIN: usize = 30;
/// A dead member is missed after this.
const SESSION_MS: i32 = 1_500;
const PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of a member.
#[derive(Clone, Copy)]
enum Fate {
    Stays,
    /// It says so.
    Leaves(Duration),
    /// Its connection ends, and nothing is said.
    Dies(Duration),
}

/// What the threads share.
struct Run {
    address: String,
    /// Offsets delivered, by partition.
    delivered: Vec<Mutex<BTreeSet<i64>>>,
    /// Offsets acknowledged to the producer, by partition: one past the last.
    ends: Vec<AtomicI64>,
    done: AtomicBool,
    /// From asking to join to having a share.
    rebalances: Mutex<Vec<Duration>>,
}

impl Run {
    fn produced(&self) -> i64 {
        self.ends.iter().map(|end| end.load(Ordering::Acquire)).sum()
    }

    /// Whether there was enough of it; a slow machine needs longer.
    fn is_over(&self, began: Instant) -> bool {
        let enough =
            self.produced() > RECORDS_MIN && self.rebalances.lock().expect("no panic").len() > SHARES_MIN;
        began.elapsed() > if enough { CHURN } else { PATIENCE }
    }

    fn produce(&self, began: Instant) {
        let mut client = Client::connect(&self.address);
        let mut first = 0;
        while !self.is_over(began) {
            let partitions = (first..first + 25).map(|partition| partition % PARTITIONS);
            let batches = partitions.map(|partition| (partition, batch(&["a", "b", "c"]))).collect();
            let response = client.call(9, &produce_all(TOPIC, batches));
            for partition in &response.responses[0].partition_responses {
                assert_eq!(partition.error_code, 0);
                let index = usize::try_from(partition.index).expect("not negative");
                self.ends[index].store(partition.base_offset + 3, Ordering::Release);
            }
            first = (first + 25) % PARTITIONS;
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn missing(&self) -> i64 {
        let delivered =
            |partition: usize| i64::try_from(self.delivered[partition].lock().expect("no panic").len());
        self.ends
            .iter()
            .enumerate()
            .map(|(at, end)| end.load(Ordering::Acquire) - delivered(at).expect("few"))
            .sum()
    }

    /// A member from its start to its end.
    fn consume(&self, fate: Fate) {
        let began = Instant::now();
        let mut member = Member::new(&self.address, GROUP);
        member.session_ms = SESSION_MS;
        loop {
            let Some(share) = self.join(&mut member) else { continue };
            if self.read(&mut member, &share, fate, began) {
                return;
            }
        }
    }

    /// One attempt to get a share.
    fn join(&self, member: &mut Member) -> Option<Vec<i32>> {
        let asked = Instant::now();
        let sent = member.send_join();
        let joined = member.joined(sent);
        if joined.error_code != 0 {
            forget_if_unknown(member, joined.error_code);
            return None;
        }
        let synced = member.sync(&assign(&joined));
        if synced.error_code != 0 {
            forget_if_unknown(member, synced.error_code);
            return None;
        }
        self.rebalances.lock().expect("no panic").push(asked.elapsed());
        Some(decode(&synced.assignment))
    }

    /// Reads until there is something else to do; says whether the member has ended.
    fn read(&self, member: &mut Member, share: &[i32], fate: Fate, began: Instant) -> bool {
        let from = committed(&mut member.client, GROUP, TOPIC, share);
        let mut next: Vec<(i32, i64)> =
            share.iter().zip(from).map(|(partition, offset)| (*partition, offset.max(0))).collect();
        loop {
            match fate {
                Fate::Dies(after) if began.elapsed() > after => return true,
                Fate::Leaves(after) if began.elapsed() > after => {
                    member.leave();
                    return true;
                }
                _ if self.done.load(Ordering::Acquire) => {
                    member.leave();
                    return true;
                }
                _ => {}
            }
            self.fetch(member, &mut next);
            let error = if next.is_empty() { 0 } else { member.commit(TOPIC, &next) };
            let error = if error == 0 { member.heartbeat() } else { error };
            if error != 0 {
                forget_if_unknown(member, error);
                return false;
            }
        }
    }

    fn fetch(&self, member: &mut Member, next: &mut [(i32, i64)]) {
        let response = member.client.call(11, &fetch(TOPIC, next).with_max_wait_ms(50));
        for part in response.responses.iter().flat_map(|topic| &topic.partitions) {
            assert_eq!(part.error_code, 0);
            let place =
                next.iter_mut().find(|place| place.0 == part.partition_index).expect("it was asked for");
            let index = usize::try_from(part.partition_index).expect("not negative");
            let from = place.1;
            for (offset, _) in values(part).into_iter().filter(|(offset, _)| *offset >= from) {
                assert_eq!(offset, place.1, "partition {}: nothing is skipped", place.0);
                self.delivered[index].lock().expect("no panic").insert(offset);
                place.1 += 1;
            }
        }
    }
}

fn forget_if_unknown(member: &mut Member, error: i16) {
    match error {
        25 => member.id.clear(),
        22 | 27 => {}
        other => panic!("error {other}"),
    }
}

/// Partitions in turn, by the leader.
fn assign(joined: &JoinGroupResponse) -> Vec<(String, Vec<i32>)> {
    let count = i32::try_from(joined.members.len()).expect("few");
    let share = |at: i32| (0..PARTITIONS).filter(|partition| partition % count == at).collect();
    joined.members.iter().zip(0..).map(|(member, at)| (member.member_id.to_string(), share(at))).collect()
}

#[test]
fn every_record_is_delivered_whoever_comes_leaves_or_dies() {
    let server = Server::start(&["group.initial.rebalance.delay.ms=100", "group.min.session.timeout.ms=500"]);
    create(&mut server.connect(), TOPIC, PARTITIONS);
    let run = Run {
        address: server.address.clone(),
        delivered: (0..PARTITIONS).map(|_| Mutex::default()).collect(),
        ends: (0..PARTITIONS).map(|_| AtomicI64::new(0)).collect(),
        done: AtomicBool::new(false),
        rebalances: Mutex::default(),
    };
    let run = &run;
    let began = Instant::now();
    thread::scope(|threads| {
        threads.spawn(move || run.produce(began));
        for _ in 0..3 {
            threads.spawn(move || run.consume(Fate::Stays));
        }
        let life = Duration::from_millis(2_500);
        for fate in [Fate::Leaves(life), Fate::Dies(life)].into_iter().cycle() {
            if run.is_over(began) {
                break;
            }
            threads.spawn(move || run.consume(fate));
            thread::sleep(Duration::from_millis(1_000));
        }
        let patient_until = Instant::now() + PATIENCE;
        while run.missing() > 0 && Instant::now() < patient_until {
            thread::sleep(Duration::from_millis(50));
        }
        run.done.store(true, Ordering::Release);
    });
    assert_eq!(run.missing(), 0, "records that nobody was given");
    let produced = run.produced();
    assert!(produced > RECORDS_MIN, "{produced} records are no load");
    let mut rebalances = run.rebalances.lock().expect("no panic").clone();
    rebalances.sort_unstable();
    let at = |share: usize| rebalances[(rebalances.len() - 1) * share / 100];
    println!(
        "{produced} records; {} times a member got a share: half within {:?}, 9 of 10 within {:?}, all within {:?} \
         (a dead member is missed after {SESSION_MS} ms)",
        rebalances.len(),
        at(50),
        at(90),
        at(100)
    );
    assert!(rebalances.len() > SHARES_MIN, "{} are few", rebalances.len());
}
