//! Whether every record arrived, once and in order.
//!
//! A session numbers its records per partition from 0, so that a consumer of the partition knows which must come next.
//! A number further on leaves a gap; a number from a gap fills it (the record came out of order); any other number is
//! a duplicate. What is still missing when the producers' acknowledgements are compared is lost.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::meter::Acknowledged;
use crate::stamp::{SessionId, Stamp};

/// The result of checking records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Different records that arrived intact.
    pub verified: u64,
    /// Acknowledged records that did not arrive.
    pub lost: u64,
    /// Records that arrived again.
    pub duplicated: u64,
    /// Records that arrived after a later one of their session.
    pub reordered: u64,
    /// Records in batches whose CRC or form was wrong, or that carry no stamp.
    pub corrupt: u64,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        *self == Self { verified: self.verified, ..Self::default() }
    }
}

impl AddAssign for Verdict {
    fn add_assign(&mut self, other: Self) {
        self.verified += other.verified;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupt += other.corrupt;
    }
}

/// Checks the records of one partition.
#[derive(Debug, Default)]
pub struct PartitionCheck {
    /// By session number: connections number theirs from 0, so that the vector stays short.
    sessions: Vec<Sequence>,
    corrupt: u64,
}

impl PartitionCheck {
    /// Notes an arrived record.
    #[inline]
    pub fn arrived(&mut self, stamp: &Stamp) {
        let session = usize::from(stamp.session.0);
        if session >= self.sessions.len() {
            self.sessions.resize_with(session + 1, Sequence::default);
        }
        self.sessions[session].arrived(stamp.sequence);
    }

    /// Notes records that could not be read.
    pub fn corrupt(&mut self, records: u64) {
        self.corrupt += records;
    }

    /// Whether all `records` of a session have arrived.
    pub fn has_all(&self, session: SessionId, records: u64) -> bool {
        let sequence = self.sessions.get(usize::from(session.0));
        sequence.map_or(records, |sequence| sequence.missing_below(records)) == 0
    }

    /// Compares with what was acknowledged for `partition`.
    pub fn verdict(&self, partition: i32, acknowledged: &[Acknowledged]) -> Verdict {
        let mut verdict = Verdict { corrupt: self.corrupt, ..Verdict::default() };
        for sequence in &self.sessions {
            verdict.verified += sequence.distinct;
            verdict.duplicated += sequence.duplicated;
            verdict.reordered += sequence.reordered;
        }
        for due in acknowledged.iter().filter(|due| due.partition == partition) {
            let missing = |sequence: &Sequence| sequence.missing_below(due.records);
            verdict.lost += self.sessions.get(usize::from(due.session.0)).map_or(due.records, missing);
        }
        verdict
    }
}

/// One session's numbers in one partition.
#[derive(Debug, Default)]
struct Sequence {
    /// The number that must come next.
    next: u64,
    /// Numbers below `next` that have not arrived: first → behind the last.
    gaps: BTreeMap<u64, u64>,
    distinct: u64,
    duplicated: u64,
    reordered: u64,
}

impl Sequence {
    #[inline]
    fn arrived(&mut self, number: u64) {
        if number == self.next {
            self.next += 1;
            self.distinct += 1;
        } else {
            self.out_of_turn(number);
        }
    }

    #[cold]
    fn out_of_turn(&mut self, number: u64) {
        if number > self.next {
            self.gaps.insert(self.next, number);
            self.next = number + 1;
            self.distinct += 1;
            return;
        }
        let gap = self.gaps.range(..=number).next_back().map(|(&first, &end)| (first, end));
        let Some((first, end)) = gap.filter(|&(_, end)| number < end) else {
            self.duplicated += 1;
            return;
        };
        self.gaps.remove(&first);
        if first < number {
            self.gaps.insert(first, number);
        }
        if number + 1 < end {
            self.gaps.insert(number + 1, end);
        }
        self.distinct += 1;
        self.reordered += 1;
    }

    /// How many of the first `count` numbers have not arrived.
    fn missing_below(&self, count: u64) -> u64 {
        let in_gaps: u64 = self.gaps.iter().map(|(&first, &end)| end.min(count).saturating_sub(first)).sum();
        in_gaps + count.saturating_sub(self.next)
    }
}

#[cfg(test)]
mod tests;
