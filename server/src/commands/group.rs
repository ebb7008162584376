//! `tora group`.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    ConsumerProtocolAssignment, DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest,
    OffsetCommitRequest, OffsetFetchRequest,
};
use kafka_protocol::protocol::Decodable;
use serde_json::{Value, json};

use super::place::Place;
use super::table::columns;
use super::{Common, print, print_json};
use crate::client::{self, Cluster, Failure, check};

/// Groups are a list of their own from version 8 on.
const OFFSET_FETCH_MAX: i16 = 7;
/// Topics go by their ids from version 10 on.
const OFFSET_COMMIT_MAX: i16 = 9;

/// Offsets by topic and partition.
type Offsets = BTreeMap<(String, i32), i64>;

/// What to do with consumer groups.
#[derive(Debug, clap::Subcommand)]
pub enum Group {
    /// List the groups.
    #[command(after_long_help = "\
Examples:
  tora group list")]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Show a group: its members, and how far behind it is.
    #[command(after_long_help = "\
Examples:
  tora group describe billing
      For each partition the committed offset, the end, and what is between them: the lag.
  tora group describe billing --json | jq '[.partitions[].lag] | add'
      How many records are yet to be read.")]
    Describe {
        /// The group.
        group: String,
        #[command(flatten)]
        common: Common,
    },
    /// Have a group go on from another place. It must have no members meanwhile.
    #[command(after_long_help = "\
Examples:
  tora group reset-offsets billing --topic clicks --to earliest
      It reads everything again.
  tora group reset-offsets billing --topic clicks --partition 3 --to 1500
  tora group reset-offsets billing --topic clicks --to 2026-01-31T12:00:00Z --dry-run
      Shows what would be done.")]
    ResetOffsets {
        /// The group.
        group: String,
        /// The topic.
        #[arg(long, short)]
        topic: String,
        /// Only these partitions; may be repeated.
        #[arg(long, short)]
        partition: Vec<i32>,
        /// Where to: earliest, latest, an offset, a time, or @ and milliseconds since 1970.
        #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
        to: Place,
        /// Show what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Delete groups with their offsets. They must have no members.
    #[command(after_long_help = "\
Examples:
  tora group delete billing")]
    Delete {
        /// The groups.
        #[arg(required = true)]
        groups: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub fn run(group: Group) -> Result<(), Failure> {
    match group {
        Group::List { common } => list(&common),
        Group::Describe { group, common } => describe(&group, &common),
        Group::ResetOffsets { group, topic, partition, to, dry_run, common } => {
            reset(&group, &topic, &partition, to, dry_run, &common)
        }
        Group::Delete { groups, common } => delete(&groups, &common),
    }
}

fn list(common: &Common) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&common.bootstrap)?;
    let mut groups = BTreeMap::new();
    for id in cluster.broker_ids()? {
        let response = cluster.broker(id)?.call_upto(4, &ListGroupsRequest::default())?;
        check(response.error_code, None, "listing groups")?;
        for group in response.groups {
            groups.insert(
                group.group_id.to_string(),
                (group.group_state.to_string(), group.protocol_type.to_string()),
            );
        }
    }
    if common.json {
        let groups = groups
            .iter()
            .map(|(name, (state, kind))| json!({"group": name, "state": state, "protocol": kind}));
        return print_json(&Value::Array(groups.collect()));
    }
    let rows: Vec<Vec<String>> =
        groups.into_iter().map(|(name, (state, kind))| vec![name, state, kind]).collect();
    print(&columns(&["GROUP", "STATE", "PROTOCOL"], &rows))
}

/// The offsets that a group has committed.
///
/// # Errors
/// They cannot be asked for.
pub fn committed(cluster: &mut Cluster, group: &str) -> Result<Offsets, Failure> {
    let request = OffsetFetchRequest::default().with_group_id(client::group(group)).with_topics(None);
    let what = format!("the offsets of the group {group}");
    let response = cluster.coordinator(group)?.call_upto(OFFSET_FETCH_MAX, &request)?;
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

/// Commits offsets to a group without being its member, which it takes only while it has none.
///
/// # Errors
/// It does not take them.
pub fn commit(cluster: &mut Cluster, group: &str, offsets: &Offsets) -> Result<(), Failure> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for ((topic, partition), offset) in offsets {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_metadata(Some(client::text("")));
        topics.entry(topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        OffsetCommitRequestTopic::default().with_name(client::topic(name)).with_partitions(partitions)
    });
    let request = OffsetCommitRequest::default()
        .with_group_id(client::group(group))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(topics.collect());
    let response = cluster.coordinator(group)?.call_upto(OFFSET_COMMIT_MAX, &request)?;
    for topic in response.topics {
        for partition in topic.partitions {
            let what = format!(
                "committing {}-{} to the group {group}",
                topic.name.as_str(),
                partition.partition_index
            );
            check(partition.error_code, None, &what).map_err(|why| {
                format!("{why}; a group takes offsets from outside only while it has no members")
            })?;
        }
    }
    Ok(())
}

fn described(cluster: &mut Cluster, group: &str) -> Result<DescribedGroup, Failure> {
    let request = DescribeGroupsRequest::default().with_groups(vec![client::group(group)]);
    let response = cluster.coordinator(group)?.call_upto(6, &request)?;
    let described = response.groups.into_iter().next().ok_or("the broker said nothing of the group")?;
    check(described.error_code, described.error_message.as_ref(), &format!("the group {group}"))?;
    Ok(described)
}

/// Which member has each partition.
fn owners(described: &DescribedGroup) -> BTreeMap<(String, i32), String> {
    let mut owners = BTreeMap::new();
    for member in &described.members {
        for (topic, partition) in assigned(member.member_assignment.clone()) {
            owners.insert((topic, partition), member.member_id.to_string());
        }
    }
    owners
}

/// A member's partitions, where the group is one of consumers.
fn assigned(mut assignment: Bytes) -> Vec<(String, i32)> {
    if assignment.len() < 2 {
        return Vec::new();
    }
    let version = assignment.get_i16().clamp(0, 3);
    let Ok(decoded) = ConsumerProtocolAssignment::decode(&mut assignment, version) else { return Vec::new() };
    let topics = decoded.assigned_partitions.into_iter();
    topics
        .flat_map(|topic| {
            let name = topic.topic.to_string();
            topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
        })
        .collect()
}

fn describe(group: &str, common: &Common) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&common.bootstrap)?;
    let described = described(&mut cluster, group)?;
    let offsets = committed(&mut cluster, group)?;
    let state = described.group_state.to_string();
    if state == "Dead" && offsets.is_empty() {
        return Err(format!("there is no group {group}: `tora group list` shows those there are"));
    }
    let owners = owners(&described);
    let mut partitions: Vec<(String, i32)> = offsets.keys().chain(owners.keys()).cloned().collect();
    partitions.sort();
    partitions.dedup();
    // A topic that is gone has no end, and its offsets no lag.
    let mut ends = Offsets::new();
    for partition in &partitions {
        if let Ok(end) = cluster.offsets(std::slice::from_ref(partition), -1) {
            ends.extend(end);
        }
    }
    let lag = |id: &(String, i32)| Some(ends.get(id)? - offsets.get(id)?);
    if common.json {
        let partitions = partitions.iter().map(|id| {
            json!({"topic": id.0, "partition": id.1, "committed": offsets.get(id), "end": ends.get(id), "lag": lag(id),
                   "member": owners.get(id)})
        });
        let partitions: Vec<Value> = partitions.collect();
        let members = described.members.iter().map(|member| {
            json!({"member": member.member_id.to_string(), "client": member.client_id.to_string(),
                   "host": member.client_host.to_string(), "instance": member.group_instance_id.as_ref().map(ToString::to_string)})
        });
        let members: Vec<Value> = members.collect();
        return print_json(
            &json!({"group": group, "state": state, "assignor": described.protocol_data.to_string(),
                                  "members": members, "partitions": partitions}),
        );
    }
    print(&format!("{group}  {state}, {} members\n\n", described.members.len()))?;
    let shown = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let rows: Vec<Vec<String>> = partitions
        .iter()
        .map(|id| {
            let (committed, end) = (offsets.get(id).copied(), ends.get(id).copied());
            let member = owners.get(id).cloned().unwrap_or_else(|| "-".to_owned());
            vec![id.0.clone(), id.1.to_string(), shown(committed), shown(end), shown(lag(id)), member]
        })
        .collect();
    print(&columns(&["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER"], &rows))
}

fn reset(
    group: &str,
    topic: &str,
    only: &[i32],
    to: Place,
    dry_run: bool,
    common: &Common,
) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&common.bootstrap)?;
    let mut partitions = cluster.partitions(topic)?;
    if let Some(unknown) = only.iter().find(|partition| !partitions.contains(partition)) {
        return Err(format!("the topic {topic} has no partition {unknown}"));
    }
    partitions.retain(|partition| only.is_empty() || only.contains(partition));
    let partitions: Vec<(String, i32)> =
        partitions.into_iter().map(|partition| (topic.to_owned(), partition)).collect();
    let before = committed(&mut cluster, group)?;
    let after = to.offsets(&mut cluster, &partitions)?;
    if !dry_run {
        commit(&mut cluster, group, &after)?;
    }
    if common.json {
        let partitions = after.iter().map(|(id, offset)| {
            json!({"topic": id.0, "partition": id.1, "before": before.get(id), "after": offset})
        });
        let partitions: Vec<Value> = partitions.collect();
        return print_json(&json!({"group": group, "done": !dry_run, "partitions": partitions}));
    }
    let rows: Vec<Vec<String>> = after
        .iter()
        .map(|(id, offset)| {
            let before = before.get(id).map_or_else(|| "-".to_owned(), ToString::to_string);
            vec![id.0.clone(), id.1.to_string(), before, offset.to_string()]
        })
        .collect();
    print(&columns(&["TOPIC", "PARTITION", "BEFORE", "AFTER"], &rows))?;
    if dry_run { print("Nothing was done: --dry-run.\n") } else { Ok(()) }
}

fn delete(groups: &[String], common: &Common) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&common.bootstrap)?;
    for group in groups {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![client::group(group)]);
        let response = cluster.coordinator(group)?.call(&request)?;
        let answer = response.results.first().ok_or("the broker said nothing of the group")?;
        check(answer.error_code, None, &format!("deleting the group {group}"))?;
    }
    if common.json {
        return print_json(&json!({"deleted": groups}));
    }
    print(&groups.iter().map(|group| format!("deleted {group}\n")).collect::<String>())
}
