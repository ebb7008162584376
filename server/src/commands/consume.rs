//! `tora consume`: records in, lines out.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};

use super::group::{commit, committed};
use super::line::{Format, to_json, to_text};
use super::place::Place;
use super::print_bytes;
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
Prints the value of each record on a line, and goes on with what comes until it is stopped.

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
      Begins where the group billing has stopped, at the start the first time, and commits what was printed. It reads
      all partitions and is no member of the group: nobody else should be at the same time.
  tora consume clicks --json
      One JSON object a line, with topic, partition, offset, timestamp, key, value and headers.")]
pub struct Consume {
    /// The topic.
    topic: String,
    /// Where to begin: earliest, latest, an offset, a time, or @ and milliseconds since 1970.
    #[arg(long, value_name = "PLACE", default_value = "latest", allow_hyphen_values = true)]
    from: Place,
    /// Only these partitions; may be repeated.
    #[arg(long, short)]
    partition: Vec<i32>,
    /// Begin where this group has stopped, and commit to it what was printed; --from is for partitions that it has not
    /// committed.
    #[arg(long, short)]
    group: Option<String>,
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
    /// Where each partition is read next.
    next: BTreeMap<i32, i64>,
    /// Where each partition is not read any further.
    ends: BTreeMap<i32, i64>,
    left: u64,
    /// What the group knows of.
    committed: BTreeMap<i32, i64>,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub fn run(wanted: &Consume) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&wanted.bootstrap)?;
    let mut partitions = cluster.partitions(&wanted.topic)?;
    if let Some(unknown) = wanted.partition.iter().find(|partition| !partitions.contains(partition)) {
        return Err(format!("the topic {} has no partition {unknown}", wanted.topic));
    }
    partitions.retain(|partition| wanted.partition.is_empty() || wanted.partition.contains(partition));
    let named: Vec<(String, i32)> = partitions.iter().map(|index| (wanted.topic.clone(), *index)).collect();
    let mut places = wanted.from.offsets(&mut cluster, &named)?;
    if let Some(group) = &wanted.group {
        let known = committed(&mut cluster, group)?;
        for (partition, place) in &mut places {
            *place = known.get(partition).copied().unwrap_or(*place);
        }
    }
    let next: BTreeMap<i32, i64> =
        places.into_iter().map(|((_, partition), offset)| (partition, offset)).collect();
    let ends = if wanted.until_end {
        let ends = cluster.offsets(&named, -1)?;
        ends.into_iter().map(|((_, partition), offset)| (partition, offset)).collect()
    } else {
        BTreeMap::new()
    };
    let format = Format { key_separator: wanted.key_separator.clone(), headers: wanted.headers };
    let left = wanted.max.unwrap_or(u64::MAX);
    let committed = next.clone();
    Consumer { wanted, cluster, format, next, ends, left, committed }.run()
}

impl Consumer<'_> {
    fn run(mut self) -> Result<(), Failure> {
        while self.left > 0 {
            let open: Vec<i32> = self
                .next
                .iter()
                .filter(|(partition, next)| self.ends.get(partition).is_none_or(|end| *next < end))
                .map(|(partition, _)| *partition)
                .collect();
            if open.is_empty() {
                break;
            }
            let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
            for partition in open {
                let leader = self.cluster.leader(&self.wanted.topic, partition)?;
                by_leader.entry(leader).or_default().push(partition);
            }
            // One leader may be waited for; several are asked in turn.
            let wait = if by_leader.len() == 1 { WAIT_MS } else { WAIT_MS / 10 };
            for (leader, partitions) in by_leader {
                self.fetch(leader, &partitions, wait)?;
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
                OFFSET_OUT_OF_RANGE => return Err(self.out_of_range(partition)),
                // Somebody else leads it; asking for the topic finds out who.
                NOT_LEADER => drop(self.cluster.topic(&self.wanted.topic)?),
                code => check(code, None, &format!("fetching {}-{partition}", self.wanted.topic))?,
            }
            self.take(partition, part.records.unwrap_or_default())?;
        }
        self.commit()
    }

    fn out_of_range(&mut self, partition: i32) -> Failure {
        let id = (self.wanted.topic.clone(), partition);
        let mut held = |time| {
            let offset = self
                .cluster
                .offsets(std::slice::from_ref(&id), time)
                .ok()
                .and_then(|mut all| all.remove(&id));
            offset.map_or_else(|| "?".to_owned(), |offset| offset.to_string())
        };
        let (start, end) = (held(-2), held(-1));
        format!(
            "{}-{partition} does not hold the offset {}: it holds {start} to {end}; use --from earliest or latest",
            id.0, self.next[&partition]
        )
    }

    /// Prints a partition's records.
    fn take(&mut self, partition: i32, bytes: Bytes) -> Result<(), Failure> {
        let next = self.next[&partition];
        let end = self.ends.get(&partition).copied().unwrap_or(i64::MAX);
        let mut out = Vec::new();
        for (offset, content) in decode(bytes)? {
            // A batch may begin before the offset that was asked for.
            if offset < next {
                continue;
            }
            if offset >= end || self.left == 0 {
                break;
            }
            self.add_line(partition, offset, &content, &mut out);
            self.left -= 1;
            self.next.insert(partition, offset + 1);
        }
        print_bytes(&out)
    }

    fn add_line(&self, partition: i32, offset: i64, content: &Content, out: &mut Vec<u8>) {
        if self.wanted.json {
            out.extend(to_json(&self.wanted.topic, partition, offset, content).as_bytes());
        } else {
            out.extend(to_text(content, &self.format));
        }
        out.push(b'\n');
    }

    /// Commits what was printed.
    fn commit(&mut self) -> Result<(), Failure> {
        let Some(group) = self.wanted.group.as_ref().filter(|_| self.next != self.committed) else {
            return Ok(());
        };
        let offsets: BTreeMap<(String, i32), i64> = self
            .next
            .iter()
            .map(|(partition, offset)| ((self.wanted.topic.clone(), *partition), *offset))
            .collect();
        commit(&mut self.cluster, group, &offsets)?;
        self.committed.clone_from(&self.next);
        Ok(())
    }
}
