//! One client's connection: what comes in, in what order it is answered, what goes out.

pub mod frames;
pub mod order;
pub mod outgoing;
pub mod receive;
pub mod transport;

use std::collections::BTreeSet;

use tora_engine::io::{Slice, Socket};
use tora_engine::types::{Nanos, PartitionId};

use crate::api::{Api, Call, Work};
use crate::limits;
use order::Order;
use outgoing::Piece;
use receive::Receiver;
use transport::Transport;

/// A request that was cut from the stream and waits for its turn.
pub struct Parked {
    /// What it asks for.
    pub api: &'static Api,
    /// Its header.
    pub call: Call,
    /// All of it.
    pub frame: Slice,
    /// Where its body begins there.
    pub body: usize,
}

/// A request under way.
pub struct Job {
    /// What answers it.
    pub work: Box<dyn Work>,
    /// Its header.
    pub call: Call,
}

/// See the module.
pub struct Connection {
    /// Tells it from others that had its number.
    pub serial: u64,
    /// Its socket.
    pub transport: Transport,
    /// What it receives into.
    pub receiver: Receiver,
    /// Its requests.
    pub order: Order<Job, Vec<Piece>>,
    /// The next request, if it has to wait.
    pub parked: Option<Parked>,
    /// Partitions that a watch is under way for.
    pub watches: BTreeSet<PartitionId>,
    /// When the request that waits for records has waited long enough; it is the only one then.
    pub waits_until: Option<Nanos>,
    /// Whether it is among those to be advanced at the end of the turn.
    pub is_dirty: bool,
    /// When bytes last came or went.
    pub last_progress: Nanos,
    /// Since when the records that go out next have been waiting: since they came, or the last send ended.
    pub outgoing_since: Nanos,
    /// Whether it waits for memory to receive into.
    pub needs_memory: bool,
}

impl Connection {
    /// A connection on a socket that was just accepted.
    #[must_use]
    pub fn new(socket: Socket, serial: u64, frame_limit: usize, now: Nanos) -> Self {
        Self {
            serial,
            transport: Transport::new(socket),
            receiver: Receiver::new(frame_limit),
            order: Order::default(),
            parked: None,
            watches: BTreeSet::new(),
            waits_until: None,
            is_dirty: false,
            last_progress: now,
            outgoing_since: now,
            needs_memory: false,
        }
    }

    /// Whether nothing of it is under way, but for a request that waits for records.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let answered = self.order.is_empty() || self.waits_until.is_some();
        answered && self.parked.is_none() && self.transport.outgoing_bytes() == 0
    }

    /// Whether it is the client's turn to do something: send a request, or read a response.
    #[must_use]
    pub fn awaits_client(&self) -> bool {
        self.order.is_empty() || self.transport.outgoing_bytes() > 0
    }

    /// Whether no more of its requests may be begun for now.
    #[must_use]
    pub fn has_enough(&self) -> bool {
        self.order.len() >= limits::REQUESTS_PER_CONNECTION_MAX
            || self.transport.outgoing_bytes() >= limits::OUTGOING_BYTES_MAX
    }
}
