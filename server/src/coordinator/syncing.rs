//! SyncGroup, Heartbeat and LeaveGroup.

use super::group::{Context, Group, State};
use super::member::Awaiting;
use super::message::{Answer, Identity, Leaver, Name, Opaque, Sync, Ticket};
use super::{Assigned, Then};
use crate::error_code::ErrorCode;

impl Group {
    /// A SyncGroup request. It is answered when the leader's assignment is stored.
    pub fn sync(&mut self, ticket: Ticket, sync: &Sync, cx: &mut Context<'_>) {
        let refused = self.check_sync(sync).err().or(match self.state {
            State::Empty | State::Dead => Some(ErrorCode::UNKNOWN_MEMBER_ID),
            State::PreparingRebalance => Some(ErrorCode::REBALANCE_IN_PROGRESS),
            State::CompletingRebalance | State::Stable => None,
        });
        if let Some(error) = refused {
            cx.out.answer(ticket, Answer::Sync(Err(error)));
            return;
        }
        let id = &sync.identity.member;
        self.unsynced.remove(id);
        if self.unsynced.is_empty() {
            self.sync_until = None;
        }
        let member = self.members.get_mut(id).expect("it was checked");
        if self.state == State::Stable {
            let assignment = Opaque::clone(&member.assignment);
            cx.out.answer(ticket, Answer::Sync(Ok(self.synced(assignment))));
            self.heard(id, cx.now);
            return;
        }
        // Whoever asks again does not wait for the first answer any more.
        Self::release(member, id, ErrorCode::REBALANCE_IN_PROGRESS, cx.out);
        member.awaiting = Awaiting::Sync(ticket);
        if self.is_leader(id) {
            let nothing = Opaque::from([]);
            let share = |id: &Name| {
                let found = sync.assignments.iter().rev().find(|(member, _)| member == id);
                found.map_or_else(|| Opaque::clone(&nothing), |(_, share)| Opaque::clone(share))
            };
            let mut stored = self.to_stored(|id, _| share(id));
            stored.state_since = cx.now.unix_millis;
            let group = Name::clone(&self.id);
            let shares = stored.members.iter();
            let shares = shares.map(|member| (Name::clone(&member.id), Opaque::clone(&member.assignment)));
            let assigned = Assigned { group, generation: self.generation, shares: shares.collect() };
            self.store(stored, Then::Assigned(assigned), cx);
        }
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), ErrorCode> {
        self.check(&sync.identity)?;
        let differs = |said: &Option<Name>, is: &Option<Name>| said.is_some() && said != is;
        if differs(&sync.protocol_type, &self.protocol_type) || differs(&sync.protocol, &self.protocol) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        Ok(())
    }

    /// The leader's assignment is stored, or is not.
    pub fn assigned(&mut self, assigned: Assigned, outcome: Result<(), ErrorCode>, cx: &mut Context<'_>) {
        if self.state != State::CompletingRebalance || assigned.generation != self.generation {
            return;
        }
        if let Err(error) = outcome {
            self.cancel_sync(error, cx);
            self.prepare_if_possible(cx);
            return;
        }
        self.set_state(State::Stable, cx.now);
        for (id, share) in assigned.shares {
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.assignment = Opaque::clone(&share);
            if let Awaiting::Sync(ticket) = member.awaiting {
                member.awaiting = Awaiting::Nothing;
                cx.out.answer(ticket, Answer::Sync(Ok(self.synced(share))));
                self.heard(&id, cx.now);
            }
        }
    }

    /// A Heartbeat request.
    pub fn heartbeat(&mut self, identity: &Identity, cx: &Context<'_>) -> ErrorCode {
        if let Err(error) = self.check(identity) {
            return error;
        }
        match self.state {
            State::Empty | State::Dead => ErrorCode::UNKNOWN_MEMBER_ID,
            State::PreparingRebalance => {
                self.heard(&identity.member, cx.now);
                ErrorCode::REBALANCE_IN_PROGRESS
            }
            State::CompletingRebalance | State::Stable => {
                self.heard(&identity.member, cx.now);
                ErrorCode::NONE
            }
        }
    }

    /// A LeaveGroup request. Static members may be named by their instance alone, which is how they are removed by hand.
    pub fn leave(&mut self, leavers: Vec<Leaver>, cx: &mut Context<'_>) -> Answer {
        if self.state == State::Dead {
            return Answer::Leave(ErrorCode::COORDINATOR_NOT_AVAILABLE, Vec::new());
        }
        let outcomes = leavers.into_iter().map(|leaver| {
            let error = self.leave_one(&leaver, cx).err().unwrap_or(ErrorCode::NONE);
            (leaver, error)
        });
        Answer::Leave(ErrorCode::NONE, outcomes.collect())
    }

    fn leave_one(&mut self, leaver: &Leaver, cx: &mut Context<'_>) -> Result<(), ErrorCode> {
        if leaver.member.is_empty() {
            let current = leaver.instance.as_ref().and_then(|instance| self.instances.get(instance));
            let current = current.cloned().ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            self.remove(&current, cx);
        } else if self.pending.remove(&leaver.member).is_some() {
            self.try_complete(cx);
        } else {
            self.check_member(&leaver.member, leaver.instance.as_ref())?;
            self.remove(&leaver.member, cx);
        }
        Ok(())
    }
}
