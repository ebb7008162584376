//! CreatePartitions (37): gives topics more partitions.
//!
//! Versions 0–3, which differ in encoding alone. Each topic has its own outcome, and is answered when its partitions are
//! durable and known to every core; the timeout is not used. The count is that of all partitions afterwards: one that is
//! not more than there are gets INVALID_PARTITIONS. Assignments, where given, must name one for each new partition, and this
//! broker alone. The broker's own topics keep their partitions, by which groups find their coordinators.

use tora_engine::request::{Reply, Request};

use super::describe_configs::find_topic;
use super::{Call, Context, Work};
use crate::coordinator::is_internal;
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 3);

type Fault = (ErrorCode, String);

struct Wanted {
    name: String,
    outcome: Option<Result<(), Fault>>,
}

struct CreatePartitions {
    topics: Vec<Wanted>,
    missing: usize,
}

struct Read {
    name: String,
    count: i32,
    /// Broker numbers by new partition.
    assignments: Option<Vec<Vec<i32>>>,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, _: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut topics = Vec::new();
    for _ in 0..reader.array_len()? {
        topics.push(read_topic(reader)?);
    }
    reader.i32()?;
    let validate_only = reader.bool()?;
    reader.skip_tagged_fields()?;
    let mut names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    names.sort_unstable();
    let mut work = CreatePartitions { topics: Vec::new(), missing: 0 };
    for (at, topic) in topics.into_iter().enumerate() {
        let after = names.partition_point(|name| *name <= topic.name);
        let twice = after >= 2 && names[after - 2] == topic.name;
        let outcome = match check(&topic, twice, cx) {
            Err(fault) => Some(Err(fault)),
            Ok(id) => {
                work.missing += 1;
                cx.ask(at, Request::AddPartitions { id, partitions: topic.count, validate_only });
                None
            }
        };
        work.topics.push(Wanted { name: topic.name, outcome });
    }
    Ok(Box::new(work))
}

fn read_topic(reader: &mut Reader<'_>) -> Result<Read, Malformed> {
    let name = reader.string()?.to_owned();
    let count = reader.i32()?;
    let assignments = match reader.nullable_array_len()? {
        None => None,
        Some(new) => {
            let mut assignments = Vec::new();
            for _ in 0..new {
                let mut brokers = Vec::new();
                for _ in 0..reader.array_len()? {
                    brokers.push(reader.i32()?);
                }
                reader.skip_tagged_fields()?;
                assignments.push(brokers);
            }
            Some(assignments)
        }
    };
    reader.skip_tagged_fields()?;
    Ok(Read { name, count, assignments })
}

fn check(topic: &Read, twice: bool, cx: &Context<'_>) -> Result<tora_engine::types::TopicId, Fault> {
    if twice {
        return Err((ErrorCode::INVALID_REQUEST, "the request names this topic more than once".to_owned()));
    }
    if is_internal(&topic.name) {
        let why = format!("{} is the broker's own, and keeps its partitions", topic.name);
        return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, why));
    }
    let found = find_topic(&topic.name, cx)?;
    let new = topic.count.saturating_sub(found.partitions);
    if let Some(assignments) = &topic.assignments
        && new > 0
    {
        let mine = assignments.iter().all(|brokers| *brokers == [cx.settings.node_id]);
        if !mine || i32::try_from(assignments.len()) != Ok(new) {
            let why = format!(
                "an assignment names one for each of the {new} new partitions, and the one broker is {}",
                cx.settings.node_id
            );
            return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
        }
    }
    Ok(found.id)
}

impl Work for CreatePartitions {
    fn on_reply(&mut self, part: u32, reply: Reply, _: &mut Context<'_>) {
        let Reply::AddPartitions(outcome) = reply else { unreachable!("partitions were added") };
        let outcome = outcome.map_err(|error| (ErrorCode::of(&error), error.to_string()));
        self.topics[part as usize].outcome = Some(outcome);
        self.missing -= 1;
    }

    fn is_done(&self) -> bool {
        self.missing == 0
    }

    fn write(&mut self, _: &Call, out: &mut Writer, _: &mut Context<'_>) {
        out.i32(0);
        out.array_len(self.topics.len());
        for topic in &self.topics {
            let fault = topic.outcome.as_ref().expect("it is written when it is done").as_ref().err();
            out.string(&topic.name);
            out.i16(fault.map_or(ErrorCode::NONE, |fault| fault.0).value());
            out.nullable_string(fault.map(|fault| fault.1.as_str()));
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }
}
