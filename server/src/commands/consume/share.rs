//! `tora consume --group`: the share of a group's member, from its assignment until the group takes it away.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::{Consume, Consumer};
use crate::client::Failure;
use crate::client::member::Member;
use crate::client::offsets::{Offsets, committed};

/// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// A member that leaves its group on Ctrl-C or SIGTERM. The second of them ends the process at once.
pub fn member(wanted: &Consume, group: &str) -> Result<Member, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)))
            .map_err(|why| format!("signals cannot be handled: {why}"))?;
    }
    let session = Duration::from_secs(u64::from(wanted.session_timeout));
    Ok(Member::new(group, &wanted.topic, session, stop))
}

impl Consumer<'_> {
    /// Whether there is something to be read from: a member of a group has its share, and gets it first where it has none.
    /// False if it is to end.
    pub(super) fn has_its_share(&mut self) -> Result<bool, Failure> {
        let Some(member) = &mut self.member else { return Ok(true) };
        if member.is_stopped() {
            return Ok(false);
        }
        if !self.has_lost_its_share && member.keeps_its_share(&mut self.cluster)? {
            return Ok(true);
        }
        self.has_lost_its_share = true;
        while self.has_lost_its_share {
            if !self.take_share()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Joins, and goes to where the group has stopped. False if it is to end.
    fn take_share(&mut self) -> Result<bool, Failure> {
        let (Some(member), Some(group)) = (&mut self.member, &self.wanted.group) else { return Ok(false) };
        let Some(share) = member.join(&mut self.cluster)? else { return Ok(false) };
        let known = committed(&mut self.cluster, group)?;
        let (begun, fresh): (Vec<_>, Vec<_>) = share.into_iter().partition(|id| known.contains_key(id));
        self.committed = begun.into_iter().map(|id| (id.1, known[&id])).collect();
        self.next = self.committed.clone();
        let places = self.wanted.from.offsets(&mut self.cluster, &fresh)?;
        self.next.extend(places.into_iter().map(|((_, partition), offset)| (partition, offset)));
        if self.wanted.until_end {
            // Partitions that are newer than this program have had no record when it began.
            for (partition, next) in &self.next {
                self.ends.entry(*partition).or_insert(*next);
            }
        }
        self.has_lost_its_share = false;
        // Where the group begins is said at once: whoever has the partition next would otherwise begin elsewhere.
        self.commit()?;
        Ok(true)
    }

    /// Commits what was printed, in a group.
    pub(super) fn commit(&mut self) -> Result<(), Failure> {
        let Some(member) = &mut self.member else { return Ok(()) };
        let printed =
            self.next.iter().filter(|(partition, next)| self.committed.get(partition) != Some(next));
        let printed: Offsets =
            printed.map(|(partition, next)| ((self.wanted.topic.clone(), *partition), *next)).collect();
        if printed.is_empty() {
            return Ok(());
        }
        if member.commit(&mut self.cluster, &printed)? {
            self.committed.clone_from(&self.next);
        } else {
            self.has_lost_its_share = true;
        }
        Ok(())
    }

    /// Leaves the group, if it is in one.
    pub(super) fn leave(&mut self) -> Result<(), Failure> {
        self.member.as_mut().map_or(Ok(()), |member| member.leave(&mut self.cluster))
    }
}
