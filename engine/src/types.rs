//! The nouns every layer shares: ids, offsets and epochs, each a type of its own so that none is taken for another.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($inner);

        impl $name {
            /// Wraps the plain number.
            #[must_use]
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The plain number.
            #[must_use]
            pub const fn value(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A record's place in its partition: 0 for the first one ever appended, without gaps.
    Offset(i64)
}
number! {
    /// How often the partition's leadership began anew; here, how often the data folder was opened. Stamped into
    /// every batch (`partitionLeaderEpoch`).
    LeaderEpoch(i32)
}
number! {
    /// The number of a partition within its topic.
    PartitionIndex(i32)
}
number! {
    /// The id that names an idempotent producer's session (KIP-98).
    ProducerId(i64)
}
number! {
    /// A byte's place in a partition's whole log, counted from the first byte of its first segment's first batch and
    /// running on across segments (segment headers are not counted).
    Position(u64)
}
number! {
    /// The number of a shard: the core's reactor with everything it owns.
    ShardId(u16)
}
number! {
    /// Monotonic time in nanoseconds since an arbitrary start.
    Nanos(u64)
}

impl Offset {
    /// The first offset of every partition.
    pub const ZERO: Self = Self(0);

    /// The offset `records` further on.
    #[must_use]
    pub const fn plus(self, records: i64) -> Self {
        Self(self.0 + records)
    }
}

impl Position {
    /// The start of the log.
    pub const ZERO: Self = Self(0);

    /// The position `bytes` further on.
    #[must_use]
    pub const fn plus(self, bytes: u64) -> Self {
        Self(self.0 + bytes)
    }

    /// Bytes from `earlier` to here; `earlier` must not be later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        assert!(earlier.0 <= self.0, "position {earlier} is past {self}");
        self.0 - earlier.0
    }
}

impl Nanos {
    /// The moment `nanos` nanoseconds later.
    #[must_use]
    pub const fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// The moment `millis` milliseconds later.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        self.plus(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since `earlier`, 0 if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A topic's identity for its whole life (KIP-516): a topic deleted and made again has a new one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId([u8; 16]);

impl TopicId {
    /// The id that means "none" on the wire.
    pub const NONE: Self = Self([0; 16]);

    /// Wraps the sixteen bytes, in the order in which a UUID is written.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A version-4 UUID from two random words.
    #[must_use]
    pub fn from_random(high: u64, low: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// The sixteen bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Reads what `Display` wrote; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 || !text.is_ascii() {
            return None;
        }
        let digits: String = text
            .char_indices()
            .filter(|(at, c)| !(matches!(at, 8 | 13 | 18 | 23) && *c == '-'))
            .map(|(_, c)| c)
            .collect();
        if digits.len() != 32 || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        Some(Self(u128::from_str_radix(&digits, 16).ok()?.to_be_bytes()))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", u128::from_be_bytes(self.0));
        let (a, b, c, d, e) = (&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]);
        write!(f, "{a}-{b}-{c}-{d}-{e}")
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One partition of one topic, for the topic's whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId {
    /// The topic it belongs to.
    pub topic: TopicId,
    /// Its number there.
    pub index: PartitionIndex,
}

impl PartitionId {
    /// The partition `index` of `topic`.
    #[must_use]
    pub const fn new(topic: TopicId, index: i32) -> Self {
        Self { topic, index: PartitionIndex(index) }
    }

    /// Reads a folder name that `Display` wrote; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let topic = TopicId::parse(text.get(..36)?)?;
        let digits = text.get(36..)?.strip_prefix('-')?;
        let index: i32 = digits.parse().ok()?;
        (index >= 0 && index.to_string() == digits).then_some(Self { topic, index: PartitionIndex(index) })
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

#[cfg(test)]
mod tests;
