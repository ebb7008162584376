//! DescribeTopicPartitions (75): the partitions of topics, a page at a time (KIP-966).
//!
//! Version 0. Topics are told by name, each once; no names stands for all of them. A response has as many partitions as
//! the request allows, at most [`PARTITIONS_PER_PAGE_MAX`], and a cursor where there are more: the next request begins with
//! the cursor's partition, and skips the topics before it.

use std::collections::BTreeSet;
use std::sync::Arc;

use tora_engine::catalog::Topic;
use tora_engine::types::TopicId;

use super::{Call, Context, Immediate, Work};
use crate::coordinator::is_internal;
use crate::error_code::ErrorCode;
use crate::limits::PARTITIONS_PER_PAGE_MAX;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 0);

/// "Not known", for authorised operations.
const OPERATIONS_UNKNOWN: i32 = i32::MIN;

/// Before a structure that may be missing: it is there.
const PRESENT: i8 = 1;
/// Before a structure that may be missing: it is not.
const ABSENT: i8 = -1;

/// The partition that a page begins with.
struct Cursor {
    topic: String,
    index: i32,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, _: &Call, _: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut names = BTreeSet::new();
    for _ in 0..reader.array_len()? {
        names.insert(reader.string()?.to_owned());
        reader.skip_tagged_fields()?;
    }
    let limit = usize::try_from(reader.i32()?).unwrap_or(0).clamp(1, PARTITIONS_PER_PAGE_MAX);
    let cursor = if reader.i8()? == ABSENT {
        None
    } else {
        let topic = reader.string()?.to_owned();
        let index = reader.i32()?.max(0);
        reader.skip_tagged_fields()?;
        Some(Cursor { topic, index })
    };
    reader.skip_tagged_fields()?;
    Ok(Box::new(Immediate(move |_: &Call, out: &mut Writer, cx: &mut Context<'_>| {
        let page = page(&names, limit, cursor.as_ref(), cx);
        write(&page, out, cx);
    })))
}

/// A part of a topic: the partitions from the first number to before the second.
struct Part {
    name: String,
    topic: Option<Arc<Topic>>,
    partitions: (i32, i32),
}

struct Page {
    parts: Vec<Part>,
    next: Option<Cursor>,
}

fn page(names: &BTreeSet<String>, limit: usize, cursor: Option<&Cursor>, cx: &Context<'_>) -> Page {
    let catalog = cx.shard.catalog();
    let topics: Vec<(String, Option<Arc<Topic>>)> = if names.is_empty() {
        catalog.topics().map(|topic| (topic.name.as_str().to_owned(), Some(Arc::clone(topic)))).collect()
    } else {
        names.iter().map(|name| (name.clone(), catalog.topic_named(name).cloned())).collect()
    };
    let mut left = i32::try_from(limit).expect("a page is bounded far below 2³¹");
    let mut page = Page { parts: Vec::new(), next: None };
    for (name, topic) in topics {
        let from = match cursor {
            Some(cursor) if name < cursor.topic => continue,
            Some(cursor) if name == cursor.topic => cursor.index,
            _ => 0,
        };
        if left == 0 {
            page.next = Some(Cursor { topic: name, index: from });
            return page;
        }
        let count = topic.as_ref().map_or(0, |topic| topic.partitions);
        let upto = count.min(from.saturating_add(left)).max(from.min(count));
        left -= upto - from.min(count);
        page.parts.push(Part { name: name.clone(), topic, partitions: (from.min(count), upto) });
        if upto < count {
            page.next = Some(Cursor { topic: name, index: upto });
            return page;
        }
    }
    page
}

fn write(page: &Page, out: &mut Writer, cx: &Context<'_>) {
    out.i32(0);
    out.array_len(page.parts.len());
    for Part { name, topic, partitions: (from, upto) } in &page.parts {
        let error = topic.as_ref().map_or_else(|| super::metadata::unknown_name(name), |_| ErrorCode::NONE);
        out.i16(error.value());
        out.nullable_string(Some(name));
        out.topic_id(topic.as_ref().map_or(TopicId::NONE, |topic| topic.id));
        out.bool(is_internal(name));
        out.array_len(usize::try_from(upto - from).expect("a page's partitions ascend"));
        for index in *from..*upto {
            write_partition(index, out, cx);
        }
        out.i32(OPERATIONS_UNKNOWN);
        out.no_tagged_fields();
    }
    match &page.next {
        None => out.i8(ABSENT),
        Some(cursor) => {
            out.i8(PRESENT);
            out.string(&cursor.topic);
            out.i32(cursor.index);
            out.no_tagged_fields();
        }
    }
    out.no_tagged_fields();
}

fn write_partition(index: i32, out: &mut Writer, cx: &Context<'_>) {
    out.i16(ErrorCode::NONE.value());
    out.i32(index);
    out.i32(cx.settings.node_id);
    out.i32(cx.shard.leader_epoch().value());
    for _replicas_then_in_sync in 0..2 {
        out.array_len(1);
        out.i32(cx.settings.node_id);
    }
    for _eligible_last_known_offline in 0..3 {
        out.array_len(0);
    }
    out.no_tagged_fields();
}
