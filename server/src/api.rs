//! The requests that are served: one table, one file for each.

mod alter_configs;
mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_topic_partitions;
pub mod fetch;
mod find_coordinator;
mod group_work;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
pub mod produce;
mod sync_group;

use tora_engine::io::ring::RingIo;
use tora_engine::io::{Io, Slice, socket};
use tora_engine::request::{Reply, Request};
use tora_engine::shard::Shard;
use tora_engine::types::{Nanos, Offset, PartitionId, ShardId, TopicId};

use crate::config::{HostPort, Settings};
use crate::connection::Connection;
use crate::connection::order::{Kind, Sequence};
use crate::coordinator::{Answer, Ask, Name, OFFSETS_TOPIC, Ticket, partition_of};
use crate::error_code::ErrorCode;
use crate::service::groups::{Desk, Errand, Mail};
use crate::slab::Slab;
use crate::wire::{Encoding, Malformed, Reader, Writer};
use fetch::sessions::{Place, Sessions};

pub use find_coordinator::offsets_topic;

/// Starts a request's work.
type Start = fn(&mut Reader<'_>, &Call, &mut Context<'_>) -> Result<Box<dyn Work>, Malformed>;

/// One API.
pub struct Api {
    /// Its number.
    pub key: i16,
    /// Its name in Kafka's schemas.
    pub name: &'static str,
    /// The lowest version that is advertised.
    pub min: i16,
    /// The highest.
    pub max: i16,
    /// The first version with compact lengths and tagged fields.
    pub flexible_since: i16,
    /// Whether its requests overlap.
    pub kind: Kind,
    start: Start,
}

const fn api(key: i16, name: &'static str, versions: (i16, i16), flexible_since: i16, start: Start) -> Api {
    let kind = if key == 0 { Kind::Produce } else { Kind::Alone };
    Api { key, name, min: versions.0, max: versions.1, flexible_since, kind, start }
}

/// All that is served, and nothing that is not.
pub const APIS: &[Api] = &[
    api(0, "Produce", produce::VERSIONS, 9, produce::start),
    api(1, "Fetch", fetch::VERSIONS, 12, fetch::start),
    api(2, "ListOffsets", list_offsets::VERSIONS, 6, list_offsets::start),
    api(3, "Metadata", metadata::VERSIONS, 9, metadata::start),
    api(8, "OffsetCommit", offset_commit::VERSIONS, 8, offset_commit::start),
    api(9, "OffsetFetch", offset_fetch::VERSIONS, 6, offset_fetch::start),
    api(10, "FindCoordinator", find_coordinator::VERSIONS, 3, find_coordinator::start),
    api(11, "JoinGroup", join_group::VERSIONS, 6, join_group::start),
    api(12, "Heartbeat", heartbeat::VERSIONS, 4, heartbeat::start),
    api(13, "LeaveGroup", leave_group::VERSIONS, 4, leave_group::start),
    api(14, "SyncGroup", sync_group::VERSIONS, 4, sync_group::start),
    api(15, "DescribeGroups", describe_groups::VERSIONS, 5, describe_groups::start),
    api(16, "ListGroups", list_groups::VERSIONS, 3, list_groups::start),
    api(18, "ApiVersions", api_versions::VERSIONS, 3, api_versions::start),
    api(19, "CreateTopics", create_topics::VERSIONS, 5, create_topics::start),
    api(20, "DeleteTopics", delete_topics::VERSIONS, 4, delete_topics::start),
    api(21, "DeleteRecords", delete_records::VERSIONS, 2, delete_records::start),
    api(22, "InitProducerId", init_producer_id::VERSIONS, 2, init_producer_id::start),
    api(23, "OffsetForLeaderEpoch", offset_for_leader_epoch::VERSIONS, 4, offset_for_leader_epoch::start),
    api(32, "DescribeConfigs", describe_configs::VERSIONS, 4, describe_configs::start),
    api(33, "AlterConfigs", alter_configs::VERSIONS, 2, alter_configs::start),
    api(37, "CreatePartitions", create_partitions::VERSIONS, 2, create_partitions::start),
    api(42, "DeleteGroups", delete_groups::VERSIONS, 2, delete_groups::start),
    api(
        44,
        "IncrementalAlterConfigs",
        incremental_alter_configs::VERSIONS,
        1,
        incremental_alter_configs::start,
    ),
    // Its encoding never became flexible.
    api(47, "OffsetDelete", offset_delete::VERSIONS, i16::MAX, offset_delete::start),
    api(60, "DescribeCluster", describe_cluster::VERSIONS, 0, describe_cluster::start),
    api(
        75,
        "DescribeTopicPartitions",
        describe_topic_partitions::VERSIONS,
        0,
        describe_topic_partitions::start,
    ),
];

const API_VERSIONS: i16 = 18;

/// The API with this number.
#[must_use]
pub fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key == key)
}

/// A request that is under way.
pub trait Work: Send {
    /// Takes the answer to the engine request that was made as `part`.
    fn on_reply(&mut self, part: u32, reply: Reply, cx: &mut Context<'_>);

    /// Takes the answer of the group that was asked as `part`. Only for work that [asks groups](Context::ask_group).
    fn on_group_answer(&mut self, _: u32, _: Answer, _: &mut Context<'_>) {
        unreachable!("it asks no group");
    }

    /// One of the partitions it waits for may have more, or the time that it set is up. Only for work that
    /// [waits](Context::wait).
    fn on_wake(&mut self, _: &mut Context<'_>) {
        unreachable!("it waits for nothing");
    }

    /// Whether everything for the response is there.
    fn is_done(&self) -> bool;

    /// What becomes of it when it is done.
    fn ending(&self) -> Ending {
        Ending::Respond
    }

    /// Writes the response's body.
    fn write(&mut self, call: &Call, out: &mut Writer, cx: &mut Context<'_>);
}

/// What becomes of a request that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its response is sent.
    Respond,
    /// Nothing is sent.
    Silence,
    /// The connection is closed, for this reason.
    Close(&'static str),
}

/// What a request's header says.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its API.
    pub key: i16,
    /// The version that the client chose.
    pub version: i16,
    /// What the client recognises the response by.
    pub correlation_id: i32,
    /// How the body is written.
    pub encoding: Encoding,
}

/// A request to the engine, or to a group, that has not been answered.
pub enum Asked {
    /// On behalf of a client.
    Client(Client),
    /// By one of this core's coordinators, to the engine.
    Errand(Errand),
    /// A fetch session watches a partition, whichever connection its next fetch comes from.
    SessionWatch {
        /// The session.
        session: i32,
        /// The partition's place in it.
        place: Place,
        /// The watch's number.
        watch: u32,
        /// Whose core the partition is.
        owner: ShardId,
    },
}

/// On whose behalf something was asked.
pub struct Client {
    /// The connection, by number.
    pub connection: u32,
    /// Numbers are used again; this is not.
    pub serial: u64,
    /// What for.
    pub purpose: Purpose,
}

/// What an engine request was made for.
pub enum Purpose {
    /// A part of one of the connection's requests.
    Part {
        /// Which request.
        sequence: Sequence,
        /// Which part of it.
        part: u32,
    },
    /// The connection watches a partition, for whichever of its requests waits when there is more.
    Watch(PartitionId),
    /// The next bytes of a response that the connection had let go of.
    Outgoing,
}

/// What a request waits for that is parked until there is more.
#[derive(Default)]
pub struct Waiting {
    /// Partitions with the end that was seen of each.
    pub partitions: Vec<(PartitionId, Offset)>,
    /// When it has waited long enough.
    pub until: Option<Nanos>,
}

/// What work is done with.
pub struct Context<'a> {
    /// This core's shard.
    pub shard: &'a mut Shard<RingIo>,
    /// The server's settings.
    pub settings: &'a Settings,
    /// What clients are told to connect to.
    pub advertised: &'a HostPort,
    /// Requests under way.
    pub asked: &'a mut Slab<Asked>,
    /// Where requests to groups are left.
    pub desk: &'a mut Desk,
    /// This core's connections.
    pub connections: &'a mut Slab<Connection>,
    /// What the request waits for, if it does.
    pub waiting: &'a mut Waiting,
    /// This core's fetch sessions.
    pub sessions: &'a mut Sessions,
    /// The connection, by number.
    pub connection: u32,
    /// Which of the connections with that number.
    pub serial: u64,
    /// The request's number on its connection.
    pub sequence: Sequence,
}

impl Context<'_> {
    /// Asks the engine; the reply comes to [`Work::on_reply`] with `part`.
    pub fn ask(&mut self, part: usize, request: Request) {
        let tag = self.tag(part);
        self.shard.request(u64::from(tag), request);
    }

    /// Asks a group, on whichever core it is; the answer comes to [`Work::on_group_answer`] with `part`.
    pub fn ask_group(&mut self, part: usize, group: Name, ask: Ask) {
        let ticket = Ticket { core: self.shard.id(), tag: self.tag(part) };
        let topic = self.shard.catalog().topic_named(OFFSETS_TOPIC);
        let found = topic.map(|topic| PartitionId::new(topic.id, partition_of(&group, topic.partitions)));
        let partition = found.map_or(-1, |id| id.index.value());
        let mail = Mail::Ask { ticket, partition, group, ask };
        match found {
            Some(id) => self.desk.ask(self.shard.owner(id), mail),
            // Looking for the coordinator makes the topic.
            None => self.desk.refuse(mail, ErrorCode::NOT_COORDINATOR),
        }
    }

    /// Asks every core for its groups; the answers come to [`Work::on_group_answer`]. Says how many there will be.
    pub fn ask_for_groups(&mut self) -> usize {
        let cores = self.shard.shards();
        for core in (0..cores).map(ShardId::new) {
            let ticket = Ticket { core: self.shard.id(), tag: self.tag(usize::from(core.value())) };
            self.desk.ask(core, Mail::List { ticket });
        }
        usize::from(cores)
    }

    /// Tells the groups of every core that a topic is deleted.
    pub fn tell_groups_of_deletion(&mut self, topic: &str) {
        for core in (0..self.shard.shards()).map(ShardId::new) {
            self.desk.ask(core, Mail::TopicDeleted { topic: Name::from(topic) });
        }
    }

    /// Where the client is, as Kafka writes it.
    pub fn client_host(&mut self) -> Name {
        let connection = self.connections.get_mut(self.connection).filter(|one| one.serial == self.serial);
        let peer = connection.map(|connection| socket::peer(connection.transport.socket()));
        let host = peer.as_deref().and_then(|peer| peer.rsplit_once(':')).map_or("", |(host, _)| host);
        Name::from(format!("/{host}"))
    }

    /// A random UUID.
    pub fn random_uuid(&mut self) -> TopicId {
        TopicId::from_random(self.shard.io().random(), self.shard.io().random())
    }

    fn tag(&mut self, part: usize) -> u32 {
        let part = u32::try_from(part).expect("a request's parts are limited far below 2³²");
        let purpose = Purpose::Part { sequence: self.sequence, part };
        let client = Client { connection: self.connection, serial: self.serial, purpose };
        self.asked.insert(Asked::Client(client))
    }

    /// Leaves a watch of a session (its id, the partition's place there and the watch's number) with a partition.
    pub fn watch_for_session(
        &mut self,
        (session, place, watch): (i32, Place, u32),
        partition: PartitionId,
        end: Offset,
        until: Nanos,
    ) {
        let owner = self.shard.owner(partition);
        let tag = self.asked.insert(Asked::SessionWatch { session, place, watch, owner });
        self.shard.request(u64::from(tag), Request::Watch { partition, end, until });
    }

    /// Parks the request until one of the partitions it waits for has more, or until then.
    pub fn wait(&mut self, until: Nanos) {
        self.waiting.until = Some(until);
    }

    /// Waits for a partition to have records past `end`.
    pub fn wait_for(&mut self, partition: PartitionId, end: Offset) {
        self.waiting.partitions.push((partition, end));
    }
}

/// Why a connection is of no use any more.
pub enum Refused {
    /// The request cannot be read.
    Malformed(Malformed),
    /// Nothing with this number is served.
    UnknownApi(i16),
    /// Nothing of this version is served, and the client was told what is.
    UnknownVersion {
        /// The API.
        name: &'static str,
        /// The version.
        version: i16,
    },
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(malformed) => write!(f, "a request that cannot be read: {malformed}"),
            Self::UnknownApi(key) => write!(f, "a request of the API {key}, which is not served"),
            Self::UnknownVersion { name, version } => {
                write!(f, "a {name} request of version {version}, which is not served")
            }
        }
    }
}

/// Reads a frame's header.
///
/// # Errors
/// A header that cannot be read, or names what is not served.
pub fn read_header(frame: &Slice) -> Result<(&'static Api, Call, usize), Refused> {
    let mut reader = Reader::new(frame, Encoding::Classic);
    let mut head =
        || -> Result<(i16, i16, i32), Malformed> { Ok((reader.i16()?, reader.i16()?, reader.i32()?)) };
    let (key, version, correlation_id) = head().map_err(Refused::Malformed)?;
    let api = find(key).ok_or(Refused::UnknownApi(key))?;
    let served = (api.min..=api.max).contains(&version);
    // An ApiVersions request of a version to come is answered with what is served, so its header is not read further.
    if !served && key != API_VERSIONS {
        return Err(Refused::UnknownVersion { name: api.name, version });
    }
    let encoding = Encoding::of(version, api.flexible_since);
    let call = Call { key, version, correlation_id, encoding };
    if !served {
        return Ok((api, call, frame.len()));
    }
    debug_assert_eq!(reader.position(), CLIENT_ID_AT);
    reader.classic_nullable_string().map_err(Refused::Malformed)?;
    reader.set_encoding(encoding);
    reader.skip_tagged_fields().map_err(Refused::Malformed)?;
    Ok((api, call, reader.position()))
}

/// Where a request's header has the client's id.
const CLIENT_ID_AT: usize = 8;

/// The client's id, of a request whose header was read.
///
/// # Errors
/// None, since the header was read before.
pub fn client_id(request: &[u8]) -> Result<Name, Malformed> {
    let mut reader = Reader::new(&request[CLIENT_ID_AT..], Encoding::Classic);
    Ok(Name::from(reader.nullable_string()?.unwrap_or_default()))
}

/// Starts a request whose header was read up to `body`.
///
/// # Errors
/// A body that cannot be read.
pub fn start(
    api: &Api,
    call: &Call,
    frame: &Slice,
    body: usize,
    cx: &mut Context<'_>,
) -> Result<Box<dyn Work>, Malformed> {
    let mut reader = Reader::of(frame, body, call.encoding);
    (api.start)(&mut reader, call, cx)
}

/// Writes a whole response: length, header, body.
pub fn respond(work: &mut dyn Work, call: &Call, out: &mut Writer, cx: &mut Context<'_>) {
    write_response(call, out, |out| work.write(call, out, cx));
}

/// Writes a whole response whose body `write` writes.
pub fn write_response(call: &Call, out: &mut Writer, write: impl FnOnce(&mut Writer)) {
    out.clear();
    let length = out.i32_later();
    out.i32(call.correlation_id);
    out.set_encoding(call.encoding);
    // ApiVersions' response header never has tagged fields: the client does not know yet whether the broker does.
    if call.key != API_VERSIONS {
        out.no_tagged_fields();
    }
    write(out);
    let bytes = i32::try_from(out.len() - 4).expect("responses are limited far below 2 GiB");
    out.fill_i32(length, bytes);
}

/// Work that is done as soon as it is started: its response depends on nothing but the request and the catalog.
pub struct Immediate<F>(pub F);

impl<F: FnMut(&Call, &mut Writer, &mut Context<'_>) + Send> Work for Immediate<F> {
    fn on_reply(&mut self, _: u32, _: Reply, _: &mut Context<'_>) {
        unreachable!("it asks nothing");
    }

    fn is_done(&self) -> bool {
        true
    }

    fn write(&mut self, call: &Call, out: &mut Writer, cx: &mut Context<'_>) {
        (self.0)(call, out, cx);
    }
}
