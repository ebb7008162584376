//! Which APIs and versions this codec speaks, and what it agrees on with a broker.

use std::collections::HashMap;

use super::request;
use super::wire::{DecodeError, Reader};

/// The requests the load generator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::enum_variant_names, reason = "ApiVersions is the protocol's own name")]
pub enum Api {
    Produce,
    Fetch,
    ListOffsets,
    Metadata,
    ApiVersions,
    CreateTopics,
    DeleteTopics,
    InitProducerId,
    CreatePartitions,
}

impl Api {
    /// The API key.
    pub const fn key(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Fetch => 1,
            Self::ListOffsets => 2,
            Self::Metadata => 3,
            Self::ApiVersions => 18,
            Self::CreateTopics => 19,
            Self::DeleteTopics => 20,
            Self::InitProducerId => 22,
            Self::CreatePartitions => 37,
        }
    }

    /// The versions this codec writes and reads, both ends included. Topic ids (Produce 13, Fetch 13, DeleteTopics 6)
    /// are left out: names work with every broker.
    const fn spoken(self) -> (i16, i16) {
        match self {
            Self::Produce => (3, 12),
            Self::Fetch => (4, 12),
            Self::ListOffsets => (1, 9),
            Self::Metadata => (1, 12),
            Self::ApiVersions => (0, 0),
            Self::CreateTopics => (2, 7),
            Self::DeleteTopics => (1, 5),
            Self::InitProducerId => (0, 4),
            Self::CreatePartitions => (0, 3),
        }
    }

    /// Whether `version` uses the compact encoding and tagged fields (KIP-482).
    pub const fn flexible(self, version: i16) -> bool {
        let first = match self {
            Self::Produce | Self::Metadata => 9,
            Self::Fetch => 12,
            Self::ListOffsets => 6,
            Self::ApiVersions => 3,
            Self::CreateTopics => 5,
            Self::DeleteTopics => 4,
            Self::InitProducerId | Self::CreatePartitions => 2,
        };
        version >= first
    }
}

/// The versions a broker serves, as its ApiVersions response names them.
#[derive(Debug, Clone, Default)]
pub struct Served(HashMap<i16, (i16, i16)>);

impl Served {
    /// An ApiVersions request of version 0: every broker answers it.
    pub fn request(correlation: i32) -> Vec<u8> {
        request(Api::ApiVersions, 0, correlation).finish()
    }

    /// Reads an ApiVersions response body of version 0; gives the error code and the versions.
    pub fn decode(body: &[u8]) -> Result<(i16, Self), DecodeError> {
        let mut reader = Reader::new(body, false);
        let error = reader.i16()?;
        let mut served = HashMap::new();
        for _ in 0..reader.array()? {
            served.insert(reader.i16()?, (reader.i16()?, reader.i16()?));
        }
        Ok((error, Self(served)))
    }

    /// Whether the broker has this API at all.
    pub fn has(&self, api: Api) -> bool {
        self.0.contains_key(&api.key())
    }

    /// The highest version both sides speak.
    ///
    /// # Errors
    /// A sentence that names the API and both ranges, where there is none.
    pub fn agree(&self, api: Api) -> Result<i16, String> {
        let Some(&(low, high)) = self.0.get(&api.key()) else {
            return Err(format!("the broker does not serve {api:?} (API key {})", api.key()));
        };
        let (our_low, our_high) = api.spoken();
        let version = high.min(our_high);
        if version < low || version < our_low {
            return Err(format!(
                "no common version of {api:?}: the broker serves {low} to {high}, tora-load {our_low} to {our_high}"
            ));
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests;
