//! OffsetFetch (9): how far groups have come.
//!
//! Versions 1–10. 2 tells errors of the whole group and takes null for all partitions, 5 adds leader epochs, 6 is the
//! flexible encoding, 7 asks for what no transaction can change any more (there are none), 8 asks several groups, 9 adds
//! who asks (not used by the classic protocol), 10 has topic ids instead of names.
//!
//! −1 where nothing is committed. What was committed for a topic that is gone, or for an older one of the same name, is
//! not told. A group that is named more than once is told once: a short request could otherwise ask for gigabytes.

use std::collections::BTreeMap;

use tora_engine::types::TopicId;

use super::group_work::{GroupWork, name, nullable_name};
use super::{Call, Context, Work};
use crate::coordinator::{Answer, Ask, Committed, Name, OffsetKey, is_another};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (1, 10);

/// The first version that asks several groups.
const SEVERAL_SINCE: i16 = 8;

/// Topics asked for; an id that no topic has keeps its partitions, to be told so.
struct Wanted {
    group: Name,
    /// `None` for all.
    topics: Option<Vec<WantedTopic>>,
}

struct WantedTopic {
    name: Name,
    id: TopicId,
    unknown: bool,
    partitions: Vec<i32>,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let version = call.version;
    let mut groups: Vec<Wanted> = Vec::new();
    if version < SEVERAL_SINCE {
        let group = name(reader)?;
        groups.push(Wanted { group, topics: read_topics(reader, version, cx)? });
    } else {
        for _ in 0..reader.array_len()? {
            let group = name(reader)?;
            if version >= 9 {
                nullable_name(reader)?;
                reader.i32()?;
            }
            let topics = read_topics(reader, version, cx)?;
            reader.skip_tagged_fields()?;
            groups.push(Wanted { group, topics });
        }
        let mut named = std::collections::BTreeSet::new();
        groups.retain(|wanted| named.insert(Name::clone(&wanted.group)));
    }
    if version >= 7 {
        reader.bool()?;
    }
    reader.skip_tagged_fields()?;
    let asks = groups.iter().map(|wanted| (Name::clone(&wanted.group), Ask::Fetch(wanted.keys()))).collect();
    let write = move |answers: Vec<Answer>, call: &Call, out: &mut Writer, cx: &mut Context<'_>| {
        write(&groups, answers, call.version, out, cx);
    };
    Ok(GroupWork::ask(asks, write, cx))
}

fn read_topics(
    reader: &mut Reader<'_>,
    version: i16,
    cx: &Context<'_>,
) -> Result<Option<Vec<WantedTopic>>, Malformed> {
    let count = if version >= 2 { reader.nullable_array_len()? } else { Some(reader.array_len()?) };
    let Some(count) = count else { return Ok(None) };
    let mut topics = Vec::new();
    for _ in 0..count {
        let mut topic = if version >= 10 {
            let id = reader.topic_id()?;
            let found = cx.shard.catalog().topic(id);
            let name = found.map_or_else(|| Name::from(""), |topic| Name::from(topic.name.as_str()));
            WantedTopic { name, id, unknown: found.is_none(), partitions: Vec::new() }
        } else {
            let name = Name::from(reader.string()?);
            WantedTopic { name, id: TopicId::NONE, unknown: false, partitions: Vec::new() }
        };
        for _ in 0..reader.array_len()? {
            topic.partitions.push(reader.i32()?);
        }
        reader.skip_tagged_fields()?;
        topics.push(topic);
    }
    Ok(Some(topics))
}

impl Wanted {
    fn keys(&self) -> Option<Vec<OffsetKey>> {
        let topics = self.topics.as_ref()?.iter().filter(|topic| !topic.unknown);
        let keys = topics.flat_map(|topic| {
            let key = |partition: &i32| OffsetKey { topic: Name::clone(&topic.name), partition: *partition };
            topic.partitions.iter().map(key)
        });
        Some(keys.collect())
    }
}

/// A topic of the response, with its partitions.
struct Told {
    name: Name,
    id: TopicId,
    partitions: Vec<(i32, Option<Committed>, ErrorCode)>,
}

fn write(groups: &[Wanted], answers: Vec<Answer>, version: i16, out: &mut Writer, cx: &Context<'_>) {
    if version >= 3 {
        out.i32(0);
    }
    if version >= SEVERAL_SINCE {
        out.array_len(groups.len());
    }
    for (wanted, answer) in groups.iter().zip(answers) {
        let Answer::Fetch(outcome) = answer else { unreachable!("offsets were asked for") };
        let (error, found) = match outcome {
            Ok(found) => (ErrorCode::NONE, found),
            Err(error) => (error, Vec::new()),
        };
        if version >= SEVERAL_SINCE {
            out.string(&wanted.group);
        }
        let told = if error.is_none() || version < 2 { tell(wanted, found, error, cx) } else { Vec::new() };
        write_topics(&told, version, out);
        if version >= 2 {
            out.i16(error.value());
        }
        if version >= SEVERAL_SINCE {
            out.no_tagged_fields();
        }
    }
    out.no_tagged_fields();
}

/// What is told of a group: in the order of the request, or, where all was asked for, by topic.
fn tell(
    wanted: &Wanted,
    found: Vec<(OffsetKey, Option<Committed>)>,
    error: ErrorCode,
    cx: &Context<'_>,
) -> Vec<Told> {
    let catalog = cx.shard.catalog();
    let current = |key: &OffsetKey, committed: Option<Committed>| {
        let topic = catalog.topic_named(&key.topic)?.id;
        committed.filter(|committed| !is_another(committed, topic))
    };
    let mut found: BTreeMap<OffsetKey, Option<Committed>> = found.into_iter().collect();
    let Some(topics) = &wanted.topics else {
        let mut told: Vec<Told> = Vec::new();
        for (key, committed) in found {
            let Some(committed) = current(&key, committed) else { continue };
            if told.last().is_none_or(|topic| topic.name != key.topic) {
                let id = catalog.topic_named(&key.topic).map_or(TopicId::NONE, |topic| topic.id);
                told.push(Told { name: key.topic, id, partitions: Vec::new() });
            }
            let last = told.last_mut().expect("it was just pushed");
            last.partitions.push((key.partition, Some(committed), ErrorCode::NONE));
        }
        return told;
    };
    let topics = topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            if topic.unknown {
                return (*partition, None, ErrorCode::UNKNOWN_TOPIC_ID);
            }
            let key = OffsetKey { topic: Name::clone(&topic.name), partition: *partition };
            let committed = found.get_mut(&key).and_then(Option::take);
            (*partition, current(&key, committed), error)
        });
        Told { name: Name::clone(&topic.name), id: topic.id, partitions: partitions.collect() }
    });
    topics.collect()
}

fn write_topics(topics: &[Told], version: i16, out: &mut Writer) {
    out.array_len(topics.len());
    for topic in topics {
        if version >= 10 {
            out.topic_id(topic.id);
        } else {
            out.string(&topic.name);
        }
        out.array_len(topic.partitions.len());
        for (partition, committed, error) in &topic.partitions {
            let committed = committed.as_ref();
            out.i32(*partition);
            out.i64(committed.map_or(-1, |committed| committed.offset));
            if version >= 5 {
                out.i32(committed.map_or(-1, |committed| committed.leader_epoch));
            }
            out.nullable_string(Some(committed.map_or("", |committed| &committed.metadata)));
            out.i16(error.value());
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }
}
