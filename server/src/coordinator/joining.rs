//! JoinGroup: who comes in, as whom, and whether that begins a rebalance.

use super::group::{Context, Group, Rebalance, State};
use super::member::{Awaiting, Member};
use super::message::{Answer, Join, Joined, Name, Ticket};
use super::{StaticReplaced, Then};
use crate::error_code::ErrorCode;
use crate::limits;

impl Group {
    /// A JoinGroup request. It is answered when the rebalance that it takes part in is complete, or at once.
    pub fn join(&mut self, ticket: Ticket, join: &Join, cx: &mut Context<'_>) {
        if self.state == State::Dead {
            refuse(ticket, ErrorCode::COORDINATOR_NOT_AVAILABLE, &join.member, cx);
        } else if !self.has_room(&join.member, cx) {
            self.remove(&join.member, cx);
            refuse(ticket, ErrorCode::GROUP_MAX_SIZE_REACHED, &Name::from(""), cx);
        } else if !fits(join, cx) {
            refuse(ticket, ErrorCode::INVALID_REQUEST, &join.member, cx);
        } else if !self.supports(&join.protocol_type, &join.protocols) {
            refuse(ticket, ErrorCode::INCONSISTENT_GROUP_PROTOCOL, &join.member, cx);
        } else if join.member.is_empty() {
            self.join_new(ticket, join, cx);
        } else {
            self.join_known(ticket, join, cx);
        }
        self.try_complete(cx);
    }

    /// Whether `group.max.size` leaves room. In a rebalance the places go to those who come first.
    fn has_room(&self, member: &Name, cx: &Context<'_>) -> bool {
        let max = cx.settings.group_size_max;
        let known = self.members.get(member);
        let room = match self.state {
            State::Empty | State::Dead => true,
            State::PreparingRebalance => {
                let joining = self.members.values().filter(|member| member.is_joining()).count();
                known.is_some_and(Member::is_joining) || joining < max
            }
            State::CompletingRebalance | State::Stable => known.is_some() || self.members.len() < max,
        };
        room && (!member.is_empty() || self.pending.len() < limits::PENDING_MEMBERS_MAX)
    }

    fn join_new(&mut self, ticket: Ticket, join: &Join, cx: &mut Context<'_>) {
        let known = join.instance.as_ref().map(|instance| self.instances.get(instance).cloned());
        match known {
            Some(Some(old)) => self.replace(old, ticket, join, cx),
            Some(None) => self.add(Name::clone(&join.fresh_id), ticket, join, cx),
            None if join.requires_known_id => {
                let until = cx.now.nanos.plus_millis(u64::try_from(join.session_timeout_ms).unwrap_or(0));
                self.pending.insert(Name::clone(&join.fresh_id), until);
                self.want(until);
                refuse(ticket, ErrorCode::MEMBER_ID_REQUIRED, &join.fresh_id, cx);
            }
            None => self.add(Name::clone(&join.fresh_id), ticket, join, cx),
        }
    }

    fn join_known(&mut self, ticket: Ticket, join: &Join, cx: &mut Context<'_>) {
        if join.instance.is_none() && self.pending.contains_key(&join.member) {
            self.add(Name::clone(&join.member), ticket, join, cx);
            return;
        }
        if let Err(error) = self.check_member(&join.member, join.instance.as_ref()) {
            refuse(ticket, error, &join.member, cx);
            return;
        }
        let same = self.members.get(&join.member).is_some_and(|member| member.protocols == join.protocols);
        match self.state {
            State::PreparingRebalance => self.rejoin(ticket, join, cx),
            // It has not heard the answer to its join, and asks again.
            State::CompletingRebalance if same => self.tell(ticket, &join.member, cx),
            // The leader joins again where what is to be assigned has changed: new partitions, say.
            State::Stable if same && !self.is_leader(&join.member) => self.tell(ticket, &join.member, cx),
            State::CompletingRebalance | State::Stable => self.rejoin(ticket, join, cx),
            State::Empty | State::Dead => refuse(ticket, ErrorCode::UNKNOWN_MEMBER_ID, &join.member, cx),
        }
    }

    fn tell(&mut self, ticket: Ticket, member: &Name, cx: &mut Context<'_>) {
        cx.out.answer(ticket, Answer::Join(Box::new(self.joined(member))));
        self.heard(member, cx.now);
    }

    fn add(&mut self, id: Name, ticket: Ticket, join: &Join, cx: &mut Context<'_>) {
        self.pending.remove(&id);
        if let Some(Rebalance::Gathering { newcomers, .. }) = &mut self.rebalance {
            *newcomers = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(Name::clone(&join.protocol_type));
        }
        if self.leader.is_none() {
            self.leader = Some(Name::clone(&id));
        }
        if let Some(instance) = &join.instance {
            self.instances.insert(Name::clone(instance), Name::clone(&id));
        }
        let mut member = Member::joining(join, ticket);
        member.expires_at = cx.now.nanos.plus_millis(limits::NEW_MEMBER_JOIN_MS);
        self.want(member.expires_at);
        self.members.insert(id, member);
        self.prepare_if_possible(cx);
    }

    fn rejoin(&mut self, ticket: Ticket, join: &Join, cx: &mut Context<'_>) {
        let member = self.members.get_mut(&join.member).expect("it was checked");
        // Whoever asks again does not wait for the first answer any more.
        Self::release(member, &join.member, ErrorCode::REBALANCE_IN_PROGRESS, cx.out);
        member.update(join);
        member.awaiting = Awaiting::Join(ticket);
        self.prepare_if_possible(cx);
    }

    /// A static member has started again, and does not know its id: it gets a new one, and whoever has the old one is
    /// fenced. While the group is stable it gets its share back without a rebalance.
    fn replace(&mut self, old: Name, ticket: Ticket, join: &Join, cx: &mut Context<'_>) {
        let new = Name::clone(&join.fresh_id);
        let leader_before = self.leader.clone();
        let mut member = self.members.remove(&old).expect("instances name members");
        Self::release(&mut member, &old, ErrorCode::FENCED_INSTANCE_ID, cx.out);
        member.update(join);
        member.awaiting = Awaiting::Join(ticket);
        let expires_at = member.heard(cx.now.nanos);
        self.want(expires_at);
        let instance = member.instance.clone().expect("it is a static member");
        self.members.insert(Name::clone(&new), member);
        self.instances.insert(instance, Name::clone(&new));
        if self.is_leader(&old) {
            self.leader = Some(Name::clone(&new));
        }
        match self.state {
            State::Stable if self.select_protocol() == self.protocol => {
                let stored = self.to_stored(|_, member| member.assignment.clone());
                let leader = if join.may_skip_assignment { None } else { leader_before };
                let replaced = StaticReplaced { group: Name::clone(&self.id), member: new, ticket, leader };
                self.store(stored, Then::StaticReplaced(replaced), cx);
            }
            // The old id may have been given to the leader already, to be assigned something.
            State::CompletingRebalance => self.prepare(cx),
            _ => self.prepare_if_possible(cx),
        }
    }

    /// A static member's new id is stored, or is not.
    pub fn static_replaced(
        &mut self,
        replaced: &StaticReplaced,
        outcome: Result<(), ErrorCode>,
        cx: &mut Context<'_>,
    ) {
        let Some(member) = self.members.get_mut(&replaced.member) else { return };
        // A rebalance that has begun meanwhile answers it.
        if self.state != State::Stable || member.awaiting != Awaiting::Join(replaced.ticket) {
            return;
        }
        if let Err(error) = outcome {
            // It asks again, and is replaced again.
            Self::release(member, &Name::from(""), error, cx.out);
            self.heard(&replaced.member, cx.now);
            return;
        }
        member.awaiting = Awaiting::Nothing;
        member.is_new = false;
        let mut joined = self.joined(&replaced.member);
        match &replaced.leader {
            // Told of the leader's old id, it does not take itself for the leader, whose assignment would be ignored.
            Some(leader) => {
                joined.leader = Name::clone(leader);
                joined.members.clear();
            }
            None => joined.skip_assignment = self.is_leader(&replaced.member),
        }
        cx.out.answer(replaced.ticket, Answer::Join(Box::new(joined)));
        self.heard(&replaced.member, cx.now);
    }
}

/// Whether what it brings could be stored at all. (Otherwise a few members could take all memory.)
fn fits(join: &Join, cx: &Context<'_>) -> bool {
    let bytes: usize = join.protocols.iter().map(|(name, metadata)| name.len() + metadata.len()).sum();
    bytes <= cx.settings.batch_bytes_max
}

fn refuse(ticket: Ticket, error: ErrorCode, member: &Name, cx: &mut Context<'_>) {
    cx.out.answer(ticket, Answer::Join(Box::new(Joined::refused(error, member))));
}
