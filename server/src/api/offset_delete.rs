//! OffsetDelete (47): takes back what a group has committed for some partitions (KIP-496).
//!
//! Version 0. A topic that a member of the group reads keeps its offsets: GROUP_SUBSCRIBED_TO_TOPIC.

use std::collections::BTreeMap;

use super::group_work::{GroupWork, name, only};
use super::{Call, Context, Work};
use crate::coordinator::{Answer, Ask, Name, OffsetKey};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 0);

/// Starts it.
pub fn start(reader: &mut Reader<'_>, _: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let group = name(reader)?;
    let mut topics: Vec<(Name, Vec<i32>)> = Vec::new();
    let mut keys = Vec::new();
    for _ in 0..reader.array_len()? {
        let topic = Name::from(reader.string()?);
        let count = cx.shard.catalog().topic_named(&topic).map_or(0, |topic| topic.partitions);
        let mut partitions = Vec::new();
        for _ in 0..reader.array_len()? {
            let partition = reader.i32()?;
            partitions.push(partition);
            if (0..count).contains(&partition) {
                keys.push(OffsetKey { topic: Name::clone(&topic), partition });
            }
        }
        topics.push((topic, partitions));
    }
    reader.skip_tagged_fields()?;
    keys.sort_unstable();
    keys.dedup();
    let write = move |answers: Vec<Answer>, _: &Call, out: &mut Writer, _: &mut Context<'_>| {
        let Answer::DeleteOffsets(outcome) = only(answers) else { unreachable!("offsets were deleted") };
        let error = outcome.as_ref().err().copied().unwrap_or(ErrorCode::NONE);
        let outcomes: BTreeMap<OffsetKey, ErrorCode> = outcome.unwrap_or_default().into_iter().collect();
        out.i16(error.value());
        out.i32(0);
        let told = if error.is_none() { &topics[..] } else { &[] };
        out.array_len(told.len());
        for (topic, partitions) in told {
            out.string(topic);
            out.array_len(partitions.len());
            for partition in partitions {
                let key = OffsetKey { topic: Name::clone(topic), partition: *partition };
                let error = outcomes.get(&key).copied().unwrap_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
                out.i32(*partition);
                out.i16(error.value());
            }
        }
    };
    Ok(GroupWork::ask(vec![(group, Ask::DeleteOffsets(keys))], write, cx))
}
