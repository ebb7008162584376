//! CreateTopics (19).
//!
//! Versions 2–7. All topics of a request are created side by side, each with its own outcome, and answered when every core
//! knows them; the timeout is not used. 4 allows −1 for the numbers of partitions and replicas (the defaults), 5 tells the settings in effect, 7
//! the topic's id. There is one broker: a replication factor above 1 is refused, and so is an assignment to another. The
//! broker's own topic is not made by clients: INVALID_TOPIC_EXCEPTION.

use std::collections::BTreeSet;

use tora_engine::error::Error;
use tora_engine::request::{CreatedTopic, Reply, Request};
use tora_engine::types::TopicId;

use super::{Call, Context, Work};
use crate::config::topic::Source;
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (2, 7);

type Outcome = Result<CreatedTopic, (ErrorCode, String)>;

struct Wanted {
    name: String,
    set: Vec<String>,
    outcome: Option<Outcome>,
}

struct CreateTopics {
    topics: Vec<Wanted>,
    missing: usize,
}

struct Read {
    name: String,
    partitions: i32,
    replicas: i16,
    /// Broker numbers by partition.
    assignments: Vec<(i32, Vec<i32>)>,
    configs: Vec<(String, String)>,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut topics = Vec::new();
    for _ in 0..reader.array_len()? {
        topics.push(read_topic(reader)?);
    }
    reader.i32()?;
    let validate_only = reader.bool()?;
    reader.skip_tagged_fields()?;
    let mut work = CreateTopics { topics: Vec::new(), missing: 0 };
    let twice = named_twice(&topics);
    for (at, topic) in topics.into_iter().enumerate() {
        let twice = twice.contains(&topic.name);
        let set = topic.configs.iter().map(|(name, _)| name.clone()).collect();
        let outcome = check(&topic, twice, call.version, cx).err().map(Err);
        if outcome.is_none() {
            work.missing += 1;
            let partitions = if topic.assignments.is_empty() {
                (topic.partitions != -1).then_some(topic.partitions)
            } else {
                i32::try_from(topic.assignments.len()).ok()
            };
            let (name, configs) = (topic.name.clone(), topic.configs);
            cx.ask(at, Request::CreateTopic { name, partitions, configs, validate_only });
        }
        work.topics.push(Wanted { name: topic.name, set, outcome });
    }
    Ok(Box::new(work))
}

fn read_topic(reader: &mut Reader<'_>) -> Result<Read, Malformed> {
    let name = reader.string()?.to_owned();
    let partitions = reader.i32()?;
    let replicas = reader.i16()?;
    let mut assignments = Vec::new();
    for _ in 0..reader.array_len()? {
        let index = reader.i32()?;
        let mut brokers = Vec::new();
        for _ in 0..reader.array_len()? {
            brokers.push(reader.i32()?);
        }
        reader.skip_tagged_fields()?;
        assignments.push((index, brokers));
    }
    let mut configs = Vec::new();
    for _ in 0..reader.array_len()? {
        let name = reader.string()?.to_owned();
        // Null means the default, as if it were not named.
        if let Some(value) = reader.nullable_string()? {
            configs.push((name, value.to_owned()));
        }
        reader.skip_tagged_fields()?;
    }
    reader.skip_tagged_fields()?;
    Ok(Read { name, partitions, replicas, assignments, configs })
}

fn named_twice(topics: &[Read]) -> BTreeSet<String> {
    let mut once = BTreeSet::new();
    topics.iter().map(|topic| &topic.name).filter(|name| !once.insert(name.as_str())).cloned().collect()
}

fn check(topic: &Read, twice: bool, version: i16, cx: &Context<'_>) -> Result<(), (ErrorCode, String)> {
    if twice {
        return Err((ErrorCode::INVALID_REQUEST, "the request names this topic more than once".to_owned()));
    }
    if crate::coordinator::is_internal(&topic.name) {
        let why =
            format!("{} is the broker's own, which makes it when a group is first looked for", topic.name);
        return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, why));
    }
    if !topic.assignments.is_empty() {
        if topic.partitions != -1 || topic.replicas != -1 {
            let why = "with an assignment, the numbers of partitions and replicas must be -1".to_owned();
            return Err((ErrorCode::INVALID_REQUEST, why));
        }
        let mut indexes: Vec<i32> = topic.assignments.iter().map(|assignment| assignment.0).collect();
        indexes.sort_unstable();
        let consecutive = indexes.iter().zip(0..).all(|(index, expected)| *index == expected);
        let mine = topic.assignments.iter().all(|assignment| assignment.1 == [cx.settings.node_id]);
        if !consecutive || !mine {
            let why = format!("partitions count from 0, and the one broker is {}", cx.settings.node_id);
            return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
        }
        return Ok(());
    }
    if topic.replicas != 1 && !(topic.replicas == -1 && version >= 4) {
        let why = format!(
            "the replication factor {} is not possible with one broker: use 1, or -1 for the default",
            topic.replicas
        );
        return Err((ErrorCode::INVALID_REPLICATION_FACTOR, why));
    }
    Ok(())
}

impl Work for CreateTopics {
    fn on_reply(&mut self, part: u32, reply: Reply, _: &mut Context<'_>) {
        let Reply::CreateTopic(outcome) = reply else { unreachable!("topics were created") };
        let outcome = outcome.map_err(|error: Error| (ErrorCode::of(&error), error.to_string()));
        self.topics[part as usize].outcome = Some(outcome);
        self.missing -= 1;
    }

    fn is_done(&self) -> bool {
        self.missing == 0
    }

    fn write(&mut self, call: &Call, out: &mut Writer, cx: &mut Context<'_>) {
        out.i32(0);
        out.array_len(self.topics.len());
        for topic in &self.topics {
            write_topic(call.version, topic, out, cx);
        }
        out.no_tagged_fields();
    }
}

fn write_topic(version: i16, topic: &Wanted, out: &mut Writer, cx: &Context<'_>) {
    let outcome = topic.outcome.as_ref().expect("it is written when it is done");
    let (created, fault) = (outcome.as_ref().ok(), outcome.as_ref().err());
    out.string(&topic.name);
    if version >= 7 {
        out.topic_id(created.map_or(TopicId::NONE, |created| created.id));
    }
    out.i16(fault.map_or(ErrorCode::NONE, |fault| fault.0).value());
    out.nullable_string(fault.map(|fault| fault.1.as_str()));
    if version >= 5 {
        out.i32(created.map_or(-1, |created| created.partitions));
        out.i16(if created.is_some() { 1 } else { -1 });
        match created {
            None => out.null_array(),
            Some(created) => {
                out.array_len(created.configs.len());
                for (name, value) in created.configs.iter() {
                    out.string(name);
                    out.nullable_string(Some(value));
                    out.bool(false);
                    out.i8(Source::of(name, topic.set.contains(name), cx.settings).number());
                    out.bool(false);
                    out.no_tagged_fields();
                }
            }
        }
    }
    out.no_tagged_fields();
}
