//! Coordinators on the engine on the simulated machine, whose power goes at any point: after each restart a group has
//! what was acknowledged last, or something that was committed after it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};

use tora_engine::Config;
use tora_engine::io::{CHUNK_SIZE, Completion, Io, Pool};
use tora_engine::mailbox::mail;
use tora_engine::open::load;
use tora_engine::placement::CATALOG_SHARD;
use tora_engine::reactor::Reactor;
use tora_engine::request::Reply;
use tora_engine::service::Service;
use tora_engine::shard::Shard;
use tora_engine::sim::{Faults, Rng, SimIo, SimWorld, Step};
use tora_engine::types::{Nanos, PartitionId, ShardId, TopicId};

use super::{Groups, Mail};
use crate::api::{Asked, Client, Purpose};
use crate::config::Settings;
use crate::coordinator::{
    Answer, Ask, Commit, Committed, Identity, Name, OFFSETS_TOPIC, OffsetKey, Ticket, partition_of,
};
use crate::error_code::ErrorCode;
use crate::slab::Slab;

const SEEDS: u64 = 60;
const LIVES: u64 = 5;
const GROUPS: usize = 12;
const OFFSETS_PARTITIONS: i32 = 4;
/// Commits and deletions of one core that may be under way.
const UNDER_WAY_MAX: usize = 6;
const STEPS_MAX: u64 = 300_000;

/// What was committed for a group's one partition.
#[derive(Default)]
struct Told {
    /// The last value that was acknowledged; `None` where the group was deleted, or never had one.
    acknowledged: Option<i64>,
    /// Values that were sent after it and not answered with success; each may be there all the same.
    later: Vec<Option<i64>>,
}

/// What the coordinators have promised, across all lives.
#[derive(Default)]
struct Ledger {
    groups: BTreeMap<usize, Told>,
    next_offset: i64,
    /// Groups whose offsets were compared with this since the last start.
    compared: usize,
    commits: u64,
}

/// A core's clients.
struct Bench {
    ledger: Arc<Mutex<Ledger>>,
    core: ShardId,
    groups: Groups,
    asked: Slab<Asked>,
    /// What each ticket was for: the group, and the value sent, or `None` for a question.
    tickets: BTreeMap<u32, (usize, Option<Option<i64>>)>,
    rng: Rng,
    creating: bool,
    started: bool,
    /// Groups whose coordinators were still reading, to be asked again.
    again: Vec<usize>,
    again_at: Option<Nanos>,
}

impl Bench {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nobody has panicked")
    }

    fn ask(&mut self, shard: &Shard<SimIo>, group: usize, ask: Ask, sent: Option<Option<i64>>) {
        let topic = shard.catalog().topic_named(OFFSETS_TOPIC).expect("it was made");
        let name = name(group);
        let partition = partition_of(&name, topic.partitions);
        let purpose = Purpose::Part { sequence: 0, part: 0 };
        let tag = self.asked.insert(Asked::Client(Client { connection: 0, serial: 0, purpose }));
        let ticket = Ticket { core: self.core, tag };
        self.tickets.insert(tag, (group, sent));
        self.groups.desk.ask(self.core, Mail::Ask { ticket, partition, group: name, ask });
    }

    /// The groups whose coordinators are on this core.
    fn own(&self, shard: &Shard<SimIo>) -> Vec<usize> {
        let topic = shard.catalog().topic_named(OFFSETS_TOPIC).expect("it was made");
        let owner = |group: &usize| {
            let partition = partition_of(&name(*group), topic.partitions);
            shard.owner(PartitionId::new(topic.id, partition)) == self.core
        };
        (0..GROUPS).filter(owner).collect()
    }

    fn commit_or_delete(&mut self, shard: &Shard<SimIo>) {
        let own = self.own(shard);
        while self.tickets.len() < UNDER_WAY_MAX && !own.is_empty() {
            let group = own[self.rng.index(own.len())];
            if self.rng.one_in(12) {
                self.ledger().groups.entry(group).or_default().later.push(None);
                self.ask(shard, group, Ask::Delete, Some(None));
                continue;
            }
            let offset = {
                let mut ledger = self.ledger();
                ledger.next_offset += 1;
                let offset = ledger.next_offset;
                ledger.groups.entry(group).or_default().later.push(Some(offset));
                offset
            };
            let identity = Identity { member: Name::from(""), instance: None, generation: -1 };
            let committed = Committed {
                offset,
                leader_epoch: -1,
                metadata: Name::from("x".repeat(self.rng.index(300))),
                committed_at: 0,
                expires_at: None,
                topic_id: TopicId::NONE,
            };
            let commit = Commit { identity, tells_unknown_group: false, offsets: vec![(key(), committed)] };
            self.ask(shard, group, Ask::Commit(Box::new(commit)), Some(Some(offset)));
        }
    }

    fn take(&mut self, tag: u32, answer: Answer) {
        self.asked.remove(tag).expect("a ticket is answered once");
        let (group, sent) = self.tickets.remove(&tag).expect("a ticket is answered once");
        match (answer, sent) {
            (Answer::Plain(error), Some(sent)) => {
                let gone = sent.is_none() && error == ErrorCode::GROUP_ID_NOT_FOUND;
                let mut ledger = self.ledger();
                ledger.commits += 1;
                let told = ledger.groups.entry(group).or_default();
                if error.is_none() || gone {
                    let at = told.later.iter().position(|later| *later == sent).expect("it was sent");
                    told.later.drain(..=at);
                    told.acknowledged = sent;
                }
            }
            (Answer::Fetch(Err(_)), None) => self.again.push(group),
            (Answer::Fetch(Ok(found)), None) => {
                let found = found[0].1.as_ref().map(|committed| committed.offset);
                let mut ledger = self.ledger();
                ledger.compared += 1;
                let told = ledger.groups.entry(group).or_default();
                let expected = found == told.acknowledged || told.later.contains(&found);
                let Told { acknowledged, later } = told;
                assert!(
                    expected,
                    "{group}: {found:?} is there, acknowledged was {acknowledged:?}, then {later:?}"
                );
                told.acknowledged = found;
                told.later.clear();
            }
            (answer, sent) => panic!("{answer:?} to {sent:?}"),
        }
    }
}

fn name(group: usize) -> Name {
    Name::from(format!("group-{group}"))
}

/// Of the one topic that there is: what was committed for others goes when a coordinator has read its log.
fn key() -> OffsetKey {
    OffsetKey { topic: Name::from(OFFSETS_TOPIC), partition: 0 }
}

fn question() -> Ask {
    Ask::Fetch(Some(vec![key()]))
}

impl Service<SimIo> for Bench {
    fn start(&mut self, shard: &mut Shard<SimIo>) {
        self.groups.load(shard, &mut self.asked);
    }

    fn on_completion(&mut self, _: &mut Shard<SimIo>, _: Completion) {
        unreachable!("it submits nothing");
    }

    fn on_reply(&mut self, shard: &mut Shard<SimIo>, tag: u64, reply: Reply) {
        let tag = u32::try_from(tag).expect("the slab's");
        match self.asked.remove(tag).expect("each is answered once") {
            Asked::Errand(errand) => self.groups.errand_done(shard, &mut self.asked, errand, reply),
            Asked::Client(_) => assert!(matches!(reply, Reply::CreateTopic(Ok(_))), "{reply:?}"),
            Asked::SessionWatch { .. } => unreachable!("nobody fetches"),
        }
    }

    fn on_turn(&mut self, shard: &mut Shard<SimIo>) {
        if shard.catalog().topic_named(OFFSETS_TOPIC).is_none() {
            if self.core == CATALOG_SHARD && !std::mem::replace(&mut self.creating, true) {
                let purpose = Purpose::Part { sequence: 0, part: 0 };
                let tag = self.asked.insert(Asked::Client(Client { connection: 0, serial: 0, purpose }));
                let mut settings = Settings::default();
                settings.offsets_partitions = OFFSETS_PARTITIONS;
                shard.request(u64::from(tag), crate::api::offsets_topic(&settings));
            }
            return;
        }
        if !std::mem::replace(&mut self.started, true) {
            for group in self.own(shard) {
                self.ask(shard, group, question(), None);
            }
        }
        for group in std::mem::take(&mut self.again) {
            self.ask(shard, group, question(), None);
        }
        while let Some(mail) = self.groups.desk.take() {
            match mail {
                Mail::Ask { ticket, partition, group, ask } => {
                    self.groups.ask_hosted(shard, &mut self.asked, partition, ticket, group, ask);
                }
                Mail::Answer { tag, answer } => self.take(tag, answer),
                Mail::List { .. } => unreachable!("nobody lists"),
                Mail::TopicDeleted { .. } => unreachable!("nobody deletes topics"),
            }
        }
        self.groups.on_time(shard, &mut self.asked);
        self.again_at = (!self.again.is_empty()).then(|| shard.io().now().plus_millis(1));
        if self.ledger().compared >= GROUPS {
            self.commit_or_delete(shard);
        }
    }

    fn next_deadline(&self) -> Option<Nanos> {
        [self.groups.next_deadline(), self.again_at].into_iter().flatten().min()
    }

    fn has_mail(&self) -> bool {
        self.groups.has_mail()
    }

    fn on_stop(&mut self, _: &mut Shard<SimIo>) -> bool {
        true
    }
}

/// The engine with its clients, until the power goes, or, in the last life, until everything was compared.
fn live(world: &SimWorld, config: &Config, ledger: &Arc<Mutex<Ledger>>, rng: &mut Rng, last: bool) {
    let (loaded, mut catalog_log) =
        load(&world.fs(), config, 1_700_000_000_000, TopicId::from_random(1, 2)).expect("it opens");
    let (peers, inboxes) = mail::open(config.shards);
    let config = Arc::new(config.clone());
    let mut groups = Settings::default().groups;
    groups.compact_bytes = 20_000;
    groups.batch_bytes_max = 3_000;
    let mut reactors = Vec::new();
    for (number, inbox) in (0..config.shards).zip(inboxes) {
        let id = ShardId::new(number);
        let catalog_log = if id == CATALOG_SHARD { catalog_log.take() } else { None };
        let io = world.io(number, Pool::new(config.buffer_bytes / CHUNK_SIZE));
        let shard = Shard::open(io, id, Arc::clone(&config), &loaded, peers.clone(), inbox, catalog_log);
        let bench = Bench {
            ledger: Arc::clone(ledger),
            core: id,
            groups: Groups::new(id, usize::from(config.shards), groups.clone()),
            asked: Slab::default(),
            tickets: BTreeMap::new(),
            rng: rng.fork(),
            creating: false,
            started: false,
            again: Vec::new(),
            again_at: None,
        };
        reactors.push(Reactor::new(shard.expect("it opens"), bench, Arc::new(AtomicBool::new(false))));
    }
    ledger.lock().expect("nobody has panicked").compared = 0;
    if !last {
        let span = [100, 1_000, 20_000][rng.index(3)];
        world.crash_after(rng.below(span));
    }
    for _ in 0..STEPS_MAX {
        if last && ledger.lock().expect("nobody has panicked").compared >= GROUPS {
            return;
        }
        match world.step() {
            Step::Inside => {}
            Step::Crashed => break,
            Step::Idle => panic!("nothing happens any more"),
            Step::Turn(number) => match reactors[usize::from(number)].turn() {
                // It sleeps.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    assert!(world.is_crashed(), "{error}");
                    break;
                }
                Ok(_) => {}
            },
        }
    }
    assert!(!last, "not everything was compared");
    drop(reactors);
    world.crash();
}

#[test]
fn after_any_crash_a_group_has_what_was_acknowledged_or_came_later() {
    let mut commits = 0;
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let faults = Faults { short_write_one_in: 20, short_read_one_in: 20, ..Faults::none() };
        let world = SimWorld::new(rng.below(u64::MAX), faults);
        let mut config = Config::new("/data");
        config.buffer_bytes = 8 * CHUNK_SIZE;
        config.segment_bytes = 1 << 20;
        config.unflushed_bytes = 1 << 20;
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        for _ in 0..LIVES {
            config.shards = [1, 2][rng.index(2)];
            live(&world, &config, &ledger, &mut rng, false);
        }
        live(&world, &config, &ledger, &mut rng, true);
        commits += ledger.lock().expect("nobody has panicked").commits;
    }
    assert!(commits > 20_000, "{commits} answers are too few to say anything");
}
