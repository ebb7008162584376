//! DeleteTopics (20).
//!
//! Versions 1–6. 5 adds an error text, 6 topic ids: each topic is named or identified. Answered when the deletion is
//! durable; the files go afterwards, and so do the offsets that groups have committed for it. The broker's own topic is not deleted: INVALID_TOPIC_EXCEPTION.

use tora_engine::error::Error;
use tora_engine::request::{Reply, Request};
use tora_engine::types::TopicId;

use super::{Call, Context, Work};
use crate::coordinator::is_internal;
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (1, 6);

struct Wanted {
    name: Option<String>,
    id: TopicId,
    outcome: Option<Result<(), (ErrorCode, String)>>,
}

struct DeleteTopics {
    topics: Vec<Wanted>,
    missing: usize,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut topics = Vec::new();
    for _ in 0..reader.array_len()? {
        let (name, id) = if call.version >= 6 {
            let name = reader.nullable_string()?.map(str::to_owned);
            let id = reader.topic_id()?;
            reader.skip_tagged_fields()?;
            (name, id)
        } else {
            (Some(reader.string()?.to_owned()), TopicId::NONE)
        };
        topics.push(Wanted { name, id, outcome: None });
    }
    reader.i32()?;
    reader.skip_tagged_fields()?;
    let mut work = DeleteTopics { topics, missing: 0 };
    for (at, topic) in work.topics.iter_mut().enumerate() {
        let catalog = cx.shard.catalog();
        let has_id = topic.id != TopicId::NONE;
        let (found, unknown) = match &topic.name {
            Some(_) if has_id => (None, ErrorCode::INVALID_REQUEST),
            Some(name) => (catalog.topic_named(name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            None if has_id => (catalog.topic(topic.id), ErrorCode::UNKNOWN_TOPIC_ID),
            None => (None, ErrorCode::INVALID_REQUEST),
        };
        match found.cloned() {
            None if unknown == ErrorCode::INVALID_REQUEST => {
                let why = "give either the topic's name or its id".to_owned();
                topic.outcome = Some(Err((unknown, why)));
            }
            None => topic.outcome = Some(Err((unknown, Error::UnknownPartition.to_string()))),
            Some(found) if is_internal(found.name.as_str()) => {
                let why = format!("{} is the broker's own, and stays", found.name.as_str());
                topic.outcome = Some(Err((ErrorCode::INVALID_TOPIC_EXCEPTION, why)));
            }
            Some(found) => {
                topic.name = Some(found.name.as_str().to_owned());
                topic.id = found.id;
                work.missing += 1;
                cx.ask(at, Request::DeleteTopic { id: found.id });
            }
        }
    }
    Ok(Box::new(work))
}

impl Work for DeleteTopics {
    fn on_reply(&mut self, part: u32, reply: Reply, cx: &mut Context<'_>) {
        let Reply::DeleteTopic(outcome) = reply else { unreachable!("topics were deleted") };
        if let (Ok(()), Some(name)) = (&outcome, &self.topics[part as usize].name) {
            cx.tell_groups_of_deletion(name);
        }
        self.topics[part as usize].outcome =
            Some(outcome.map_err(|error| (ErrorCode::of(&error), error.to_string())));
        self.missing -= 1;
    }

    fn is_done(&self) -> bool {
        self.missing == 0
    }

    fn write(&mut self, call: &Call, out: &mut Writer, _: &mut Context<'_>) {
        out.i32(0);
        out.array_len(self.topics.len());
        for topic in &self.topics {
            let fault = topic.outcome.as_ref().expect("it is written when it is done").as_ref().err();
            if call.version >= 6 {
                out.nullable_string(topic.name.as_deref());
                out.topic_id(topic.id);
            } else {
                out.string(topic.name.as_deref().unwrap_or_default());
            }
            out.i16(fault.map_or(ErrorCode::NONE, |fault| fault.0).value());
            if call.version >= 5 {
                out.nullable_string(fault.map(|fault| fault.1.as_str()));
            }
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }
}
