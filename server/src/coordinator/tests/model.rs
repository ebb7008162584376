//! Members that come, work, fall silent, come back and are killed, chosen by a seed; the log answers late, and the
//! broker is killed now and then. What must hold all the while is checked at every step, and at the end all are one
//! stable group again.

use std::collections::BTreeMap;

use super::world::{World, identity, join, settings};
use crate::coordinator::{Answer, Ask, Identity, Join, Joined, Leaver, Name, Opaque, Settings, Sync};
use crate::error_code::ErrorCode;

const PARTITIONS: i32 = 12;
const MEMBERS: usize = 6;
const GROUP: &str = "g";
const SEEDS: u64 = 300;
const STEPS: usize = 400;

/// Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }
}

/// What a client is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Doing {
    /// Nothing: it is not in the group.
    Out,
    /// Waiting for the answer to its JoinGroup.
    Joining(u32),
    /// Waiting for the answer to its SyncGroup.
    Syncing(u32),
    /// Reading its partitions.
    Reading(Vec<i32>),
}

#[derive(Clone, Debug)]
struct Client {
    id: String,
    instance: Option<String>,
    generation: i32,
    doing: Doing,
    /// The commit that it waits for.
    committing: Option<(u32, i32, i64)>,
}

struct Model {
    world: World,
    random: Random,
    clients: Vec<Client>,
    next_id: u32,
    /// Who reads what in which generation.
    owners: BTreeMap<(i32, i32), String>,
    /// The last commit of each partition that was acknowledged.
    acknowledged: BTreeMap<i32, i64>,
    /// Commits in the order in which they were made, not answered yet.
    under_way: Vec<(i32, i64)>,
    next_offset: i64,
    rebalances: i32,
}

impl Model {
    fn new(seed: u64) -> Self {
        let settings = Settings { compact_bytes: 8_000, batch_bytes_max: 4_000, ..settings() };
        let mut world = World::with(settings);
        world.immediate = false;
        let client = |at: usize| Client {
            id: String::new(),
            // Every other one is a static member.
            instance: (at % 2 == 1).then(|| format!("i{at}")),
            generation: -1,
            doing: Doing::Out,
            committing: None,
        };
        Self {
            world,
            random: Random(seed),
            clients: (0..MEMBERS).map(client).collect(),
            next_id: 0,
            owners: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            under_way: Vec::new(),
            next_offset: 1,
            rebalances: 0,
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..55 => {
                let who = self.random.below(MEMBERS);
                self.act(who);
            }
            55..75 if !self.world.pending.is_empty() => self.world.acknowledge(),
            75..95 => {
                let millis = self.random.next() % 2_000;
                self.world.pass(millis);
            }
            95..97 => self.kill(),
            97 => self.crash(),
            _ => {}
        }
        self.hear();
    }

    fn act(&mut self, who: usize) {
        let client = self.clients[who].clone();
        match client.doing {
            Doing::Out => self.join(who),
            Doing::Joining(_) | Doing::Syncing(_) => {}
            Doing::Reading(partitions) => match self.random.below(10) {
                0..5 => {
                    let heartbeat = Ask::Heartbeat(self.identity(who));
                    let tag = self.world.ask(GROUP, heartbeat);
                    let error = self.world.plain(tag);
                    self.after(who, error);
                }
                5..9 if client.committing.is_none() && !partitions.is_empty() => {
                    let partition = partitions[self.random.below(partitions.len())];
                    self.commit(who, partition);
                }
                9 if self.random.below(4) == 0 => self.leave(who),
                _ => {}
            },
        }
    }

    fn identity(&self, who: usize) -> Identity {
        let client = &self.clients[who];
        let instance = client.instance.as_deref().map(Name::from);
        Identity { instance, ..identity(&client.id, client.generation) }
    }

    fn join(&mut self, who: usize) {
        let fresh = format!("m{}", self.next_id);
        self.next_id += 1;
        let client = &self.clients[who];
        let instance = client.instance.as_deref().map(Name::from);
        let request = Join { instance, ..join(&client.id, &fresh) };
        let tag = self.world.ask(GROUP, Ask::Join(Box::new(request)));
        self.clients[who].doing = Doing::Joining(tag);
    }

    fn commit(&mut self, who: usize, partition: i32) {
        let offset = self.next_offset;
        self.next_offset += 1;
        let identity = self.identity(who);
        let tag = self.world.commit(GROUP, identity, partition, offset);
        self.under_way.push((partition, offset));
        self.clients[who].committing = Some((tag, partition, offset));
        if !self.world.answers.contains_key(&tag) {
            let owner = self.owners.get(&(self.clients[who].generation, partition));
            let name = self.name(who);
            assert_eq!(owner, Some(&name), "only who reads a partition commits it");
        }
    }

    fn leave(&mut self, who: usize) {
        let client = &self.clients[who];
        let instance = client.instance.as_deref().map(Name::from);
        let leaver = Leaver { member: Name::from(client.id.as_str()), instance };
        let tag = self.world.ask(GROUP, Ask::Leave(vec![leaver]));
        assert!(matches!(self.world.answer(tag), Answer::Leave(ErrorCode::NONE, _)));
        self.out(who);
    }

    /// A client forgets everything, without a word.
    fn kill(&mut self) {
        let who = self.random.below(MEMBERS);
        self.out(who);
    }

    fn out(&mut self, who: usize) {
        let client = &mut self.clients[who];
        client.id.clear();
        client.generation = -1;
        client.doing = Doing::Out;
        client.committing = None;
    }

    /// The broker is killed; what was not acknowledged is there in part. Clients lose their connections.
    fn crash(&mut self) {
        let kept = self.random.below(self.world.pending.len() + 1);
        self.world.crash(kept);
        self.world.answers.clear();
        for who in 0..MEMBERS {
            let client = &mut self.clients[who];
            client.committing = None;
            if matches!(client.doing, Doing::Joining(_) | Doing::Syncing(_)) {
                client.doing = Doing::Out;
            }
        }
        // Each partition has what was acknowledged last, or something that was committed after it.
        for partition in 0..PARTITIONS {
            let found = self.world.committed(GROUP, partition);
            let last = self.acknowledged.get(&partition).copied();
            let later = self.under_way.iter().any(|(of, offset)| *of == partition && Some(*offset) == found);
            assert!(found == last || later, "{partition}: {found:?} is there, {last:?} was acknowledged");
            if let Some(found) = found {
                self.acknowledged.insert(partition, found);
            }
        }
        self.under_way.clear();
    }

    /// Clients take the answers that have come.
    fn hear(&mut self) {
        for who in 0..MEMBERS {
            let client = self.clients[who].clone();
            match client.doing {
                Doing::Joining(tag) if self.world.answers.contains_key(&tag) => {
                    let joined = self.world.joined(tag);
                    self.on_joined(who, joined);
                }
                Doing::Syncing(tag) if self.world.answers.contains_key(&tag) => {
                    let share = self.world.share(tag);
                    self.on_share(who, share);
                }
                _ => {}
            }
            if let Some((tag, partition, offset)) = client.committing
                && self.world.answers.contains_key(&tag)
            {
                let error = self.world.plain(tag);
                self.clients[who].committing = None;
                self.on_committed(partition, offset, error);
                self.after(who, error);
            }
        }
        // Answers to clients that were killed.
        let late: Vec<(u32, Answer)> = std::mem::take(&mut self.world.answers).into_iter().collect();
        for (tag, answer) in late {
            let waited_for = self.clients.iter().any(|client| {
                client.doing == Doing::Joining(tag)
                    || client.doing == Doing::Syncing(tag)
                    || client.committing.is_some_and(|(of, ..)| of == tag)
            });
            if waited_for {
                self.world.answers.insert(tag, answer);
            }
        }
        for partition in 0..PARTITIONS {
            let found = self.world.committed(GROUP, partition);
            let last = self.acknowledged.get(&partition).copied();
            let later = self.under_way.iter().any(|(of, offset)| *of == partition && Some(*offset) == found);
            assert!(found == last || later, "{partition}: {found:?} is told, {last:?} was acknowledged");
        }
    }

    fn on_committed(&mut self, partition: i32, offset: i64, error: ErrorCode) {
        self.under_way.retain(|commit| *commit != (partition, offset));
        if error.is_none() {
            let before = self.acknowledged.insert(partition, offset);
            // A killed client's commit may be acknowledged after a newer one's, never the other way round.
            assert!(
                before.is_none_or(|before| before < offset)
                    || self.world.committed(GROUP, partition) >= before
            );
            if let Some(before) = before.filter(|before| *before > offset) {
                self.acknowledged.insert(partition, before);
            }
        }
    }

    fn on_joined(&mut self, who: usize, joined: Joined) {
        let client = &mut self.clients[who];
        match joined.error {
            ErrorCode::NONE => {
                client.id = joined.member.to_string();
                client.generation = joined.generation;
                self.rebalances = self.rebalances.max(joined.generation);
                let leads = joined.leader == joined.member && !joined.skip_assignment;
                assert!(leads || joined.skip_assignment || joined.members.is_empty());
                let shares = if leads { assign(&joined.members) } else { Vec::new() };
                let identity = self.identity(who);
                let sync = Sync { identity, protocol_type: None, protocol: None, assignments: shares };
                let tag = self.world.ask(GROUP, Ask::Sync(Box::new(sync)));
                self.clients[who].doing = Doing::Syncing(tag);
            }
            ErrorCode::MEMBER_ID_REQUIRED => {
                client.id = joined.member.to_string();
                client.doing = Doing::Out;
            }
            _ => self.out(who),
        }
    }

    fn name(&self, who: usize) -> String {
        let client = &self.clients[who];
        client.instance.clone().unwrap_or_else(|| client.id.clone())
    }

    fn on_share(&mut self, who: usize, share: Result<Vec<u8>, ErrorCode>) {
        match share {
            Ok(bytes) => {
                let partitions: Vec<i32> = bytes.into_iter().map(i32::from).collect();
                let (name, generation) = (self.name(who), self.clients[who].generation);
                for partition in &partitions {
                    let owner = self.owners.entry((generation, *partition)).or_insert_with(|| name.clone());
                    assert_eq!(*owner, name, "a partition has one reader in a generation");
                }
                self.clients[who].doing = Doing::Reading(partitions);
            }
            Err(error) => self.after(who, error),
        }
    }

    /// What a client does about an error.
    fn after(&mut self, who: usize, error: ErrorCode) {
        let client = &mut self.clients[who];
        match error {
            ErrorCode::NONE => {}
            ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::ILLEGAL_GENERATION => client.doing = Doing::Out,
            _ => self.out(who),
        }
    }

    /// Everybody behaves from now on.
    fn settle(&mut self) {
        for _ in 0..400 {
            while !self.world.pending.is_empty() {
                self.world.acknowledge();
            }
            self.hear();
            for who in 0..MEMBERS {
                if let Doing::Reading(_) = self.clients[who].doing {
                    let heartbeat = Ask::Heartbeat(self.identity(who));
                    let tag = self.world.ask(GROUP, heartbeat);
                    let error = self.world.plain(tag);
                    self.after(who, error);
                }
                if self.clients[who].doing == Doing::Out {
                    self.join(who);
                }
            }
            self.hear();
            self.world.pass(1_000);
        }
        assert_eq!(self.world.state(GROUP), "Stable");
        let mut read: Vec<i32> = Vec::new();
        let generation = self.clients[0].generation;
        for client in &self.clients {
            assert_eq!(client.generation, generation, "one generation at a time");
            let Doing::Reading(partitions) = &client.doing else { panic!("{client:?} is not reading") };
            read.extend(partitions);
        }
        read.sort_unstable();
        assert_eq!(read, (0..PARTITIONS).collect::<Vec<_>>(), "every partition is read by somebody");
        assert!(self.under_way.is_empty() || self.clients.iter().all(|client| client.committing.is_none()));
    }
}

/// Partitions in turn.
fn assign(members: &[(Name, Option<Name>, Opaque)]) -> Vec<(Name, Opaque)> {
    let share = |at: usize| -> Opaque {
        let partitions = (0..PARTITIONS)
            .filter(|partition| usize::try_from(*partition).expect("few") % members.len() == at);
        partitions.map(|partition| u8::try_from(partition).expect("few")).collect()
    };
    members.iter().enumerate().map(|(at, member)| (Name::clone(&member.0), share(at))).collect()
}

#[test]
fn whatever_members_do_they_agree_in_the_end_and_nothing_committed_is_lost() {
    let mut rebalances = 0;
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut model = Model::new(seed);
        for _ in 0..STEPS {
            model.step();
        }
        model.settle();
        rebalances += model.rebalances;
    }
    assert!(
        rebalances > i32::try_from(SEEDS).expect("few") * 3,
        "{rebalances} rebalances are too few to say anything"
    );
}
