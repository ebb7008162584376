//! What a group has committed, and committing.

use std::collections::BTreeMap;

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest};

use super::cluster::{Cluster, Partition};
use super::{Failure, check, group, text, topic};

/// Groups are a list of their own from version 8 on.
const FETCH_MAX: i16 = 7;
/// Topics go by their ids from version 10 on.
const COMMIT_MAX: i16 = 9;

/// Offsets by topic and partition.
pub type Offsets = BTreeMap<Partition, i64>;

/// As whom something is committed.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The member's id; empty for nobody's.
    pub member: &'a str,
    /// Its generation; −1 for none.
    pub generation: i32,
}

/// Whoever is no member: a group takes that only while it has none.
pub const OUTSIDER: Identity<'static> = Identity { member: "", generation: -1 };

/// The offsets that a group has committed.
///
/// # Errors
/// They cannot be asked for.
pub fn committed(cluster: &mut Cluster, name: &str) -> Result<Offsets, Failure> {
    let request = OffsetFetchRequest::default().with_group_id(group(name)).with_topics(None);
    let what = format!("the offsets of the group {name}");
    let response = cluster.ask_coordinator(name, FETCH_MAX, &request, |response| response.error_code)?;
    check(response.error_code, None, &what)?;
    let mut offsets = Offsets::new();
    for topic in response.topics {
        for partition in topic.partitions {
            check(partition.error_code, None, &what)?;
            if partition.committed_offset >= 0 {
                offsets
                    .insert((topic.name.to_string(), partition.partition_index), partition.committed_offset);
            }
        }
    }
    Ok(offsets)
}

/// Commits offsets to a group. What the group says of it is in the response.
///
/// # Errors
/// It cannot be asked.
pub fn commit(
    cluster: &mut Cluster,
    name: &str,
    who: Identity<'_>,
    offsets: &Offsets,
) -> Result<OffsetCommitResponse, Failure> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for ((topic, partition), offset) in offsets {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_metadata(Some(text("")));
        topics.entry(topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        OffsetCommitRequestTopic::default().with_name(topic(name)).with_partitions(partitions)
    });
    let request = OffsetCommitRequest::default()
        .with_group_id(group(name))
        .with_generation_id_or_member_epoch(who.generation)
        .with_member_id(text(who.member))
        .with_topics(topics.collect());
    cluster.ask_coordinator(name, COMMIT_MAX, &request, |response| first_error(response).unwrap_or(0))
}

/// The first error in a response: a group refuses all partitions or none, unless a topic is gone.
#[must_use]
pub fn first_error(response: &OffsetCommitResponse) -> Option<i16> {
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| partition.error_code).find(|code| *code != 0)
}
