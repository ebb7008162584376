//! `tora consume`: records in, lines out.

mod share;

use std::collections::BTreeMap;
use std::io::IsTerminal;

use bytes::Bytes;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};

use super::is_read;
use super::line::{Format, to_json, to_text};
use super::place::Place;
use crate::client::member::Member;
use crate::client::records::{Content, decode};
use crate::client::{self, Cluster, Failure, check};

const WAIT_MS: i32 = 500;
const FETCH_BYTES: i32 = 8 << 20;
const PARTITION_BYTES: i32 = 1 << 20;

/// Topics go by their ids from version 13 on.
const VERSION_MAX: i16 = 12;

const OFFSET_OUT_OF_RANGE: i16 = 1;
const NOT_LEADER: i16 = 6;

/// `tora consume`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Prints the value of each record on a line, and goes on with what comes until it
is stopped.

Examples:
  tora consume clicks
      What comes from now on.
  tora consume clicks --from earliest --until-end
      Everything that is there, then it ends.
  tora consume clicks --from 2026-01-31T12:00:00Z --max 10
      Ten records since then.
  tora consume users --from earliest --key-separator ': ' --headers
      `source=import<TAB>7: Ada`.
  tora consume clicks --group billing --from earliest
      As a member of the group billing: several of these (or other clients with
      the range assignor) share the partitions between them, and when one ends
      or dies, the others stand in for it. It begins where the group has
      stopped, at the start the first time, and commits what it has printed.
      Ctrl-C leaves the group.
  tora consume clicks --group billing --from earliest --until-end
      What the group has not read yet, then it ends: for a job that runs every
      hour, say.
  tora consume clicks --json
      One JSON object a line: topic, partition, offset, timestamp, key, value
      and headers.")]
pub struct Consume {
    /// The topic.
    topic: String,
    /// Where to begin: earliest, latest, an offset, a time, or @ and milliseconds since 1970.
    #[arg(long, value_name = "PLACE", default_value = "latest", allow_hyphen_values = true)]
    from: Place,
    /// Only these partitions; may be repeated. (A group shares its partitions out itself.)
    #[arg(long, short, conflicts_with = "group")]
    partition: Vec<i32>,
    /// Be a member of this group: read its share of the partitions from where the group has stopped, and commit what was
    /// printed. --from is for partitions that it has not committed.
    #[arg(long, short)]
    group: Option<String>,
    /// How long the group waits for a sign of life before it gives this member's partitions to others
    /// [property of clients: session.timeout.ms].
    #[arg(long, value_name = "SECONDS", default_value_t = 45, requires = "group", value_parser = clap::value_parser!(u32).range(1..))]
    session_timeout: u32,
    /// End after so many records.
    #[arg(long, short, value_name = "N")]
    max: Option<u64>,
    /// End with the records that are there now.
    #[arg(long)]
    until_end: bool,
    /// Print keys, with this text behind each.
    #[arg(long, short = 'k', value_name = "TEXT")]
    key_separator: Option<String>,
    /// Print headers, before everything else.
    #[arg(long)]
    headers: bool,
    /// A broker of the cluster; several may be given with commas between them.
    #[arg(long, short = 'b', value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    bootstrap: String,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

struct Consumer<'a> {
    wanted: &'a Consume,
    cluster: Cluster,
    format: Format,
    /// Its place in a group.
    member: Option<Member>,
    /// Whether the group has taken its share away.
    has_lost_its_share: bool,
    /// Where each partition is read next.
    next: BTreeMap<i32, i64>,
    /// Where each partition is not read any further.
    ends: BTreeMap<i32, i64>,
    left: u64,
    /// What the group knows of.
    committed: BTreeMap<i32, i64>,
    /// Whether there is somebody to print for.
    is_read: bool,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub fn run(wanted: &Consume) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&wanted.bootstrap)?;
    let mut partitions = cluster.partitions(&wanted.topic)?;
    if let Some(unknown) = wanted.partition.iter().find(|partition| !partitions.contains(partition)) {
        let last = partitions.last().copied().unwrap_or(0);
        return Err(format!("the topic {} has no partition {unknown}: it has 0 to {last}", wanted.topic));
    }
    partitions.retain(|partition| wanted.partition.is_empty() || wanted.partition.contains(partition));
    let named: Vec<(String, i32)> = partitions.iter().map(|index| (wanted.topic.clone(), *index)).collect();
    let numbered = |offsets: BTreeMap<(String, i32), i64>| -> BTreeMap<i32, i64> {
        offsets.into_iter().map(|((_, partition), offset)| (partition, offset)).collect()
    };
    let ends = if wanted.until_end { numbered(cluster.offsets(&named, -1)?) } else { BTreeMap::new() };
    let member = wanted.group.as_ref().map(|group| share::member(wanted, group)).transpose()?;
    let next = match member {
        // What it reads, and from where, its group tells.
        Some(_) => BTreeMap::new(),
        None => numbered(wanted.from.offsets(&mut cluster, &named)?),
    };
    if member.is_none()
        && !wanted.until_end
        && wanted.from == Place::Latest
        && std::io::stdout().is_terminal()
    {
        eprintln!("what comes from now on (--from earliest: what is there, too); Ctrl-C ends");
    }
    let format = Format { key_separator: wanted.key_separator.clone(), headers: wanted.headers };
    let left = wanted.max.unwrap_or(u64::MAX);
    let committed = next.clone();
    let has_lost_its_share = member.is_some();
    Consumer {
        wanted,
        cluster,
        format,
        member,
        has_lost_its_share,
        next,
        ends,
        left,
        committed,
        is_read: true,
    }
    .run()
}

impl Consumer<'_> {
    fn run(mut self) -> Result<(), Failure> {
        let done = self.read();
        let left = self.leave();
        done.and(left)
    }

    fn read(&mut self) -> Result<(), Failure> {
        while self.left > 0 && self.is_read && self.has_its_share()? {
            let open: Vec<i32> = self
                .next
                .iter()
                .filter(|(partition, next)| self.ends.get(partition).is_none_or(|end| *next < end))
                .map(|(partition, _)| *partition)
                .collect();
            if open.is_empty() {
                if self.wanted.until_end {
                    break;
                }
                // There are more members than partitions; one may yet be given to this one.
                Member::wait_a_moment();
                continue;
            }
            let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
            for partition in open {
                let leader = self.cluster.leader(&self.wanted.topic, partition)?;
                by_leader.entry(leader).or_default().push(partition);
            }
            // One leader may be waited for; several are asked in turn.
            let wait = if by_leader.len() == 1 { WAIT_MS } else { WAIT_MS / 10 };
            for (leader, partitions) in by_leader {
                if self.is_read && !self.has_lost_its_share {
                    self.fetch(leader, &partitions, wait)?;
                }
            }
        }
        Ok(())
    }

    fn fetch(&mut self, leader: i32, partitions: &[i32], wait_ms: i32) -> Result<(), Failure> {
        let wanted = partitions.iter().map(|partition| {
            FetchPartition::default()
                .with_partition(*partition)
                .with_fetch_offset(self.next[partition])
                .with_partition_max_bytes(PARTITION_BYTES)
        });
        let topic = FetchTopic::default()
            .with_topic(client::topic(&self.wanted.topic))
            .with_partitions(wanted.collect());
        let request = FetchRequest::default()
            .with_max_wait_ms(wait_ms)
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let response = self.cluster.broker(leader)?.call_upto(VERSION_MAX, &request)?;
        check(response.error_code, None, &format!("fetching {}", self.wanted.topic))?;
        for part in response.responses.into_iter().flat_map(|topic| topic.partitions) {
            let partition = part.partition_index;
            match part.error_code {
                OFFSET_OUT_OF_RANGE => self.on_out_of_range(partition)?,
                // Somebody else leads it, or will in a moment; asking for the topic finds out who.
                NOT_LEADER => {
                    Member::wait_a_moment();
                    drop(self.cluster.topic(&self.wanted.topic)?);
                }
                code => check(code, None, &format!("fetching {}-{partition}", self.wanted.topic))?,
            }
            self.take(partition, part.records.unwrap_or_default())?;
            if !self.is_read {
                // Nobody knows how much of it was seen: the group has it again.
                return Ok(());
            }
        }
        self.commit()
    }

    /// A place that is not held: in a group, whose place may have been deleted long ago, --from says where to go on.
    fn on_out_of_range(&mut self, partition: i32) -> Result<(), Failure> {
        let id = (self.wanted.topic.clone(), partition);
        if self.member.is_some() && matches!(self.wanted.from, Place::Earliest | Place::Latest) {
            let places = self.wanted.from.offsets(&mut self.cluster, std::slice::from_ref(&id))?;
            let (before, after) = (self.next[&partition], places[&id]);
            log::warn!(
                "{}-{partition} does not hold the offset {before} any more: it is read from {after}",
                id.0
            );
            self.next.insert(partition, after);
            return Ok(());
        }
        let mut held = |time| {
            let offset = self
                .cluster
                .offsets(std::slice::from_ref(&id), time)
                .ok()
                .and_then(|mut all| all.remove(&id));
            offset.map_or_else(|| "?".to_owned(), |offset| offset.to_string())
        };
        let (start, end) = (held(-2), held(-1));
        Err(format!(
            "{}-{partition} does not hold the offset {}: it holds {start} to {end}; use --from earliest or latest",
            id.0, self.next[&partition]
        ))
    }

    /// Prints a partition's records.
    fn take(&mut self, partition: i32, bytes: Bytes) -> Result<(), Failure> {
        let next = self.next[&partition];
        let end = self.ends.get(&partition).copied().unwrap_or(i64::MAX);
        let mut out = Vec::new();
        let decoded = decode(bytes)?;
        // All of it is passed, unless something stays.
        let mut passed = decoded.end.unwrap_or(next).max(next);
        for (offset, content) in decoded.contents {
            // A batch may begin before the offset that was asked for.
            if offset < next {
                continue;
            }
            if offset >= end || self.left == 0 {
                passed = offset;
                break;
            }
            self.add_line(partition, offset, &content, &mut out);
            self.left -= 1;
        }
        self.next.insert(partition, passed);
        self.is_read = is_read(&out)?;
        Ok(())
    }

    fn add_line(&self, partition: i32, offset: i64, content: &Content, out: &mut Vec<u8>) {
        if self.wanted.json {
            out.extend(to_json(&self.wanted.topic, partition, offset, content).as_bytes());
        } else {
            out.extend(to_text(content, &self.format));
        }
        out.push(b'\n');
    }
}
