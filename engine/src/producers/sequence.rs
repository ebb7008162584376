//! Sequence numbers: from 0 to `i32::MAX`, and then from 0 again.

/// A record's number in its producer's session on one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence(u32);

/// How many sequence numbers there are.
const MODULUS: u32 = 1 << 31;

impl Sequence {
    pub(super) const FIRST: Self = Self(0);

    /// Takes a batch's number; a batch with a producer has none below 0, which validation sees to.
    pub(super) const fn new(number: i32) -> Self {
        Self(number as u32 % MODULUS)
    }

    pub(super) const fn number(self) -> i32 {
        self.0 as i32
    }

    /// The number `records` further on.
    pub(super) const fn plus(self, records: u32) -> Self {
        Self(self.0.wrapping_add(records) % MODULUS)
    }

    /// How far one has to count from here to come to `later`.
    pub(super) const fn distance_to(self, later: Self) -> u32 {
        later.0.wrapping_sub(self.0) % MODULUS
    }
}

const _: () = assert!(Sequence::new(i32::MAX).plus(1).number() == 0, "the numbers wrap as Kafka's do");
const _: () =
    assert!(Sequence::new(i32::MAX - 1).distance_to(Sequence::new(3)) == 5, "distances wrap as well");
