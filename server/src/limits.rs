//! Every limit of the server, each with its reason. Those that an operator may want to change are properties
//! (`config::table`); their defaults stand here too.

use tora_engine::io::SEND_SLICES_MAX;
use tora_engine::mailbox::Lane;

/// The largest request (`socket.request.max.bytes`): Kafka's default. Nothing longer is ever buffered.
pub const REQUEST_BYTES_MAX: u32 = 100 << 20;

/// Bytes of large requests that may be in memory at a time, over all shards (`queued.max.request.bytes`): one of the
/// largest, and room beside it.
pub const QUEUED_REQUEST_BYTES_MAX: u64 = 128 << 20;

/// Connections at a time, over all shards (`max.connections`). Each costs at least [`RECEIVE_BYTES_BASE`].
pub const CONNECTIONS_MAX: u32 = 10_000;

/// A connection without progress is closed after this (`connections.max.idle.ms`): Kafka's default.
pub const IDLE_MS: u64 = 600_000;

/// Record bytes of one Fetch response (`fetch.max.bytes`), whatever the client asks for: enough for full throughput at
/// one response a millisecond, little enough that a few slow consumers don't pin all of a shard's memory.
pub const FETCH_BYTES_MAX: u32 = 8 << 20;

/// Fetch sessions at a time, over all shards (`max.incremental.fetch.session.cache.slots`): Kafka's default.
pub const FETCH_SESSIONS_MAX: usize = 1000;

/// Partitions of all fetch sessions of a shard, at some hundred bytes each. Past it, sessions are declined.
pub const SESSION_PARTITIONS_MAX: usize = 200_000;

/// A fetch session is safe from younger ones for so long (Kafka's `min.incremental.fetch.session.eviction.ms`).
pub const SESSION_EVICTION_MS: u64 = 120_000;

/// How long a fetch session watches a partition before it looks for itself: what a session that is gone leaves behind
/// goes after it.
pub const SESSION_WATCH_MS: u64 = 60_000;

/// Watches of fetch sessions under way on a shard's own partitions: sessions that come and go leave theirs for a minute.
pub const SESSION_WATCHES_HERE_MAX: usize = 2 * SESSION_PARTITIONS_MAX;

/// The same on each other shard's partitions. They hold mailbox room for as long as nothing happens, and must leave some
/// to fetches without a session.
pub const SESSION_WATCHES_THERE_MAX: usize = 768;

/// What a connection receives into at first: many small requests, or a good part of a large one.
pub const RECEIVE_BYTES_BASE: usize = 16 * 1024;

/// What a busy connection's buffer grows to: past this, larger receives cost more in the cache than they save.
pub const RECEIVE_BYTES_GROWN: usize = 256 * 1024;

/// Grown receive buffers of a shard in all. Past it, connections keep the first size, and a request that does not fit
/// is received like a large one.
pub const RECEIVE_BYTES_GROWN_ALL: usize = 32 << 20;

/// Receive buffers of one connection that are full but still read from. Past it, the connection isn't read until the
/// shards have taken over what it sent.
pub const RECEIVE_BUFFERS_RETIRED_MAX: usize = 16;

/// Requests of a connection that are cut from its stream and not yet answered. Producers keep 5 (idempotent) to some
/// hundreds under way; past it, the connection isn't read.
pub const REQUESTS_PER_CONNECTION_MAX: usize = 256;

/// Response bytes that wait for a client to read them. Past it, none of its requests is started.
pub const OUTGOING_BYTES_MAX: usize = 1 << 20;

/// Record bytes of a core's responses that wait for their clients and hold the log's memory. Past it they are let go of,
/// and asked for again: four of the largest responses, so that clients that keep up are never touched.
pub const RECORDS_HELD_MAX: usize = 4 * FETCH_BYTES_MAX as usize;

/// A client that has taken nothing for so long while something waits for it is let go of first.
pub const LAGGING_MS: u64 = 100;

/// Bytes of one send, which hold their memory until the client has taken them: more would save nothing.
pub const SEND_BYTES_MAX: usize = 1 << 20;

/// The same while half of [`RECORDS_HELD_MAX`] waits, and what is asked for again at a time: ten thousand clients that do
/// not read then hold little more than their own buffers.
pub const SEND_BYTES_TIGHT: usize = 128 << 10;

/// A pooled piece of response memory. Responses share it, so a slow client may hold this much for a small one.
pub const RESPONSE_CHUNK_BYTES: usize = 64 * 1024;

/// Pieces of response memory that are kept to be used again.
pub const RESPONSE_CHUNKS_KEPT: usize = 8;

/// Connections that may be on their way from the accepting shard to another one.
pub const INBOX_CONNECTIONS: usize = 1024;

/// How often idle connections are looked for.
pub const TICK_MS: u64 = 1000;

/// How soon a connection that waits for memory looks again. Memory may come back from another core, which does not say
/// so.
pub const MEMORY_RETRY_MS: u64 = 1;

/// How long a stopping shard waits for its connections' last responses to be read. Less than the engine gives it.
pub const STOP_MS: u64 = 2_000;

/// How often a stopping shard looks whether it may end its connections.
pub const STOP_POLL_MS: u64 = 10;

/// Elements of all arrays in one request, whatever they are: each may cost a table entry while it is answered, which is
/// many times the bytes that it takes in the request.
pub const ELEMENTS_PER_REQUEST_MAX: usize = 200_000;

/// Partitions in one DescribeTopicPartitions response (Kafka's `max.request.partition.size.limit`): its default.
pub const PARTITIONS_PER_PAGE_MAX: usize = 2000;

/// How soon, and how often, listening is tried again on a port in use: for two seconds.
pub const LISTEN_RETRY_MS: u64 = 50;
/// See [`LISTEN_RETRY_MS`].
pub const LISTEN_TRIES: u32 = 40;

/// How soon accepting is tried again where it failed: out of descriptors, say, which a connection's end will help.
pub const ACCEPT_RETRY_MS: u64 = 100;

/// Ids of one group that were given out and whose owners have not joined. Clients join within milliseconds of being told.
pub const PENDING_MEMBERS_MAX: usize = 10_000;

/// A member that has not been in a generation yet is given up after this: its client may have given up waiting for the
/// answer that tells its id, and asked again (Kafka's time).
pub const NEW_MEMBER_JOIN_MS: u64 = 300_000;

/// Bytes of a name in a group request (the group's, a member's, an assignor's): what the stored records' two-byte lengths
/// hold, with room for the UUID that a member's id gets.
pub const GROUP_NAME_BYTES_MAX: usize = i16::MAX as usize - 64;

/// Messages about groups on their way to a core. More wait where they come from.
pub const GROUP_MAIL_SLOTS: usize = 1024;

/// Requests to groups that wait at one core for room in another's queue. More are refused, and clients ask again.
pub const GROUP_MAIL_WAITING_MAX: usize = 100_000;

/// Messages about groups that a core takes in one turn, so that its connections get theirs.
pub const GROUP_MAIL_PER_TURN: usize = 512;

/// How soon what a full queue did not take is sent again.
pub const GROUP_MAIL_RETRY_MS: u64 = 1;

/// For so long those who ask a coordinator that is reading its log are held: most logs are read sooner, and clients that
/// are sent away wait longer than that before they ask again.
pub const GROUP_LOAD_HOLD_MS: u64 = 500;

/// How many are held.
pub const GROUP_LOAD_HELD_MAX: usize = 10_000;

/// What a coordinator reads of its log at a time.
pub const GROUP_LOAD_READ_BYTES: usize = 1 << 20;

/// A batch's header, and more: what a coordinator's records have to leave of `max.message.bytes`.
pub const BATCH_FRAME_BYTES: usize = 128;

/// Partitions of `__consumer_offsets` (`offsets.topic.num.partitions`): Kafka's 50, which spread over any number of cores;
/// those that no group falls into cost nothing.
pub const OFFSETS_PARTITIONS: i32 = 50;

/// A segment of `__consumer_offsets`: what is given up goes by whole segments, so they are small beside the growth that
/// is allowed between two times.
pub const OFFSETS_SEGMENT_BYTES: u64 = 16 << 20;

/// Bytes by which a partition of `__consumer_offsets` grows before its live state is written again: read in well under a
/// second when the server starts.
pub const OFFSETS_COMPACT_BYTES: u64 = 64 << 20;

/// A coordinator's live state is written again in steps of this, so that a large one does not hold up its shard.
pub const COMPACTION_STEP_BYTES: usize = 1 << 20;

const _: () = {
    assert!(RECEIVE_BYTES_BASE < RECEIVE_BYTES_GROWN && RECEIVE_BYTES_GROWN < REQUEST_BYTES_MAX as usize);
    assert!(QUEUED_REQUEST_BYTES_MAX >= REQUEST_BYTES_MAX as u64);
    assert!(SEND_SLICES_MAX >= 2, "a response may need a slice of its own beside its records");
    assert!(RESPONSE_CHUNK_BYTES >= 4096);
    assert!(SESSION_WATCHES_THERE_MAX < Lane::Watch.shard_credits() as usize);
};
