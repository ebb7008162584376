//! Every limit of the server, each with its reason. Those that an operator may want to change are properties
//! (`config::table`); their defaults stand here too.

use tora_engine::io::SEND_SLICES_MAX;

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

/// How soon accepting is tried again where it failed: out of descriptors, say, which a connection's end will help.
pub const ACCEPT_RETRY_MS: u64 = 100;

const _: () = {
    assert!(RECEIVE_BYTES_BASE < RECEIVE_BYTES_GROWN && RECEIVE_BYTES_GROWN < REQUEST_BYTES_MAX as usize);
    assert!(QUEUED_REQUEST_BYTES_MAX >= REQUEST_BYTES_MAX as u64);
    assert!(SEND_SLICES_MAX >= 2, "a response may need a slice of its own beside its records");
    assert!(RESPONSE_CHUNK_BYTES >= 4096);
};
