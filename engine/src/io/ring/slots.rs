//! Operations in flight: each owns its buffers here from submission to its one completion.

use std::io;

use super::entry::Message;
use crate::io::{Completion, HostFs, Op, Returned, Token};

/// What the kernel is given as `user_data`: which slot, and how often that slot had been used before. A completion
/// that does not belong to the slot's present operation is thereby found out instead of freeing memory under DMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    slot: u32,
    generation: u32,
}

impl Key {
    /// The wake-up's read, which has no slot.
    pub(super) const WAKE: Self = Self { slot: u32::MAX, generation: 0 };
    /// The cancellation of everything, which has none either.
    pub(super) const CANCEL: Self = Self { slot: u32::MAX, generation: 1 };

    pub(super) const fn pack(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves of a word")]
    pub(super) const fn unpack(word: u64) -> Self {
        Self { slot: word as u32, generation: (word >> 32) as u32 }
    }
}

/// One operation in flight, with everything the kernel may look at or write to on its behalf.
pub(super) struct InFlight {
    pub(super) token: Token,
    pub(super) op: Op<HostFs>,
    /// A send's list of slices, as the kernel reads it.
    pub(super) message: Option<Message>,
}

impl InFlight {
    /// What its owner gets.
    pub(super) fn complete(self, result: io::Result<u64>) -> Completion {
        let returned = match self.op {
            Op::Read { into, .. } | Op::Receive { into, .. } => Returned::Chunk(into),
            Op::Send { slices, .. } => Returned::Slices(slices),
            _ => Returned::Nothing,
        };
        Completion { token: self.token, result, returned }
    }
}

/// Whether the operation waits for another machine, and so possibly for ever. The others end by themselves.
pub(super) fn waits_for_peer(op: &Op<HostFs>) -> bool {
    matches!(op, Op::Accept { .. } | Op::Receive { .. } | Op::Send { .. })
}

struct Slot {
    generation: u32,
    occupant: Option<InFlight>,
}

/// All operations in flight. Slots are reused last in, first out, so that a few stay warm.
#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
    waiting_for_peers: usize,
}

impl Slots {
    pub(super) fn insert(&mut self, in_flight: InFlight) -> Key {
        self.waiting_for_peers += usize::from(waits_for_peer(&in_flight.op));
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, occupant: None });
            u32::try_from(self.slots.len() - 1).expect("in flight is bounded far below u32::MAX")
        });
        let entry = &mut self.slots[slot as usize];
        debug_assert!(entry.occupant.is_none());
        entry.occupant = Some(in_flight);
        Key { slot, generation: entry.generation }
    }

    /// The operation of `key`, which must be in flight.
    pub(super) fn occupant(&mut self, key: Key) -> &mut InFlight {
        let slot = self.slots.get_mut(key.slot as usize).filter(|slot| slot.generation == key.generation);
        let occupant = slot.and_then(|slot| slot.occupant.as_mut());
        occupant.expect("the kernel completes each operation once, and only what was submitted")
    }

    /// Ends the operation of `key`, which must be in flight.
    pub(super) fn remove(&mut self, key: Key) -> InFlight {
        self.occupant(key);
        let slot = &mut self.slots[key.slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let in_flight = slot.occupant.take().expect("checked on the line above");
        self.free.push(key.slot);
        self.waiting_for_peers -= usize::from(waits_for_peer(&in_flight.op));
        in_flight
    }

    /// Operations in flight.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Those of them that wait for a peer.
    pub(super) fn waiting_for_peers(&self) -> usize {
        self.waiting_for_peers
    }
}

#[cfg(test)]
mod tests;
