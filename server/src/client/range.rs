//! Kafka's range assignor: of each topic, every member gets a run of neighbouring partitions.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::Partition;

/// The name that members know it by.
pub const NAME: &str = "range";

/// Each member's share, by its id: `wants` has the topics of each member, `partitions` the numbers of each topic's
/// partitions, ascending. Of a topic, members come in the order of their ids, and the first ones get one more where it does
/// not come out even (as `RangeAssignor` of Kafka's Java client and librdkafka's have it).
#[must_use]
pub fn assign(
    wants: &BTreeMap<String, BTreeSet<String>>,
    partitions: &BTreeMap<String, Vec<i32>>,
) -> BTreeMap<String, Vec<Partition>> {
    let mut shares: BTreeMap<String, Vec<Partition>> =
        wants.keys().map(|member| (member.clone(), Vec::new())).collect();
    for (topic, partitions) in partitions {
        let members: Vec<&String> =
            wants.iter().filter(|(_, topics)| topics.contains(topic)).map(|(member, _)| member).collect();
        if members.is_empty() {
            continue;
        }
        let (each, more) = (partitions.len() / members.len(), partitions.len() % members.len());
        let mut rest = partitions.iter();
        for (at, member) in members.into_iter().enumerate() {
            let share = rest.by_ref().take(each + usize::from(at < more));
            let share = share.map(|partition| (topic.clone(), *partition));
            shares.get_mut(member).expect("every member has a share").extend(share);
        }
    }
    shares
}

#[cfg(test)]
mod tests;
