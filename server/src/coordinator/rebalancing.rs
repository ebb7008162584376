//! How a rebalance begins and completes, and what time does to a group.

use tora_engine::types::Nanos;

use super::Then;
use super::group::{Context, Group, Rebalance, State};
use super::member::{Awaiting, Member};
use super::message::{Answer, Name, Opaque};
use crate::error_code::ErrorCode;

impl Group {
    /// Begins a rebalance unless one is being prepared.
    pub(super) fn prepare_if_possible(&mut self, cx: &mut Context<'_>) {
        if matches!(self.state, State::Stable | State::CompletingRebalance | State::Empty) {
            self.prepare(cx);
        }
    }

    /// Begins a rebalance.
    pub(super) fn prepare(&mut self, cx: &mut Context<'_>) {
        if self.state == State::CompletingRebalance {
            self.cancel_sync(ErrorCode::REBALANCE_IN_PROGRESS, cx);
        }
        self.sync_until = None;
        let timeout = self.rebalance_timeout_ms();
        let rebalance = if self.state == State::Empty {
            let delay = cx.settings.initial_delay_ms;
            let until = cx.now.nanos.plus_millis(delay);
            self.want(until);
            Rebalance::Gathering { until, remaining_ms: timeout.saturating_sub(delay), newcomers: false }
        } else {
            self.awaiting_until(timeout, cx)
        };
        self.rebalance = Some(rebalance);
        self.set_state(State::PreparingRebalance, cx.now);
        self.try_complete(cx);
    }

    fn awaiting_until(&mut self, timeout_ms: u64, cx: &Context<'_>) -> Rebalance {
        let until = cx.now.nanos.plus_millis(timeout_ms);
        self.want(until);
        Rebalance::Joining { until }
    }

    /// Takes all shares back, and tells those who wait for theirs why they get none.
    pub(super) fn cancel_sync(&mut self, error: ErrorCode, cx: &mut Context<'_>) {
        let mut earliest: Option<Nanos> = None;
        for (id, member) in &mut self.members {
            member.assignment = Opaque::from([]);
            if matches!(member.awaiting, Awaiting::Sync(_)) {
                Self::release(member, id, error, cx.out);
                let at = member.heard(cx.now.nanos);
                earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
            }
        }
        if let Some(at) = earliest {
            self.want(at);
        }
    }

    /// Completes the rebalance if everybody has joined.
    pub(super) fn try_complete(&mut self, cx: &mut Context<'_>) {
        let joining = matches!(self.rebalance, Some(Rebalance::Joining { .. }));
        let preparing = self.state == State::PreparingRebalance && joining;
        if preparing && self.pending.is_empty() && self.members.values().all(Member::is_joining) {
            self.complete(cx);
        }
    }

    /// Begins the next generation with those who have joined. Static members that have not are kept until their session
    /// ends (KIP-345).
    fn complete(&mut self, cx: &mut Context<'_>) {
        let gone = |member: &Member| !member.is_joining() && member.instance.is_none();
        let gone: Vec<Name> =
            self.members.iter().filter(|(_, member)| gone(member)).map(|(id, _)| Name::clone(id)).collect();
        for id in gone {
            self.drop_member(&id, cx.out);
        }
        if !self.members.is_empty() && !self.elect_joined_leader() {
            // Nobody has joined: there would be no one to assign.
            self.rebalance = Some(self.awaiting_until(self.rebalance_timeout_ms(), cx));
            return;
        }
        self.rebalance = None;
        self.unsynced.clear();
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            self.protocol = None;
            self.set_state(State::Empty, cx.now);
            let stored = self.to_stored(|_, _| Opaque::from([]));
            let group = Name::clone(&self.id);
            self.store(stored, Then::Emptied { group }, cx);
            return;
        }
        self.protocol = self.select_protocol();
        self.set_state(State::CompletingRebalance, cx.now);
        let ids: Vec<Name> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            let member = self.members.get_mut(&id).expect("it was just listed");
            if let Awaiting::Join(ticket) = std::mem::replace(&mut member.awaiting, Awaiting::Nothing) {
                cx.out.answer(ticket, Answer::Join(Box::new(joined)));
            }
            member.is_new = false;
            self.heard(&id, cx.now);
            self.unsynced.insert(id);
        }
        let until = cx.now.nanos.plus_millis(self.rebalance_timeout_ms());
        self.sync_until = Some(until);
        self.want(until);
    }

    /// Makes somebody who has joined the leader, if the leader has not; says whether there is one.
    fn elect_joined_leader(&mut self) -> bool {
        let has_joined = |id: &Name| self.members.get(id).is_some_and(Member::is_joining);
        if !self.leader.as_ref().is_some_and(has_joined) {
            let joined = self.members.iter().find(|(_, member)| member.is_joining());
            match joined {
                Some((id, _)) => self.leader = Some(Name::clone(id)),
                None => return false,
            }
        }
        true
    }

    /// Takes a member out, and goes on without it.
    pub(super) fn remove(&mut self, id: &Name, cx: &mut Context<'_>) {
        if !self.members.contains_key(id) {
            return;
        }
        self.drop_member(id, cx.out);
        match self.state {
            State::Stable | State::CompletingRebalance => self.prepare(cx),
            State::PreparingRebalance => self.try_complete(cx),
            State::Empty | State::Dead => {}
        }
    }

    /// Does what is due, and says when to come again.
    pub fn on_time(&mut self, cx: &mut Context<'_>) {
        let now = cx.now.nanos;
        self.wake_at = None;
        let pending = self.pending.len();
        self.pending.retain(|_, until| *until > now);
        if self.pending.len() < pending {
            self.try_complete(cx);
        }
        let silent = |member: &Member| member.may_expire() && member.expires_at <= now;
        let silent: Vec<Name> =
            self.members.iter().filter(|(_, member)| silent(member)).map(|(id, _)| Name::clone(id)).collect();
        for id in silent {
            log::info!("group {}: member {id} has not been heard of and is removed", self.id);
            self.remove(&id, cx);
        }
        self.rebalance_due(cx);
        if self.sync_until.is_some_and(|until| until <= now) {
            self.sync_due(cx);
        }
        self.want_all();
    }

    fn rebalance_due(&mut self, cx: &mut Context<'_>) {
        match self.rebalance {
            Some(Rebalance::Gathering { until, remaining_ms, newcomers }) if until <= cx.now.nanos => {
                if newcomers && remaining_ms > 0 {
                    let delay = cx.settings.initial_delay_ms.min(remaining_ms);
                    self.rebalance = Some(Rebalance::Gathering {
                        until: cx.now.nanos.plus_millis(delay),
                        remaining_ms: remaining_ms - delay,
                        newcomers: false,
                    });
                } else {
                    self.complete(cx);
                }
            }
            Some(Rebalance::Joining { until }) if until <= cx.now.nanos => self.complete(cx),
            _ => {}
        }
    }

    /// Members that have joined and never asked for their share are taken for dead.
    fn sync_due(&mut self, cx: &mut Context<'_>) {
        self.sync_until = None;
        if self.unsynced.is_empty() || !matches!(self.state, State::CompletingRebalance | State::Stable) {
            return;
        }
        for id in std::mem::take(&mut self.unsynced) {
            log::info!("group {}: member {id} has joined but not synced, and is removed", self.id);
            self.drop_member(&id, cx.out);
        }
        self.prepare(cx);
    }

    fn want_all(&mut self) {
        let members = self.members.values().filter(|member| member.may_expire());
        let members = members.map(|member| member.expires_at).min();
        let pending = self.pending.values().copied().min();
        let rebalance = self.rebalance.map(|rebalance| match rebalance {
            Rebalance::Gathering { until, .. } | Rebalance::Joining { until } => until,
        });
        for at in [members, pending, rebalance, self.sync_until].into_iter().flatten() {
            self.want(at);
        }
    }
}
