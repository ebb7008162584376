//! What a coordinator is asked, and what it answers: the group requests of the protocol, read and not yet written.

use std::sync::Arc;

use tora_engine::types::ShardId;

use super::offsets::{Committed, OffsetKey};
use crate::error_code::ErrorCode;

/// Bytes that clients bring and that nobody here looks into: subscriptions and assignments.
pub type Opaque = Arc<[u8]>;

/// A group's id, a member's id, a topic's name.
pub type Name = Arc<str>;

/// Whom an answer is for. Each is answered exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// The core that asked.
    pub core: ShardId,
    /// What it recognises the answer by.
    pub tag: u32,
}

/// What one group is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// JoinGroup.
    Join(Box<Join>),
    /// SyncGroup.
    Sync(Box<Sync>),
    /// Heartbeat.
    Heartbeat(Identity),
    /// LeaveGroup.
    Leave(Vec<Leaver>),
    /// OffsetCommit.
    Commit(Box<Commit>),
    /// OffsetFetch: these partitions, or all (`None`).
    Fetch(Option<Vec<OffsetKey>>),
    /// DescribeGroups.
    Describe,
    /// DeleteGroups.
    Delete,
    /// OffsetDelete.
    DeleteOffsets(Vec<OffsetKey>),
}

/// Who speaks, and of which generation.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The member; empty for none.
    pub member: Name,
    /// Its `group.instance.id`, if it is a static one (KIP-345).
    pub instance: Option<Name>,
    /// The generation it believes in; negative for none.
    pub generation: i32,
}

/// A JoinGroup request.
#[derive(Clone, Debug)]
pub struct Join {
    /// The member; empty for one that has no id yet.
    pub member: Name,
    /// Its `group.instance.id`.
    pub instance: Option<Name>,
    /// The id that it gets if it is new.
    pub fresh_id: Name,
    /// Whether a dynamic member must know its id before it joins (KIP-394, version 4).
    pub requires_known_id: bool,
    /// Whether it may be told to skip the assignment (version 9, KIP-814).
    pub may_skip_assignment: bool,
    /// The client's id, for descriptions.
    pub client_id: Name,
    /// Where it is, for descriptions.
    pub client_host: Name,
    /// How long the group waits for it to rejoin.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// `consumer`, `connect`, …
    pub protocol_type: Name,
    /// The assignors it has, its favourite first, each with its subscription.
    pub protocols: Vec<(Name, Opaque)>,
}

/// A SyncGroup request.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Who.
    pub identity: Identity,
    /// What it takes the group's protocol type for (version 5).
    pub protocol_type: Option<Name>,
    /// What it takes the chosen protocol for (version 5).
    pub protocol: Option<Name>,
    /// From the leader: each member's share.
    pub assignments: Vec<(Name, Opaque)>,
}

/// One member in a LeaveGroup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    /// Its id; empty where it is named by its instance alone.
    pub member: Name,
    /// Its `group.instance.id`.
    pub instance: Option<Name>,
}

/// An OffsetCommit request, as far as its partitions exist.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Who.
    pub identity: Identity,
    /// Whether an unknown group is told as such (version 9), and not as a wrong generation.
    pub tells_unknown_group: bool,
    /// What is committed.
    pub offsets: Vec<(OffsetKey, Committed)>,
}

/// The answer to an [`Ask`] of the same name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Ask::Join`].
    Join(Box<Joined>),
    /// To [`Ask::Sync`].
    Sync(Result<Synced, ErrorCode>),
    /// To [`Ask::Heartbeat`], [`Ask::Commit`] and [`Ask::Delete`].
    Plain(ErrorCode),
    /// To [`Ask::Leave`]: for all, and for each.
    Leave(ErrorCode, Vec<(Leaver, ErrorCode)>),
    /// To [`Ask::Fetch`]: what is committed, `None` where nothing is.
    Fetch(Result<Vec<(OffsetKey, Option<Committed>)>, ErrorCode>),
    /// To [`Ask::Describe`].
    Describe(Result<Description, ErrorCode>),
    /// To [`Ask::DeleteOffsets`]: for all, or for each.
    DeleteOffsets(Result<Vec<(OffsetKey, ErrorCode)>, ErrorCode>),
    /// To the question which groups there are.
    List(Result<Vec<Listed>, ErrorCode>),
}

/// The answer to a JoinGroup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Success, or why not.
    pub error: ErrorCode,
    /// The generation joined, −1 for none.
    pub generation: i32,
    /// The group's protocol type.
    pub protocol_type: Option<Name>,
    /// The assignor chosen.
    pub protocol: Option<Name>,
    /// Who assigns.
    pub leader: Name,
    /// Whether the leader leaves the assignment as it is.
    pub skip_assignment: bool,
    /// The member's id.
    pub member: Name,
    /// For the leader: everybody with their subscription.
    pub members: Vec<(Name, Option<Name>, Opaque)>,
}

impl Joined {
    /// A refusal.
    #[must_use]
    pub fn refused(error: ErrorCode, member: &Name) -> Self {
        Self {
            error,
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: Name::from(""),
            skip_assignment: false,
            member: Name::clone(member),
            members: Vec::new(),
        }
    }
}

/// The answer to a SyncGroup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The group's protocol type.
    pub protocol_type: Option<Name>,
    /// The assignor chosen.
    pub protocol: Option<Name>,
    /// The member's share.
    pub assignment: Opaque,
}

/// A group as DescribeGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Kafka's name of its state.
    pub state: &'static str,
    /// `consumer`, `connect`, …; empty before anybody has joined.
    pub protocol_type: Name,
    /// The assignor chosen, while it is stable.
    pub protocol: Name,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// A member as DescribeGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub id: Name,
    /// Its `group.instance.id`.
    pub instance: Option<Name>,
    /// The client's id.
    pub client_id: Name,
    /// Where it is.
    pub client_host: Name,
    /// Its subscription, while the group is stable.
    pub metadata: Opaque,
    /// Its share, while the group is stable.
    pub assignment: Opaque,
}

/// A group as ListGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub group: Name,
    /// Its protocol type; empty before anybody has joined.
    pub protocol_type: Name,
    /// Kafka's name of its state.
    pub state: &'static str,
}

impl Ask {
    /// The answer that says nothing but an error.
    #[must_use]
    pub fn refusal(&self, error: ErrorCode) -> Answer {
        match self {
            Self::Join(join) => Answer::Join(Box::new(Joined::refused(error, &join.member))),
            Self::Sync(_) => Answer::Sync(Err(error)),
            Self::Heartbeat(_) | Self::Commit(_) | Self::Delete => Answer::Plain(error),
            Self::Leave(_) => Answer::Leave(error, Vec::new()),
            Self::Fetch(_) => Answer::Fetch(Err(error)),
            Self::Describe => Answer::Describe(Err(error)),
            Self::DeleteOffsets(_) => Answer::DeleteOffsets(Err(error)),
        }
    }
}
