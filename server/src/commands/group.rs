//! `tora group`.

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    ListGroupsRequest, ListGroupsResponse,
};
use serde_json::{Value, json};

use super::place::Place;
use super::table::{columns, counted};
use super::{Common, print, print_json};
use crate::client::member::assigned;
use crate::client::offsets::{self, OUTSIDER, Offsets, committed, first_error};
use crate::client::{self, Cluster, Failure, check};

const LIST_MAX: i16 = 4;
const DESCRIBE_MAX: i16 = 6;

const UNKNOWN_MEMBER: i16 = 25;
const NON_EMPTY_GROUP: i16 = 68;
const GROUP_NOT_FOUND: i16 = 69;

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
      Who is in it, and for each partition the committed offset, the end, and
      what is between them: the lag.
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
  tora group reset-offsets billing -t clicks --to 2026-01-31T12:00:00Z --dry-run
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
        let request = ListGroupsRequest::default();
        let refusal = |response: &ListGroupsResponse| response.error_code;
        let response = cluster.ask_coordinators_of(id, LIST_MAX, &request, refusal)?;
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

/// Commits offsets to a group that has no members.
fn commit(cluster: &mut Cluster, group: &str, offsets: &Offsets) -> Result<(), Failure> {
    let told = offsets::commit(cluster, group, OUTSIDER, offsets)?;
    let Some(code) = first_error(&told) else { return Ok(()) };
    let why = check(code, None, &format!("committing to the group {group}")).err().unwrap_or_default();
    Err(if code == UNKNOWN_MEMBER {
        format!(
            "the group {group} has members, and takes offsets from outside only while it has none; stop them first: {}",
            shows(group)
        )
    } else {
        why
    })
}

fn described(cluster: &mut Cluster, group: &str) -> Result<DescribedGroup, Failure> {
    let request = DescribeGroupsRequest::default().with_groups(vec![client::group(group)]);
    let refusal = |response: &DescribeGroupsResponse| {
        response.groups.first().map_or(0, |described| described.error_code)
    };
    let response = cluster.ask_coordinator(group, DESCRIBE_MAX, &request, refusal)?;
    let described = response.groups.into_iter().next().ok_or("the broker said nothing of the group")?;
    if described.error_code == GROUP_NOT_FOUND {
        return Err(unknown(group));
    }
    check(described.error_code, described.error_message.as_ref(), &format!("the group {group}"))?;
    Ok(described)
}

fn shows(group: &str) -> String {
    format!("`tora group describe {group}` shows who they are")
}

fn unknown(group: &str) -> Failure {
    format!("there is no group {group}: `tora group list` shows those there are")
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

fn describe(group: &str, common: &Common) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&common.bootstrap)?;
    let described = described(&mut cluster, group)?;
    let offsets = committed(&mut cluster, group)?;
    let state = described.group_state.to_string();
    if state == "Dead" && offsets.is_empty() {
        return Err(unknown(group));
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
    print(&head(group, &described))?;
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

/// What a group is, and who is in it.
fn head(group: &str, described: &DescribedGroup) -> String {
    let state = described.group_state.as_str();
    if described.members.is_empty() {
        return format!("{group}  {state}, no members\n\n");
    }
    let members = counted(described.members.len() as u64, "member");
    let assignor = described.protocol_data.as_str();
    let shared = if assignor.is_empty() { String::new() } else { format!(", shared out by {assignor}") };
    let rows: Vec<Vec<String>> = described
        .members
        .iter()
        .map(|member| {
            let partitions = assigned(member.member_assignment.clone()).len().to_string();
            let [id, client, host] = [&member.member_id, &member.client_id, &member.client_host];
            vec![id.to_string(), client.to_string(), host.to_string(), partitions]
        })
        .collect();
    let table = columns(&["MEMBER", "CLIENT", "HOST", "PARTITIONS"], &rows);
    format!("{group}  {state}, {members}{shared}\n\n{table}\n")
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
        let refusal =
            |response: &DeleteGroupsResponse| response.results.first().map_or(0, |result| result.error_code);
        let response = cluster.ask_coordinator(group, i16::MAX, &request, refusal)?;
        let answer = response.results.first().ok_or("the broker said nothing of the group")?;
        match answer.error_code {
            GROUP_NOT_FOUND => return Err(unknown(group)),
            NON_EMPTY_GROUP => {
                return Err(format!("the group {group} has members; stop them first: {}", shows(group)));
            }
            code => check(code, None, &format!("deleting the group {group}"))?,
        }
    }
    if common.json {
        return print_json(&json!({"deleted": groups}));
    }
    print(&groups.iter().map(|group| format!("deleted {group}\n")).collect::<String>())
}
