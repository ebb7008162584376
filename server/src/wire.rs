//! The primitive types of the Kafka protocol (<https://kafka.apache.org/protocol#protocol_types>), read in place and
//! written into memory that is used again.
//!
//! Requests are read by hand rather than by a library because a library that reserves memory for as many elements as an
//! array claims to have lets twenty bytes end the process.

mod reader;
mod writer;

pub use reader::{Malformed, Reader};
pub use writer::{Stored, Writer};

/// Whether a message's version has compact lengths and tagged fields (KIP-482).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Lengths of two or four bytes, no tagged fields.
    Classic,
    /// Lengths as variable-length numbers, tagged fields at the end of each structure.
    Flexible,
}

impl Encoding {
    /// The encoding of `version` of a message whose first flexible version is `since`.
    #[must_use]
    pub const fn of(version: i16, since: i16) -> Self {
        if version >= since { Self::Flexible } else { Self::Classic }
    }
}

#[cfg(test)]
mod tests;
