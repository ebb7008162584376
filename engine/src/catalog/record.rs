//! The changes that the catalog's log is made of, each the value of one record.
//!
//! Numbers are little-endian; a text is its length in bytes (`u32`) and its UTF-8.
//!
//! | bytes | field |
//! | --: | --- |
//! | 1 | version: 1 |
//! | 1 | kind |
//! | | what the kind says |
//!
//! | kind | change | fields |
//! | --: | --- | --- |
//! | 1 | topic created | id (16), name (text), number of partitions (`i32`, at least 1), number of settings (`u32`), for each its name and value (texts) |
//! | 2 | topic deleted | id (16) |
//! | 3 | topic purged | id (16) |
//! | 4 | producer ids reserved | first id that is still free (`i64`, at least 1) |
//! | 5 | topic reconfigured | id (16), number of settings (`u32`), for each its name and value (texts): all that is set from now on |
//! | 6 | partitions added | id (16), number of partitions from now on (`i32`, at least 1) |

use std::fmt;

use crate::types::TopicId;

const VERSION: u8 = 1;

const TOPIC_CREATED: u8 = 1;
const TOPIC_DELETED: u8 = 2;
const TOPIC_PURGED: u8 = 3;
const PRODUCER_IDS_RESERVED: u8 = 4;
const TOPIC_RECONFIGURED: u8 = 5;
const PARTITIONS_ADDED: u8 = 6;

/// One step in the catalog's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A topic came to be.
    TopicCreated {
        /// Its identity, used for no other topic before.
        id: TopicId,
        /// Its name.
        name: String,
        /// Its number of partitions.
        partitions: i32,
        /// Its settings, by Kafka's names.
        configs: Vec<(String, String)>,
    },
    /// A topic is gone for its users; its files may still be there.
    TopicDeleted {
        /// Its identity.
        id: TopicId,
    },
    /// A deleted topic's files are gone too.
    TopicPurged {
        /// Its identity.
        id: TopicId,
    },
    /// All producer ids below `upto` are taken.
    ProducerIdsReserved {
        /// The first id that is still free.
        upto: i64,
    },
    /// A topic has other settings.
    TopicReconfigured {
        /// Its identity.
        id: TopicId,
        /// All that is set for it from now on, by Kafka's names.
        configs: Vec<(String, String)>,
    },
    /// A topic has more partitions.
    PartitionsAdded {
        /// Its identity.
        id: TopicId,
        /// How many it has from now on.
        partitions: i32,
    },
}

impl Change {
    /// Appends the change as a record's value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        match self {
            Self::TopicCreated { id, name, partitions, configs } => {
                out.push(TOPIC_CREATED);
                out.extend_from_slice(&id.bytes());
                encode_text(out, name);
                out.extend_from_slice(&partitions.to_le_bytes());
                encode_configs(out, configs);
            }
            Self::TopicDeleted { id } => {
                out.push(TOPIC_DELETED);
                out.extend_from_slice(&id.bytes());
            }
            Self::TopicPurged { id } => {
                out.push(TOPIC_PURGED);
                out.extend_from_slice(&id.bytes());
            }
            Self::ProducerIdsReserved { upto } => {
                out.push(PRODUCER_IDS_RESERVED);
                out.extend_from_slice(&upto.to_le_bytes());
            }
            Self::TopicReconfigured { id, configs } => {
                out.push(TOPIC_RECONFIGURED);
                out.extend_from_slice(&id.bytes());
                encode_configs(out, configs);
            }
            Self::PartitionsAdded { id, partitions } => {
                out.push(PARTITIONS_ADDED);
                out.extend_from_slice(&id.bytes());
                out.extend_from_slice(&partitions.to_le_bytes());
            }
        }
    }

    /// Reads a record's value.
    ///
    /// # Errors
    /// Bytes that [`Self::encode`] never writes for a change that makes sense.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let [kind] = take(&mut rest)?;
        let change = match kind {
            TOPIC_CREATED => decode_created(&mut rest)?,
            TOPIC_DELETED => Self::TopicDeleted { id: TopicId::new(take(&mut rest)?) },
            TOPIC_PURGED => Self::TopicPurged { id: TopicId::new(take(&mut rest)?) },
            PRODUCER_IDS_RESERVED => {
                let upto = i64::from_le_bytes(take(&mut rest)?);
                if upto < 1 {
                    return Err(DecodeError::Number(upto));
                }
                Self::ProducerIdsReserved { upto }
            }
            TOPIC_RECONFIGURED => Self::TopicReconfigured {
                id: TopicId::new(take(&mut rest)?),
                configs: decode_configs(&mut rest)?,
            },
            PARTITIONS_ADDED => Self::PartitionsAdded {
                id: TopicId::new(take(&mut rest)?),
                partitions: decode_partitions(&mut rest)?,
            },
            _ => return Err(DecodeError::Kind(kind)),
        };
        if rest.is_empty() { Ok(change) } else { Err(DecodeError::Long) }
    }
}

fn decode_created(rest: &mut &[u8]) -> Result<Change, DecodeError> {
    let id = TopicId::new(take(rest)?);
    let name = decode_text(rest)?;
    let partitions = decode_partitions(rest)?;
    let configs = decode_configs(rest)?;
    Ok(Change::TopicCreated { id, name, partitions, configs })
}

fn decode_partitions(rest: &mut &[u8]) -> Result<i32, DecodeError> {
    let partitions = i32::from_le_bytes(take(rest)?);
    if partitions < 1 { Err(DecodeError::Number(i64::from(partitions))) } else { Ok(partitions) }
}

fn decode_configs(rest: &mut &[u8]) -> Result<Vec<(String, String)>, DecodeError> {
    let count = u32::from_le_bytes(take(rest)?);
    // Collected one by one: a count that is not true runs out of bytes before it costs memory.
    let mut configs = Vec::new();
    for _ in 0..count {
        configs.push((decode_text(rest)?, decode_text(rest)?));
    }
    Ok(configs)
}

fn encode_configs(out: &mut Vec<u8>, configs: &[(String, String)]) {
    encode_length(out, configs.len());
    for (name, value) in configs {
        encode_text(out, name);
        encode_text(out, value);
    }
}

fn encode_text(out: &mut Vec<u8>, text: &str) {
    encode_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn encode_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("requests are far smaller than 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
}

fn decode_text(rest: &mut &[u8]) -> Result<String, DecodeError> {
    let length = u32::from_le_bytes(take(rest)?);
    let length = usize::try_from(length).map_err(|_| DecodeError::Short)?;
    let text = rest.split_off(..length).ok_or(DecodeError::Short)?;
    String::from_utf8(text.to_vec()).map_err(|_| DecodeError::Text)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (field, after) = rest.split_first_chunk().ok_or(DecodeError::Short)?;
    *rest = after;
    Ok(*field)
}

/// Why a record of the catalog's log cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end too early.
    Short,
    /// Bytes are left over.
    Long,
    /// A version that this program does not know.
    Version(u8),
    /// A kind of change that this program does not know.
    Kind(u8),
    /// A text is not UTF-8.
    Text,
    /// A number that cannot be.
    Number(i64),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record of the catalog ")?;
        match self {
            Self::Short => f.write_str("ends too early"),
            Self::Long => f.write_str("is followed by bytes that do not belong to it"),
            Self::Version(version) => write!(
                f,
                "has version {version}, this program reads {VERSION}; open the folder with the program that wrote it"
            ),
            Self::Kind(kind) => write!(f, "is of the unknown kind {kind}"),
            Self::Text => f.write_str("has a text that is not UTF-8"),
            Self::Number(number) => write!(f, "has the impossible number {number}"),
        }
    }
}

impl std::error::Error for DecodeError {}
