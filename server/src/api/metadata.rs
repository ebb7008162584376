//! Metadata (3): the broker and the topics, creating unknown ones where both sides allow it.
//!
//! Versions 0–13. 0 asks for all topics with an empty list, later ones with null; 4 adds the client's word on creating
//! topics, 8–10 authorised operations (none are known here), 10 topic ids, 12 asking by id, 13 an error for the whole.
//!
//! A topic that is named more than once is told once, as in Kafka; a short request could otherwise ask for gigabytes.
//! A creation is waited for, so that the answer tells the new topic's partitions and not an error to try again after.

use std::collections::BTreeSet;
use std::sync::Arc;

use tora_engine::catalog::{Topic, TopicName};
use tora_engine::request::{Reply, Request};
use tora_engine::types::TopicId;

use super::{Call, Context, Work, offsets_topic};
use crate::coordinator::is_internal;
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 13);

/// "Not known", for authorised operations.
const OPERATIONS_UNKNOWN: i32 = i32::MIN;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Name(String),
    Id(TopicId),
}

struct Metadata {
    /// `None` for all topics.
    wanted: Option<Vec<(Wanted, Option<ErrorCode>)>>,
    missing: usize,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let version = call.version;
    let count = if version == 0 { Some(reader.array_len()?) } else { reader.nullable_array_len()? };
    let mut wanted = Vec::new();
    let mut named = BTreeSet::new();
    for _ in 0..count.unwrap_or(0) {
        let id = if version >= 10 { reader.topic_id()? } else { TopicId::NONE };
        let name = if version >= 10 { reader.nullable_string()? } else { Some(reader.string()?) };
        reader.skip_tagged_fields()?;
        let topic = name.map_or(Wanted::Id(id), |name| Wanted::Name(name.to_owned()));
        if named.insert(topic.clone()) {
            wanted.push((topic, None));
        }
    }
    let allowed = if version >= 4 { reader.bool()? } else { true };
    if (8..=10).contains(&version) {
        reader.bool()?;
    }
    if version >= 8 {
        reader.bool()?;
    }
    reader.skip_tagged_fields()?;
    let all = count.is_none() || (version == 0 && count == Some(0));
    let mut work = Metadata { wanted: (!all).then_some(wanted), missing: 0 };
    if allowed && cx.settings.auto_create_topics {
        work.create_unknown(cx);
    }
    Ok(Box::new(work))
}

impl Metadata {
    fn create_unknown(&mut self, cx: &mut Context<'_>) {
        for (at, (wanted, _)) in self.wanted.iter().flatten().enumerate() {
            let Wanted::Name(name) = wanted else { continue };
            if cx.shard.catalog().topic_named(name).is_none() {
                self.missing += 1;
                let request = if is_internal(name) {
                    offsets_topic(cx.settings)
                } else {
                    let (name, configs) = (name.clone(), Vec::new());
                    Request::CreateTopic { name, partitions: None, configs, validate_only: false }
                };
                cx.ask(at, request);
            }
        }
    }
}

impl Work for Metadata {
    fn on_reply(&mut self, part: u32, reply: Reply, _: &mut Context<'_>) {
        let Reply::CreateTopic(outcome) = reply else { unreachable!("topics were created") };
        let error = outcome.err().map(|error| ErrorCode::of(&error));
        // Somebody else may have been faster; then it is there all the same.
        let error = error.filter(|error| *error != ErrorCode::TOPIC_ALREADY_EXISTS);
        self.wanted.as_mut().expect("it was named")[part as usize].1 = error;
        self.missing -= 1;
    }

    fn is_done(&self) -> bool {
        self.missing == 0
    }

    fn write(&mut self, call: &Call, out: &mut Writer, cx: &mut Context<'_>) {
        let version = call.version;
        if version >= 3 {
            out.i32(0);
        }
        out.array_len(1);
        out.i32(cx.settings.node_id);
        out.string(&cx.advertised.host);
        out.i32(cx.advertised.port.into());
        if version >= 1 {
            out.nullable_string(None);
        }
        out.no_tagged_fields();
        if version >= 2 {
            out.nullable_string(Some(cx.shard.cluster_id()));
        }
        if version >= 1 {
            out.i32(cx.settings.node_id);
        }
        self.write_topics(version, out, cx);
        if (8..=10).contains(&version) {
            out.i32(OPERATIONS_UNKNOWN);
        }
        if version >= 13 {
            out.i16(ErrorCode::NONE.value());
        }
        out.no_tagged_fields();
    }
}

impl Metadata {
    fn write_topics(&self, version: i16, out: &mut Writer, cx: &Context<'_>) {
        let catalog = cx.shard.catalog();
        let Some(wanted) = &self.wanted else {
            let topics: Vec<&Arc<Topic>> = catalog.topics().collect();
            out.array_len(topics.len());
            for topic in topics {
                write_topic(version, topic, out, cx);
            }
            return;
        };
        out.array_len(wanted.len());
        for (wanted, error) in wanted {
            let (topic, unknown, name, id) = match wanted {
                Wanted::Name(name) => {
                    (catalog.topic_named(name), unknown_name(name), Some(name.as_str()), TopicId::NONE)
                }
                Wanted::Id(id) => (catalog.topic(*id), ErrorCode::UNKNOWN_TOPIC_ID, None, *id),
            };
            match topic {
                Some(topic) => write_topic(version, topic, out, cx),
                None => {
                    write_head(version, error.unwrap_or(unknown), name, id, out);
                    out.array_len(0);
                    write_end(version, out);
                }
            }
        }
    }
}

/// What is said of a name that no topic has.
pub fn unknown_name(name: &str) -> ErrorCode {
    if TopicName::parse(name).is_ok() {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    } else {
        ErrorCode::INVALID_TOPIC_EXCEPTION
    }
}

fn write_topic(version: i16, topic: &Topic, out: &mut Writer, cx: &Context<'_>) {
    write_head(version, ErrorCode::NONE, Some(topic.name.as_str()), topic.id, out);
    out.array_len(usize::try_from(topic.partitions).expect("a topic has at least one partition"));
    for index in 0..topic.partitions {
        out.i16(ErrorCode::NONE.value());
        out.i32(index);
        out.i32(cx.settings.node_id);
        if version >= 7 {
            out.i32(cx.shard.leader_epoch().value());
        }
        for _replicas_then_in_sync in 0..2 {
            out.array_len(1);
            out.i32(cx.settings.node_id);
        }
        if version >= 5 {
            out.array_len(0);
        }
        out.no_tagged_fields();
    }
    write_end(version, out);
}

fn write_head(version: i16, error: ErrorCode, name: Option<&str>, id: TopicId, out: &mut Writer) {
    out.i16(error.value());
    if version >= 12 {
        out.nullable_string(name);
    } else {
        out.string(name.unwrap_or_default());
    }
    if version >= 10 {
        out.topic_id(id);
    }
    if version >= 1 {
        out.bool(name.is_some_and(is_internal));
    }
}

fn write_end(version: i16, out: &mut Writer) {
    if version >= 8 {
        out.i32(OPERATIONS_UNKNOWN);
    }
    out.no_tagged_fields();
}
