//! OffsetCommit (8): how far a group has come.
//!
//! Versions 2–10. 2–4 may say how long the offsets are kept; 6 adds leader epochs, 7 static members, 8 is the flexible
//! encoding, 9 tells that a group is unknown, 10 has topic ids instead of names. Answered when the offsets are
//! acknowledged, which by default means flushed.
//!
//! Partitions that do not exist, and metadata past `offset.metadata.max.bytes`, are refused each for itself; the others are
//! committed together.

use tora_engine::io::Io;
use tora_engine::types::TopicId;

use super::group_work::{GroupWork, name, nullable_name, only};
use super::{Call, Context, Work};
use crate::coordinator::{Answer, Ask, Commit, Committed, Identity, Name, OffsetKey};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (2, 10);

struct Topic {
    name: Name,
    id: TopicId,
    /// Partitions, each with why it is refused, if it is.
    partitions: Vec<(i32, Option<ErrorCode>)>,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let version = call.version;
    let group = name(reader)?;
    let generation = reader.i32()?;
    let member = name(reader)?;
    let instance = if version >= 7 { nullable_name(reader)? } else { None };
    let retention_ms = if version <= 4 { Some(reader.i64()?).filter(|ms| *ms >= 0) } else { None };
    let committed_at = cx.shard.io().unix_millis();
    let expires_at = retention_ms.map(|ms| committed_at.saturating_add(ms));
    let mut topics = Vec::new();
    let mut offsets = Vec::new();
    for _ in 0..reader.array_len()? {
        let (mut topic, found) = read_topic(reader, version, cx)?;
        for _ in 0..reader.array_len()? {
            let index = reader.i32()?;
            let offset = reader.i64()?;
            let leader_epoch = if version >= 6 { reader.i32()? } else { -1 };
            let metadata = reader.nullable_string()?.unwrap_or_default();
            reader.skip_tagged_fields()?;
            let refusal = match found {
                Err(unknown) => Some(unknown),
                Ok((_, count)) if !(0..count).contains(&index) => Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                Ok(_) if metadata.len() > cx.settings.groups.metadata_bytes_max => {
                    Some(ErrorCode::OFFSET_METADATA_TOO_LARGE)
                }
                Ok((topic_id, _)) => {
                    let key = OffsetKey { topic: Name::clone(&topic.name), partition: index };
                    let metadata = Name::from(metadata);
                    let committed =
                        Committed { offset, leader_epoch, metadata, committed_at, expires_at, topic_id };
                    offsets.push((key, committed));
                    None
                }
            };
            topic.partitions.push((index, refusal));
        }
        reader.skip_tagged_fields()?;
        topics.push(topic);
    }
    reader.skip_tagged_fields()?;
    let identity = Identity { member, instance, generation };
    let commit = Commit { identity, tells_unknown_group: version >= 9, offsets };
    // With nothing to commit there is nobody to ask.
    let asks = if commit.offsets.is_empty() { vec![] } else { vec![(group, Ask::Commit(Box::new(commit)))] };
    let write = move |answers: Vec<Answer>, call: &Call, out: &mut Writer, _: &mut Context<'_>| {
        let outcome = if answers.is_empty() { Answer::Plain(ErrorCode::NONE) } else { only(answers) };
        let Answer::Plain(error) = outcome else { unreachable!("offsets were committed") };
        write(&topics, error, call.version, out);
    };
    Ok(GroupWork::ask(asks, write, cx))
}

type Found = Result<(TopicId, i32), ErrorCode>;

fn read_topic(reader: &mut Reader<'_>, version: i16, cx: &Context<'_>) -> Result<(Topic, Found), Malformed> {
    let catalog = cx.shard.catalog();
    if version >= 10 {
        let id = reader.topic_id()?;
        let topic = catalog.topic(id);
        let name = topic.map_or_else(|| Name::from(""), |topic| Name::from(topic.name.as_str()));
        let found = topic.map(|topic| (id, topic.partitions)).ok_or(ErrorCode::UNKNOWN_TOPIC_ID);
        return Ok((Topic { name, id, partitions: Vec::new() }, found));
    }
    let name = Name::from(reader.string()?);
    let topic = catalog.topic_named(&name).map(|topic| (topic.id, topic.partitions));
    let id = topic.map_or(TopicId::NONE, |topic| topic.0);
    Ok((Topic { name, id, partitions: Vec::new() }, topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)))
}

fn write(topics: &[Topic], error: ErrorCode, version: i16, out: &mut Writer) {
    if version >= 3 {
        out.i32(0);
    }
    out.array_len(topics.len());
    for topic in topics {
        if version >= 10 {
            out.topic_id(topic.id);
        } else {
            out.string(&topic.name);
        }
        out.array_len(topic.partitions.len());
        for (index, refusal) in &topic.partitions {
            out.i32(*index);
            out.i16(refusal.unwrap_or(error).value());
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }
    out.no_tagged_fields();
}
