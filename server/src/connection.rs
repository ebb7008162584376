//! One client's connection: what comes in, in what order it is answered, what goes out.

pub mod frames;
pub mod order;
pub mod receive;
pub mod transport;

use tora_engine::io::{Slice, Socket};
use tora_engine::types::Nanos;

use crate::api::{Api, Call, Work};
use order::Order;
use receive::Receiver;
use transport::Transport;

/// A request that was cut from the stream and waits for its turn.
pub struct Parked {
    /// What it asks for.
    pub api: &'static Api,
    /// Its header.
    pub call: Call,
    /// Where its body begins.
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
    pub order: Order<Job, Vec<Slice>>,
    /// The next request, if it has to wait.
    pub parked: Option<Parked>,
    /// When bytes last came or went.
    pub last_progress: Nanos,
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
            last_progress: now,
            needs_memory: false,
        }
    }

    /// Whether nothing of it is under way.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.order.is_empty() && self.parked.is_none() && self.transport.outgoing_bytes() == 0
    }
}
