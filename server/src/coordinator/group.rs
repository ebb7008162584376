//! One group: its members and its generation.
//!
//! ```text
//!            first join                 all have joined,                 the leader's
//!   Empty ───────────────▶ Preparing ── or the time is up ─▶ Completing ─ assignment ─▶ Stable
//!     ▲                    Rebalance                         Rebalance    is stored       │
//!     │   nobody is left      ▲ ▲                                │                        │
//!     └───────────────────────┘ └──── somebody joins, leaves or is not heard of ──────────┘
//! ```
//! `Dead` is a group that is being deleted. The generation counts up whenever a rebalance completes; whoever speaks of
//! another one is told so. (Kafka's classic group protocol: KIP-62, KIP-134, KIP-345, KIP-394, KIP-814.)

use std::collections::{BTreeMap, BTreeSet};

use tora_engine::types::Nanos;

use super::member::{Awaiting, Member};
use super::message::{Answer, DescribedMember, Description, Identity, Joined, Name, Opaque, Synced};
use super::offsets::Offsets;
use super::record::{StoredGroup, StoredMember};
use super::{Effects, Now, Settings};
use crate::error_code::ErrorCode;

/// Where a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Without members, perhaps with offsets.
    Empty,
    /// Members are awaited.
    PreparingRebalance,
    /// The leader's assignment is awaited.
    CompletingRebalance,
    /// Every member has its share.
    Stable,
    /// Being deleted.
    Dead,
}

impl State {
    /// Kafka's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

/// What a rebalance waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rebalance {
    /// The first members of an empty group: some time passes before it begins, so that those who start together are
    /// assigned together.
    Gathering {
        /// When to look again.
        until: Nanos,
        /// How much longer it may take after that.
        remaining_ms: u64,
        /// Whether somebody has come meanwhile.
        newcomers: bool,
    },
    /// Everybody who was there, until then.
    Joining { until: Nanos },
}

/// What a group works with during one call.
pub struct Context<'a> {
    /// The time.
    pub now: Now,
    /// The settings.
    pub settings: &'a Settings,
    /// What comes of it.
    pub out: &'a mut Effects,
}

/// See the module.
#[derive(Debug)]
pub struct Group {
    pub(super) id: Name,
    pub(super) state: State,
    /// Since when, in milliseconds since the Unix epoch.
    pub(super) state_since: i64,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<Name>,
    pub(super) protocol: Option<Name>,
    pub(super) leader: Option<Name>,
    pub(super) members: BTreeMap<Name, Member>,
    /// Static members by their `group.instance.id`.
    pub(super) instances: BTreeMap<Name, Name>,
    /// Ids that were given out and whose owners have not joined, each with when it is forgotten.
    pub(super) pending: BTreeMap<Name, Nanos>,
    /// Members of this generation that have not asked for their share.
    pub(super) unsynced: BTreeSet<Name>,
    /// When they are given up.
    pub(super) sync_until: Option<Nanos>,
    pub(super) rebalance: Option<Rebalance>,
    /// What it has committed.
    pub(super) offsets: Offsets,
    /// What was last appended of it.
    pub(super) stored: Option<StoredGroup>,
    /// When it wants to be looked at, at the latest.
    pub(super) wake_at: Option<Nanos>,
}

impl Group {
    /// A group of which nothing is known.
    #[must_use]
    pub fn new(id: Name, now: Now) -> Self {
        Self {
            id,
            state: State::Empty,
            state_since: now.unix_millis,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            pending: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            sync_until: None,
            rebalance: None,
            offsets: Offsets::default(),
            stored: None,
            wake_at: None,
        }
    }

    /// A group as the log has it. Its members have a whole session's time to be heard of.
    #[must_use]
    pub fn restored(id: Name, stored: StoredGroup, offsets: Offsets, now: Now) -> Self {
        let mut group = Self::new(id, now);
        group.offsets = offsets;
        group.generation = stored.generation;
        group.protocol_type = (!stored.protocol_type.is_empty()).then(|| Name::clone(&stored.protocol_type));
        group.protocol.clone_from(&stored.protocol);
        group.leader.clone_from(&stored.leader);
        group.state = if stored.members.is_empty() { State::Empty } else { State::Stable };
        if stored.state_since >= 0 {
            group.state_since = stored.state_since;
        }
        for member in &stored.members {
            if let Some(instance) = &member.instance {
                group.instances.insert(Name::clone(instance), Name::clone(&member.id));
            }
            let protocol = stored.protocol.clone().unwrap_or_else(|| Name::from(""));
            let mut restored = Member {
                instance: member.instance.clone(),
                client_id: Name::clone(&member.client_id),
                client_host: Name::clone(&member.client_host),
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                session_timeout_ms: member.session_timeout_ms,
                protocols: vec![(protocol, Opaque::clone(&member.subscription))],
                assignment: Opaque::clone(&member.assignment),
                awaiting: Awaiting::Nothing,
                is_new: false,
                expires_at: now.nanos,
            };
            let expires_at = restored.heard(now.nanos);
            group.members.insert(Name::clone(&member.id), restored);
            group.want(expires_at);
        }
        group.stored = Some(stored);
        group
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Its protocol type; empty before anybody has joined.
    #[must_use]
    pub fn protocol_type(&self) -> Name {
        self.protocol_type.clone().unwrap_or_else(|| Name::from(""))
    }

    /// Whether nothing of it is worth keeping, and nothing is stored.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        self.state == State::Empty
            && self.pending.is_empty()
            && self.offsets.is_empty()
            && self.stored.is_none()
    }

    pub(super) fn want(&mut self, at: Nanos) {
        self.wake_at = Some(self.wake_at.map_or(at, |wake_at| wake_at.min(at)));
    }

    pub(super) fn set_state(&mut self, state: State, now: Now) {
        self.state = state;
        self.state_since = now.unix_millis;
    }

    pub(super) fn is_leader(&self, member: &Name) -> bool {
        self.leader.as_ref() == Some(member)
    }

    /// The longest time that any of its members wants to be waited for.
    pub(super) fn rebalance_timeout_ms(&self) -> u64 {
        let longest = self.members.values().map(|member| member.rebalance_timeout_ms).max();
        longest.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0)
    }

    /// Whether everybody in the group could go along with somebody who has these assignors.
    pub(super) fn supports(&self, protocol_type: &Name, protocols: &[(Name, Opaque)]) -> bool {
        if protocol_type.is_empty() || protocols.is_empty() {
            return false;
        }
        self.members.is_empty()
            || (self.protocol_type.as_ref() == Some(protocol_type)
                && protocols
                    .iter()
                    .any(|(name, _)| self.members.values().all(|member| member.supports(name))))
    }

    /// The assignor that most members like best, among those that all of them have.
    pub(super) fn select_protocol(&self) -> Option<Name> {
        let mut votes: Vec<(Name, usize)> = Vec::new();
        for member in self.members.values() {
            let common = |name: &Name| self.members.values().all(|member| member.supports(name));
            let favourite = member.protocols.iter().map(|(name, _)| name).find(|name| common(name))?;
            match votes.iter_mut().find(|(name, _)| name == favourite) {
                Some(vote) => vote.1 += 1,
                None => votes.push((Name::clone(favourite), 1)),
            }
        }
        let most = votes.iter().map(|vote| vote.1).max()?;
        votes.into_iter().find(|vote| vote.1 == most).map(|vote| vote.0)
    }

    /// Checks that a member is who it says it is. A static member that another one has replaced is fenced.
    ///
    /// # Errors
    /// `FENCED_INSTANCE_ID` or `UNKNOWN_MEMBER_ID`.
    pub(super) fn check_member(&self, member: &Name, instance: Option<&Name>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(current) if current != member => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    /// The same, and that it speaks of this generation.
    ///
    /// # Errors
    /// As `check_member`, or `ILLEGAL_GENERATION`.
    pub(super) fn check(&self, identity: &Identity) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        self.check_member(&identity.member, identity.instance.as_ref())?;
        if identity.generation == self.generation { Ok(()) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }

    /// A member has been heard of.
    pub(super) fn heard(&mut self, member: &Name, now: Now) {
        if let Some(found) = self.members.get_mut(member) {
            let expires_at = found.heard(now.nanos);
            self.want(expires_at);
        }
    }

    /// What a member is told of the current generation; the leader is told everybody's subscription.
    pub(super) fn joined(&self, member: &Name) -> Joined {
        let members = if self.is_leader(member) { self.subscriptions() } else { Vec::new() };
        Joined {
            error: ErrorCode::NONE,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_else(|| Name::from("")),
            skip_assignment: false,
            member: Name::clone(member),
            members,
        }
    }

    fn subscriptions(&self) -> Vec<(Name, Option<Name>, Opaque)> {
        let protocol = self.protocol.as_ref();
        let members = self.members.iter();
        members.map(|(id, one)| (Name::clone(id), one.instance.clone(), one.metadata(protocol))).collect()
    }

    pub(super) fn synced(&self, assignment: Opaque) -> Synced {
        Synced { protocol_type: self.protocol_type.clone(), protocol: self.protocol.clone(), assignment }
    }

    /// Ends a member's waiting with an error.
    pub(super) fn release(member: &mut Member, id: &Name, error: ErrorCode, out: &mut Effects) {
        match std::mem::replace(&mut member.awaiting, Awaiting::Nothing) {
            Awaiting::Nothing => {}
            Awaiting::Join(ticket) => out.answer(ticket, Answer::Join(Box::new(Joined::refused(error, id)))),
            Awaiting::Sync(ticket) => out.answer(ticket, Answer::Sync(Err(error))),
        }
    }

    /// Takes a member out, ending its waiting. Another one becomes the leader if it was.
    pub(super) fn drop_member(&mut self, id: &Name, out: &mut Effects) {
        let Some(mut member) = self.members.remove(id) else { return };
        let unknown = Name::from("");
        Self::release(&mut member, &unknown, ErrorCode::UNKNOWN_MEMBER_ID, out);
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        self.unsynced.remove(id);
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// The group with these shares, as it is stored.
    pub(super) fn to_stored(&self, assignment: impl Fn(&Name, &Member) -> Opaque) -> StoredGroup {
        let members = self.members.iter().map(|(id, member)| StoredMember {
            id: Name::clone(id),
            instance: member.instance.clone(),
            client_id: Name::clone(&member.client_id),
            client_host: Name::clone(&member.client_host),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(self.protocol.as_ref()),
            assignment: assignment(id, member),
        });
        StoredGroup {
            protocol_type: self.protocol_type(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_since: self.state_since,
            members: members.collect(),
        }
    }

    /// What DescribeGroups tells. Subscriptions and shares are told while they agree with each other.
    #[must_use]
    pub fn describe(&self) -> Description {
        let stable = self.state == State::Stable;
        let shown = |bytes: Opaque| if stable { bytes } else { Opaque::from([]) };
        let protocol = self.protocol.clone().filter(|_| stable);
        let members = self.members.iter().map(|(id, member)| DescribedMember {
            id: Name::clone(id),
            instance: member.instance.clone(),
            client_id: Name::clone(&member.client_id),
            client_host: Name::clone(&member.client_host),
            metadata: shown(member.metadata(self.protocol.as_ref())),
            assignment: shown(Opaque::clone(&member.assignment)),
        });
        Description {
            state: self.state.name(),
            protocol_type: self.protocol_type(),
            protocol: protocol.unwrap_or_else(|| Name::from("")),
            members: members.collect(),
        }
    }
}
