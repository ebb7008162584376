//! One member of a group.

use tora_engine::types::Nanos;

use super::message::{Join, Name, Opaque, Ticket};

/// What a member waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaiting {
    /// Nothing: it is expected to send heartbeats.
    Nothing,
    /// The answer to its JoinGroup.
    Join(Ticket),
    /// The answer to its SyncGroup.
    Sync(Ticket),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its `group.instance.id`.
    pub instance: Option<Name>,
    /// The client's id.
    pub client_id: Name,
    /// Where it is.
    pub client_host: Name,
    /// How long the group waits for it to rejoin.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// Its assignors, the favourite first, each with its subscription.
    pub protocols: Vec<(Name, Opaque)>,
    /// Its share in the current generation.
    pub assignment: Opaque,
    /// What it waits for.
    pub awaiting: Awaiting,
    /// Whether it has not been in a generation yet: its client may not know its id, and sends no heartbeats.
    pub is_new: bool,
    /// When it is given up, unless it waits for an answer.
    pub expires_at: Nanos,
}

impl Member {
    /// One that has just asked to join and waits for the answer.
    #[must_use]
    pub fn joining(join: &Join, ticket: Ticket) -> Self {
        Self {
            instance: join.instance.clone(),
            client_id: Name::clone(&join.client_id),
            client_host: Name::clone(&join.client_host),
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols.clone(),
            assignment: Opaque::from([]),
            awaiting: Awaiting::Join(ticket),
            is_new: true,
            expires_at: Nanos::new(u64::MAX),
        }
    }

    /// Takes over what it says of itself when it joins again.
    pub fn update(&mut self, join: &Join) {
        self.protocols.clone_from(&join.protocols);
        self.rebalance_timeout_ms = join.rebalance_timeout_ms;
        self.session_timeout_ms = join.session_timeout_ms;
    }

    /// Whether it has joined the rebalance under way.
    #[must_use]
    pub const fn is_joining(&self) -> bool {
        matches!(self.awaiting, Awaiting::Join(_))
    }

    /// Whether silence counts against it. One that waits for an answer cannot say anything, but for a new one, whose
    /// client may have given up: it is expected to ask again.
    #[must_use]
    pub fn may_expire(&self) -> bool {
        self.is_new || self.awaiting == Awaiting::Nothing
    }

    /// It has been heard of.
    pub fn heard(&mut self, now: Nanos) -> Nanos {
        self.expires_at = now.plus_millis(u64::try_from(self.session_timeout_ms).unwrap_or(0));
        self.expires_at
    }

    /// Its subscription for an assignor.
    #[must_use]
    pub fn metadata(&self, protocol: Option<&Name>) -> Opaque {
        let found = self.protocols.iter().find(|(name, _)| Some(name) == protocol);
        found.map_or_else(|| Opaque::from([]), |(_, metadata)| Opaque::clone(metadata))
    }

    /// Whether it has this assignor.
    #[must_use]
    pub fn supports(&self, protocol: &Name) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }
}
