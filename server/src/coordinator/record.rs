//! The records of `__consumer_offsets`, as Kafka writes them, so that its tools can read them.
//!
//! A key begins with what kind it is: 0 or 1 an offset's (`OffsetCommitKey`), 2 a group's (`GroupMetadataKey`). A value
//! begins with its version. Written are offsets of version 4 (with the topic's id), or 1 where the client said when it
//! expires, and groups of version 3; read are all versions of both. A key of another kind is of something that is not
//! kept here, and skipped. A record without a value takes its key's away.

use tora_engine::types::TopicId;

use super::message::{Name, Opaque};
use super::offsets::{Committed, OffsetKey};
use crate::wire::{Encoding, Malformed, Reader, Writer};

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;

const OFFSET_VALUE: i16 = 4;
/// The one version that says when the offset expires.
const OFFSET_VALUE_EXPIRING: i16 = 1;
const GROUP_VALUE: i16 = 3;

/// The first flexible version of either value.
const FLEXIBLE_SINCE: i16 = 4;
const VALUE_MAX: i16 = 4;
/// The tag of an offset value's topic id.
const TOPIC_ID_TAG: u32 = 0;

/// A record to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value; `None` takes the key's away.
    pub value: Option<Vec<u8>>,
}

impl Record {
    /// Bytes it takes in a batch, at most.
    #[must_use]
    pub fn size(&self) -> usize {
        /// Lengths, deltas and attributes of a record, each as long as it can get.
        const FRAME: usize = 32;
        FRAME + self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A group's offset of a partition.
    Offset(Name, OffsetKey),
    /// A group.
    Group(Name),
    /// Something else.
    Other(i16),
}

/// A group as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGroup {
    /// `consumer`, `connect`, …
    pub protocol_type: Name,
    /// The generation.
    pub generation: i32,
    /// The assignor chosen.
    pub protocol: Option<Name>,
    /// Who assigns.
    pub leader: Option<Name>,
    /// Since when it is in its state, in milliseconds since the Unix epoch; −1 for unknown.
    pub state_since: i64,
    /// Its members.
    pub members: Vec<StoredMember>,
}

/// A member as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMember {
    /// Its id.
    pub id: Name,
    /// Its `group.instance.id`.
    pub instance: Option<Name>,
    /// The client's id.
    pub client_id: Name,
    /// Where it is.
    pub client_host: Name,
    /// How long the group waits for it to rejoin.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// Its subscription for the assignor chosen.
    pub subscription: Opaque,
    /// Its share.
    pub assignment: Opaque,
}

/// An offset's record; `None` takes the offset away.
#[must_use]
pub fn offset(group: &str, key: &OffsetKey, committed: Option<&Committed>) -> Record {
    let mut out = Writer::default();
    out.i16(OFFSET_KEY);
    out.string(group);
    out.string(&key.topic);
    out.i32(key.partition);
    Record { key: out.bytes().to_vec(), value: committed.map(offset_value) }
}

fn offset_value(committed: &Committed) -> Vec<u8> {
    let mut out = Writer::default();
    if let Some(expires_at) = committed.expires_at {
        out.i16(OFFSET_VALUE_EXPIRING);
        out.i64(committed.offset);
        out.string(&committed.metadata);
        out.i64(committed.committed_at);
        out.i64(expires_at);
        return out.bytes().to_vec();
    }
    out.i16(OFFSET_VALUE);
    out.set_encoding(Encoding::Flexible);
    out.i64(committed.offset);
    out.i32(committed.leader_epoch);
    out.string(&committed.metadata);
    out.i64(committed.committed_at);
    out.unsigned_varint(1);
    out.unsigned_varint(TOPIC_ID_TAG);
    out.unsigned_varint(16);
    out.topic_id(committed.topic_id);
    out.bytes().to_vec()
}

/// A group's record; `None` takes the group away.
#[must_use]
pub fn group(group: &str, stored: Option<&StoredGroup>) -> Record {
    let mut out = Writer::default();
    out.i16(GROUP_KEY);
    out.string(group);
    Record { key: out.bytes().to_vec(), value: stored.map(group_value) }
}

fn group_value(stored: &StoredGroup) -> Vec<u8> {
    let mut out = Writer::default();
    out.i16(GROUP_VALUE);
    out.string(&stored.protocol_type);
    out.i32(stored.generation);
    out.nullable_string(stored.protocol.as_deref());
    out.nullable_string(stored.leader.as_deref());
    out.i64(stored.state_since);
    out.array_len(stored.members.len());
    for member in &stored.members {
        out.string(&member.id);
        out.nullable_string(member.instance.as_deref());
        out.string(&member.client_id);
        out.string(&member.client_host);
        out.i32(member.rebalance_timeout_ms);
        out.i32(member.session_timeout_ms);
        out.opaque(&member.subscription);
        out.opaque(&member.assignment);
    }
    out.bytes().to_vec()
}

/// Reads a key.
///
/// # Errors
/// One that is cut short.
pub fn read_key(bytes: &[u8]) -> Result<Key, Malformed> {
    let mut reader = Reader::new(bytes, Encoding::Classic);
    match reader.i16()? {
        0 | OFFSET_KEY => {
            let group = Name::from(reader.string()?);
            let topic = Name::from(reader.string()?);
            Ok(Key::Offset(group, OffsetKey { topic, partition: reader.i32()? }))
        }
        GROUP_KEY => Ok(Key::Group(Name::from(reader.string()?))),
        other => Ok(Key::Other(other)),
    }
}

/// Reads an offset's value.
///
/// # Errors
/// One that is cut short, or of a version to come.
pub fn read_offset(bytes: &[u8]) -> Result<Committed, Malformed> {
    let (mut reader, version) = value(bytes)?;
    let offset = reader.i64()?;
    let leader_epoch = if version >= 3 { reader.i32()? } else { -1 };
    let metadata = Name::from(reader.string()?);
    let committed_at = reader.i64()?;
    let expires_at = if version == OFFSET_VALUE_EXPIRING { Some(reader.i64()?) } else { None };
    let mut topic_id = TopicId::NONE;
    reader.tagged_fields(|tag, field| {
        if tag == TOPIC_ID_TAG {
            topic_id = field.topic_id()?;
        }
        Ok(())
    })?;
    let expires_at = expires_at.filter(|at| *at >= 0);
    Ok(Committed { offset, leader_epoch, metadata, committed_at, expires_at, topic_id })
}

/// Reads a group's value.
///
/// # Errors
/// One that is cut short, or of a version to come.
pub fn read_group(bytes: &[u8]) -> Result<StoredGroup, Malformed> {
    let (mut reader, version) = value(bytes)?;
    let protocol_type = Name::from(reader.string()?);
    let generation = reader.i32()?;
    let protocol = reader.nullable_string()?.map(Name::from);
    let leader = reader.nullable_string()?.map(Name::from);
    let state_since = if version >= 2 { reader.i64()? } else { -1 };
    let mut members = Vec::new();
    for _ in 0..reader.array_len()? {
        let id = Name::from(reader.string()?);
        let instance = if version >= 3 { reader.nullable_string()?.map(Name::from) } else { None };
        let client_id = Name::from(reader.string()?);
        let client_host = Name::from(reader.string()?);
        let rebalance_timeout_ms = if version >= 1 { reader.i32()? } else { -1 };
        let session_timeout_ms = reader.i32()?;
        let subscription = reader.opaque()?;
        let assignment = reader.opaque()?;
        reader.skip_tagged_fields()?;
        members.push(StoredMember {
            id,
            instance,
            client_id,
            client_host,
            rebalance_timeout_ms: if version >= 1 { rebalance_timeout_ms } else { session_timeout_ms },
            session_timeout_ms,
            subscription,
            assignment,
        });
    }
    reader.skip_tagged_fields()?;
    Ok(StoredGroup { protocol_type, generation, protocol, leader, state_since, members })
}

fn value(bytes: &[u8]) -> Result<(Reader<'_>, i16), Malformed> {
    let mut reader = Reader::new(bytes, Encoding::Classic);
    let version = reader.i16()?;
    if !(0..=VALUE_MAX).contains(&version) {
        return Err(Malformed { what: "version of a value", at: 0 });
    }
    reader.set_encoding(Encoding::of(version, FLEXIBLE_SINCE));
    Ok((reader, version))
}

#[cfg(test)]
mod tests;
