//! `tora produce`: lines in, records out.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, IsTerminal};

use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};

use super::line::{of_json, of_text};
use super::table::counted;
use super::{pair, partitioner, print, print_json};
use crate::client::records::{Content, encode};
use crate::client::{self, Cluster, Failure, check};

/// Bytes of records in a request, roughly: below any broker's default limit of a batch.
const BATCH_BYTES: usize = 512 << 10;
/// Records in a request.
const BATCH_RECORDS: usize = 10_000;

const TIMEOUT_MS: i32 = 30_000;

/// Topics go by their ids from version 13 on.
const VERSION_MAX: i16 = 12;

/// `tora produce`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Each line of standard input becomes a record. Lines that are there together
go together; a line that is typed goes at once. It ends when every record is
acknowledged, and fails at the first that is refused.

Examples:
  echo hello | tora produce greetings
  tora produce clicks < data/click.jsonl
  tora produce users --key-separator : --header source=import < users.txt
      `7:Ada` has the key 7 and the value Ada. Records of one key go to one
      partition, the same that Java's client and librdkafka's murmur2 choose.
  tora consume a --from earliest --until-end --json | tora produce b --json
      Copies a topic with keys, headers, times and partitions.")]
pub struct Produce {
    /// The topic.
    topic: String,
    /// What stands between a line's key and its value.
    #[arg(long, short = 'k', value_name = "TEXT")]
    key_separator: Option<String>,
    /// A header of every record; may be repeated.
    #[arg(long = "header", short = 'H', value_name = "NAME=VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// The partition of every record [default: by key, and in turn without one].
    #[arg(long, short)]
    partition: Option<i32>,
    /// -1: acknowledged by all replicas in sync; 1: by the leader alone.
    #[arg(long, default_value_t = -1, allow_hyphen_values = true, value_parser = acks)]
    acks: i16,
    /// A broker of the cluster; several may be given with commas between them.
    #[arg(long, short = 'b', value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    bootstrap: String,
    /// Each line is a JSON object with `value` and perhaps `key`, `headers`, `partition` and `timestamp`, as `tora consume
    /// --json` writes them; what was done is told in JSON too.
    #[arg(long)]
    json: bool,
}

fn acks(text: &str) -> Result<i16, String> {
    match text {
        "-1" | "all" => Ok(-1),
        "1" => Ok(1),
        _ => Err("use -1 (all) or 1".to_owned()),
    }
}

struct Producer {
    cluster: Cluster,
    topic: String,
    partitions: Vec<i32>,
    acks: i16,
    /// Records of each partition that were not sent yet.
    waiting: BTreeMap<i32, Vec<Content>>,
    bytes: usize,
    records: usize,
    /// Where the next record without a key goes.
    turn: usize,
    sent: u64,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub fn run(wanted: &Produce) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&wanted.bootstrap)?;
    cluster.create_by_asking(&wanted.topic)?;
    let partitions = cluster.partitions(&wanted.topic)?;
    let mut producer = Producer {
        cluster,
        topic: wanted.topic.clone(),
        partitions,
        acks: wanted.acks,
        waiting: BTreeMap::new(),
        bytes: 0,
        records: 0,
        turn: 0,
        sent: 0,
    };
    if std::io::stdin().is_terminal() {
        eprintln!("each line you type becomes a record; Ctrl-D ends");
    }
    let mut input = BufReader::with_capacity(1 << 20, std::io::stdin().lock());
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(|why| format!("standard input: {why}"))? == 0 {
            break;
        }
        number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if wanted.json && line.is_empty() {
            continue;
        }
        let (content, partition) = record(wanted, &line).map_err(|why| format!("line {number}: {why}"))?;
        producer.add(content, partition)?;
        // What was typed should go at once; what is there already goes together.
        if input.buffer().is_empty() || producer.has_enough() {
            producer.send()?;
        }
    }
    producer.send()?;
    if wanted.json {
        let topic = &wanted.topic;
        return print_json(&serde_json::json!({"topic": topic, "records": producer.sent}));
    }
    print(&format!("{} to {}\n", counted(producer.sent, "record"), wanted.topic))
}

fn record(wanted: &Produce, line: &[u8]) -> Result<(Content, Option<i32>), Failure> {
    let now = jiff::Timestamp::now().as_millisecond();
    let (mut content, partition) = if wanted.json {
        let (content, partition, timestamp) = of_json(line)?;
        (Content { timestamp: timestamp.unwrap_or(now), ..content }, partition)
    } else {
        (Content { timestamp: now, ..of_text(line, wanted.key_separator.as_deref()) }, None)
    };
    let headers = wanted.headers.iter().map(|(name, value)| (name.clone(), Some(value.clone().into_bytes())));
    content.headers.extend(headers);
    Ok((content, wanted.partition.or(partition)))
}

impl Producer {
    fn add(&mut self, content: Content, partition: Option<i32>) -> Result<(), Failure> {
        let partition = match (partition, &content.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => self.partitions[partitioner::of_key(key, self.partitions.len())],
            (None, None) => self.partitions[self.turn % self.partitions.len()],
        };
        if !self.partitions.contains(&partition) {
            return Err(format!(
                "the topic {} has no partition {partition}, only 0 to {}",
                self.topic,
                self.partitions.len() - 1
            ));
        }
        self.bytes += content.len();
        self.records += 1;
        self.waiting.entry(partition).or_default().push(content);
        Ok(())
    }

    const fn has_enough(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.records >= BATCH_RECORDS
    }

    /// Sends what waits and waits for the acknowledgement.
    fn send(&mut self) -> Result<(), Failure> {
        for (partition, contents) in std::mem::take(&mut self.waiting) {
            let data =
                PartitionProduceData::default().with_index(partition).with_records(Some(encode(&contents)?));
            let topic = TopicProduceData::default()
                .with_name(client::topic(&self.topic))
                .with_partition_data(vec![data]);
            let request = ProduceRequest::default()
                .with_acks(self.acks)
                .with_timeout_ms(TIMEOUT_MS)
                .with_topic_data(vec![topic]);
            let leader = self.cluster.leader(&self.topic, partition)?;
            let connection = self.cluster.broker(leader)?;
            let response = connection.call_upto(VERSION_MAX, &request)?;
            let answer = response.responses.first().and_then(|topic| topic.partition_responses.first());
            let answer = answer.ok_or("the broker said nothing of the records")?;
            let what = format!("{} records to {}-{partition}", contents.len(), self.topic);
            check(answer.error_code, answer.error_message.as_ref(), &what)?;
            self.sent += contents.len() as u64;
        }
        (self.bytes, self.records) = (0, 0);
        self.turn = self.turn.wrapping_add(1);
        Ok(())
    }
}
