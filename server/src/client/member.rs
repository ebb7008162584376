//! Being a member of a consumer group, by the classic protocol: joining, sharing out partitions where this member leads,
//! staying alive, committing and leaving.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::cluster::{Cluster, Partition};
use super::offsets::{Identity, Offsets, commit, first_error};
use super::{Failure, check, group, range, text, topic as topic_name};

const PROTOCOL_TYPE: &str = "consumer";
/// The version of subscriptions and assignments: later ones add fields that range has no use for, at the end.
const FORM: i16 = 0;

/// How often it gives a sign of life at least: by then it has noticed that the group shares out anew.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How soon a member without partitions looks after itself again.
const IDLE_POLL: Duration = Duration::from_millis(100);

/// How often a leader looks whether topics have got more partitions.
const COUNT_INTERVAL: Duration = Duration::from_secs(30);

const ILLEGAL_GENERATION: i16 = 22;
const INCONSISTENT_PROTOCOL: i16 = 23;
const UNKNOWN_MEMBER: i16 = 25;
const INVALID_SESSION_TIMEOUT: i16 = 26;
const REBALANCE: i16 = 27;
const MEMBER_ID_REQUIRED: i16 = 79;

/// A member of a group that reads one topic.
pub struct Member {
    group: String,
    topic: String,
    session: Duration,
    /// Set from outside when it is to end.
    stop: Arc<AtomicBool>,
    id: String,
    generation: i32,
    /// When it last gave a sign of life.
    heard_at: Instant,
    /// What was shared out, if this member did that, and when it was last looked at.
    led: Option<(BTreeMap<String, Vec<i32>>, Instant)>,
}

/// What came of asking for the share.
enum Synced {
    Share(Vec<Partition>),
    /// Somebody came or went in between.
    Again,
    /// It is to end.
    Stopped,
}

impl Member {
    /// One that has yet to join. The group does without it when it was silent for `session`.
    #[must_use]
    pub fn new(group: &str, topic: &str, session: Duration, stop: Arc<AtomicBool>) -> Self {
        let (group, topic, id) = (group.to_owned(), topic.to_owned(), String::new());
        Self { group, topic, session, stop, id, generation: -1, heard_at: Instant::now(), led: None }
    }

    /// Whether it is to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Joins, or joins again, and waits until the group has shared out its partitions; gives this member's. `None` if it
    /// is to end meanwhile.
    ///
    /// # Errors
    /// The group does not take it, or cannot be asked.
    pub fn join(&mut self, cluster: &mut Cluster) -> Result<Option<Vec<Partition>>, Failure> {
        loop {
            let Some(joined) = self.ask_to_join(cluster)? else { return Ok(None) };
            match joined.error_code {
                0 => {}
                MEMBER_ID_REQUIRED => {
                    self.id = joined.member_id.to_string();
                    continue;
                }
                UNKNOWN_MEMBER => {
                    self.id.clear();
                    continue;
                }
                REBALANCE => continue,
                code => return Err(self.refused(code)),
            }
            self.id = joined.member_id.to_string();
            self.generation = joined.generation_id;
            self.led = None;
            let shares =
                if joined.leader == joined.member_id { self.lead(cluster, &joined)? } else { Vec::new() };
            match self.sync(cluster, shares)? {
                Synced::Share(share) => return Ok(Some(share)),
                Synced::Again => {}
                Synced::Stopped => return Ok(None),
            }
        }
    }

    fn ask_to_join(&self, cluster: &mut Cluster) -> Result<Option<JoinGroupResponse>, Failure> {
        let subscription = ConsumerProtocolSubscription::default().with_topics(vec![text(&self.topic)]);
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text(range::NAME))
            .with_metadata(encoded(&subscription)?);
        let session_ms = i32::try_from(self.session.as_millis()).unwrap_or(i32::MAX);
        let request = JoinGroupRequest::default()
            .with_group_id(group(&self.group))
            .with_session_timeout_ms(session_ms)
            // It looks after itself as often as it gives signs of life, so it is back as soon.
            .with_rebalance_timeout_ms(session_ms)
            .with_member_id(text(&self.id))
            .with_protocol_type(text(PROTOCOL_TYPE))
            .with_protocols(vec![protocol]);
        cluster.ask_coordinator_until(&self.group, &request, |joined| joined.error_code, &self.stop)
    }

    fn refused(&self, code: i16) -> Failure {
        let why = check(code, None, &format!("joining the group {}", self.group)).err().unwrap_or_default();
        match code {
            INCONSISTENT_PROTOCOL => format!(
                "{why}; its members share partitions out in another way than `{}`, which is what `tora consume` knows: \
                 stop them, or take another group",
                range::NAME
            ),
            INVALID_SESSION_TIMEOUT => format!(
                "{why}; the broker takes --session-timeout from group.min.session.timeout.ms to \
                 group.max.session.timeout.ms"
            ),
            _ => why,
        }
    }

    /// Shares out the partitions of all topics that members want.
    fn lead(
        &mut self,
        cluster: &mut Cluster,
        joined: &JoinGroupResponse,
    ) -> Result<Vec<SyncGroupRequestAssignment>, Failure> {
        let mut wants = BTreeMap::new();
        for member in &joined.members {
            let topics = subscribed(member.metadata.clone()).ok_or_else(|| {
                format!("what the member {} wants cannot be read", member.member_id.as_str())
            })?;
            wants.insert(member.member_id.to_string(), topics);
        }
        let topics: BTreeSet<&String> = wants.values().flatten().collect();
        let mut partitions = BTreeMap::new();
        for topic in topics {
            partitions.insert(topic.clone(), count(cluster, topic)?);
        }
        let shares = range::assign(&wants, &partitions);
        self.led = Some((partitions, Instant::now()));
        let shares = shares.into_iter().map(|(member, share)| {
            let share = encoded(&assignment(&share))?;
            Ok(SyncGroupRequestAssignment::default().with_member_id(text(&member)).with_assignment(share))
        });
        shares.collect()
    }

    /// Asks for this member's share.
    fn sync(
        &mut self,
        cluster: &mut Cluster,
        shares: Vec<SyncGroupRequestAssignment>,
    ) -> Result<Synced, Failure> {
        let request = SyncGroupRequest::default()
            .with_group_id(group(&self.group))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_protocol_type(Some(text(PROTOCOL_TYPE)))
            .with_protocol_name(Some(text(range::NAME)))
            .with_assignments(shares);
        let synced =
            cluster.ask_coordinator_until(&self.group, &request, |synced| synced.error_code, &self.stop)?;
        let Some(synced) = synced else { return Ok(Synced::Stopped) };
        self.heard_at = Instant::now();
        if self.is_over(synced.error_code) {
            return Ok(Synced::Again);
        }
        check(synced.error_code, None, &format!("the share in the group {}", self.group))?;
        Ok(Synced::Share(assigned(synced.assignment)))
    }

    /// Whether this error means that the member has to join again; who the group does not know forgets its id.
    fn is_over(&mut self, code: i16) -> bool {
        if code == UNKNOWN_MEMBER {
            self.id.clear();
        }
        matches!(code, REBALANCE | ILLEGAL_GENERATION | UNKNOWN_MEMBER)
    }

    /// Gives a sign of life when it is time to. Whether the member still has its share, and need not join again.
    ///
    /// # Errors
    /// The group cannot be asked.
    pub fn keeps_its_share(&mut self, cluster: &mut Cluster) -> Result<bool, Failure> {
        if self.heard_at.elapsed() >= HEARTBEAT.min(self.session / 3) {
            let request = HeartbeatRequest::default()
                .with_group_id(group(&self.group))
                .with_generation_id(self.generation)
                .with_member_id(text(&self.id));
            let told =
                cluster.ask_coordinator(&self.group, i16::MAX, &request, |response| response.error_code)?;
            self.heard_at = Instant::now();
            if self.is_over(told.error_code) {
                return Ok(false);
            }
            check(told.error_code, None, &format!("the group {}", self.group))?;
        }
        self.counts_are_the_same(cluster)
    }

    fn counts_are_the_same(&mut self, cluster: &mut Cluster) -> Result<bool, Failure> {
        let Some((counted, at)) = &mut self.led else { return Ok(true) };
        if at.elapsed() < COUNT_INTERVAL {
            return Ok(true);
        }
        *at = Instant::now();
        for (topic, partitions) in counted {
            if count(cluster, topic)? != *partitions {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Commits offsets of this member's share. Whether the group took them; otherwise the member has to join again.
    ///
    /// # Errors
    /// The group cannot be asked.
    pub fn commit(&mut self, cluster: &mut Cluster, offsets: &Offsets) -> Result<bool, Failure> {
        let who = Identity { member: &self.id, generation: self.generation };
        let told = commit(cluster, &self.group, who, offsets)?;
        self.heard_at = Instant::now();
        let code = first_error(&told).unwrap_or(0);
        if self.is_over(code) {
            if code != REBALANCE {
                log::warn!(
                    "the group {} has gone on without this member: what it printed last is read again by another",
                    self.group
                );
            }
            return Ok(false);
        }
        check(code, None, &format!("committing to the group {}", self.group))?;
        Ok(true)
    }

    /// Waits before looking again whether there is something for it.
    pub fn wait_a_moment() {
        std::thread::sleep(IDLE_POLL);
    }

    /// Leaves, so that the others need not wait for it.
    ///
    /// # Errors
    /// The group cannot be asked.
    pub fn leave(&mut self, cluster: &mut Cluster) -> Result<(), Failure> {
        if self.id.is_empty() {
            return Ok(());
        }
        let member = MemberIdentity::default().with_member_id(text(&self.id));
        let request =
            LeaveGroupRequest::default().with_group_id(group(&self.group)).with_members(vec![member]);
        self.id.clear();
        let told =
            cluster.ask_coordinator(&self.group, i16::MAX, &request, |response| response.error_code)?;
        check(told.error_code, None, &format!("leaving the group {}", self.group))
    }
}

/// A topic's partitions; none of one that is not there.
fn count(cluster: &mut Cluster, name: &str) -> Result<Vec<i32>, Failure> {
    let response = cluster.metadata(Some(&[name]))?;
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let mut partitions: Vec<i32> = partitions.map(|partition| partition.partition_index).collect();
    partitions.sort_unstable();
    Ok(partitions)
}

fn encoded(message: &impl Encodable) -> Result<Bytes, Failure> {
    let mut bytes = BytesMut::from(&FORM.to_be_bytes()[..]);
    message.encode(&mut bytes, FORM).map_err(|why| why.to_string())?;
    Ok(bytes.freeze())
}

/// The topics that a member wants.
fn subscribed(mut metadata: Bytes) -> Option<BTreeSet<String>> {
    metadata.try_get_i16().ok()?;
    let subscription = ConsumerProtocolSubscription::decode(&mut metadata, FORM).ok()?;
    Some(subscription.topics.iter().map(ToString::to_string).collect())
}

fn assignment(share: &[Partition]) -> ConsumerProtocolAssignment {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in share {
        topics.entry(topic).or_default().push(*partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        TopicPartition::default().with_topic(topic_name(name)).with_partitions(partitions)
    });
    ConsumerProtocolAssignment::default().with_assigned_partitions(topics.collect())
}

/// A member's partitions, where the group is one of consumers.
#[must_use]
pub fn assigned(mut assignment: Bytes) -> Vec<Partition> {
    let decoded = assignment.try_get_i16().ok();
    let decoded = decoded.and_then(|_| ConsumerProtocolAssignment::decode(&mut assignment, FORM).ok());
    let topics = decoded.map(|decoded| decoded.assigned_partitions).unwrap_or_default().into_iter();
    topics
        .flat_map(|topic| {
            let name = topic.topic.to_string();
            topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
        })
        .collect()
}
