//! `tora topic`.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest,
};
use serde_json::{Value, json};

use super::table::{columns, counted};
use super::{Common, pair, print, print_json};
use crate::client::{self, Cluster, Failure, check, text};

/// The number of topics among resources.
const TOPIC: i8 = 2;
/// A setting's value comes from the topic itself.
const SOURCE_TOPIC: i8 = 1;

const SET: i8 = 0;
const DELETE: i8 = 1;

const TIMEOUT_MS: i32 = 30_000;

/// What to do with topics.
#[derive(Debug, clap::Subcommand)]
pub enum Topic {
    /// List the topics.
    #[command(after_long_help = "\
Examples:
  tora topic list
  tora topic list --json | jq -r '.[].name'")]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Create a topic.
    #[command(after_long_help = "\
Examples:
  tora topic create clicks
      One partition, or what the broker's num.partitions says.
  tora topic create clicks --partitions 8 --set retention.ms=86400000
      Eight partitions; records are kept for a day.
  tora topic create clicks --if-not-exists
      Does nothing where it exists.")]
    Create {
        /// Its name: letters, digits, `.`, `_` and `-`.
        name: String,
        /// Its number of partitions [default: the broker's num.partitions].
        #[arg(long, short)]
        partitions: Option<i32>,
        /// Copies of each record, no more than there are brokers [default: the broker's].
        #[arg(long, short)]
        replication_factor: Option<i16>,
        /// Sets one of its settings; may be repeated. `tora topic describe NAME --all` shows them all.
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
        set: Vec<(String, String)>,
        /// It is no failure if the topic exists.
        #[arg(long)]
        if_not_exists: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Show topics: partitions with their offsets, and what was set.
    #[command(after_long_help = "\
Examples:
  tora topic describe clicks
      Its partitions, each with its first offset and its end, and the settings
      that are not the default.
  tora topic describe clicks --all
      Every setting in effect, with where its value comes from.")]
    Describe {
        /// Their names.
        #[arg(required = true)]
        names: Vec<String>,
        /// Every setting, not only what was set.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Give a topic more partitions or other settings.
    #[command(after_long_help = "\
Examples:
  tora topic alter clicks --partitions 16
      Partitions only become more. Keys go to other partitions from then on.
  tora topic alter clicks --set max.message.bytes=4194304
      Holds at once.
  tora topic alter clicks --reset max.message.bytes
      The broker's default holds again.")]
    Alter {
        /// Its name.
        name: String,
        /// How many partitions it has from now on.
        #[arg(long, short)]
        partitions: Option<i32>,
        /// Sets one of its settings; may be repeated.
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
        set: Vec<(String, String)>,
        /// Has the default hold for one of its settings; may be repeated.
        #[arg(long = "reset", value_name = "NAME")]
        reset: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Delete topics with all of their records.
    #[command(after_long_help = "\
Examples:
  tora topic delete clicks orders")]
    Delete {
        /// Their names.
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub fn run(topic: Topic) -> Result<(), Failure> {
    match topic {
        Topic::List { common } => list(&common),
        Topic::Create { name, partitions, replication_factor, set, if_not_exists, common } => {
            let wanted = CreatableTopic::default()
                .with_name(client::topic(&name))
                .with_num_partitions(partitions.unwrap_or(-1))
                .with_replication_factor(replication_factor.unwrap_or(-1))
                .with_configs(set.iter().map(config).collect());
            create(&name, wanted, if_not_exists, &common)
        }
        Topic::Describe { names, all, common } => describe(&names, all, &common),
        Topic::Alter { name, partitions, set, reset, common } => {
            if partitions.is_none() && set.is_empty() && reset.is_empty() {
                return Err("nothing to alter: give --partitions, --set or --reset".to_owned());
            }
            alter(&name, partitions, &set, &reset, &common)
        }
        Topic::Delete { names, common } => delete(&names, &common),
    }
}

fn config((name, value): &(String, String)) -> CreatableTopicConfig {
    CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
}

fn list(common: &Common) -> Result<(), Failure> {
    let mut topics = Cluster::connect(&common.bootstrap)?.metadata(None)?.topics;
    topics.sort_by_key(|topic| topic.name.clone().map(|name| name.to_string()));
    let named = topics.iter().filter_map(|topic| Some((topic.name.as_ref()?.to_string(), topic)));
    if common.json {
        let topics = named.map(|(name, topic)| {
            let id = topic.topic_id.to_string();
            json!({"name": name, "id": id, "partitions": topic.partitions.len(), "internal": topic.is_internal})
        });
        return print_json(&Value::Array(topics.collect()));
    }
    let rows: Vec<Vec<String>> =
        named.map(|(name, topic)| vec![name, topic.partitions.len().to_string()]).collect();
    print(&columns(&["TOPIC", "PARTITIONS"], &rows))
}

fn create(name: &str, wanted: CreatableTopic, if_not_exists: bool, common: &Common) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&common.bootstrap)?;
    let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(TIMEOUT_MS);
    let response = cluster.any().call(&request)?;
    let answer = response.topics.first().ok_or("the broker said nothing of the topic")?;
    let exists = answer.error_code == 36;
    if !(exists && if_not_exists) {
        check(answer.error_code, answer.error_message.as_ref(), &format!("creating {name}"))?;
    }
    let partitions = cluster.partitions(name)?.len();
    if common.json {
        return print_json(&json!({"name": name, "partitions": partitions, "created": !exists}));
    }
    print(&if exists {
        format!("{name} exists\n")
    } else {
        format!("created {name}: {}\n", counted(u64::try_from(partitions).unwrap_or(0), "partition"))
    })
}

/// A setting, its value and whether the topic sets it itself.
type Setting = (String, String, bool);

fn settings(cluster: &mut Cluster, name: &str) -> Result<Vec<Setting>, Failure> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let response = cluster.any().call(&DescribeConfigsRequest::default().with_resources(vec![resource]))?;
    let result = response.results.into_iter().next().ok_or("the broker said nothing of the settings")?;
    check(result.error_code, result.error_message.as_ref(), &format!("the settings of {name}"))?;
    let settings = result.configs.into_iter().map(|config| {
        let value = config.value.map(|value| value.to_string()).unwrap_or_default();
        (config.name.to_string(), value, config.config_source == SOURCE_TOPIC)
    });
    Ok(settings.collect())
}

fn describe(names: &[String], all: bool, common: &Common) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&common.bootstrap)?;
    let mut described = Vec::new();
    for name in names {
        let mut topic = cluster.topic(name)?;
        topic.partitions.sort_by_key(|partition| partition.partition_index);
        let partitions: Vec<(String, i32)> =
            topic.partitions.iter().map(|partition| (name.clone(), partition.partition_index)).collect();
        let starts = cluster.offsets(&partitions, -2)?;
        let ends = cluster.offsets(&partitions, -1)?;
        let settings = settings(&mut cluster, name)?;
        let settings: Vec<Setting> = settings.into_iter().filter(|setting| all || setting.2).collect();
        if common.json {
            let partitions = topic.partitions.iter().zip(&partitions).map(|(partition, id)| {
                json!({"partition": id.1, "leader": partition.leader_id.0, "leader_epoch": partition.leader_epoch,
                       "start": starts[id], "end": ends[id]})
            });
            let partitions: Vec<Value> = partitions.collect();
            let settings: serde_json::Map<String, Value> =
                settings.into_iter().map(|(name, value, _)| (name, Value::String(value))).collect();
            let id = topic.topic_id.to_string();
            described.push(json!({"name": name, "id": id, "partitions": partitions, "settings": settings}));
            continue;
        }
        print(&format!("{name}  id {}\n\n", topic.topic_id))?;
        let rows: Vec<Vec<String>> = topic
            .partitions
            .iter()
            .zip(&partitions)
            .map(|(partition, id)| {
                let (start, end) = (starts[id], ends[id]);
                [id.1.into(), partition.leader_id.0.into(), start, end, end - start]
                    .map(|n: i64| n.to_string())
                    .to_vec()
            })
            .collect();
        print(&columns(&["PARTITION", "LEADER", "START", "END", "RECORDS"], &rows))?;
        let rows: Vec<Vec<String>> = settings
            .into_iter()
            .map(|(name, value, set)| vec![name, value, (if set { "topic" } else { "broker" }).to_owned()])
            .collect();
        if !rows.is_empty() {
            print(&format!("\n{}", columns(&["SETTING", "VALUE", "FROM"], &rows)))?;
        }
        print("\n")?;
    }
    if common.json { print_json(&Value::Array(described)) } else { Ok(()) }
}

fn alter(
    name: &str,
    partitions: Option<i32>,
    set: &[(String, String)],
    reset: &[String],
    common: &Common,
) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&common.bootstrap)?;
    if !(set.is_empty() && reset.is_empty()) {
        let change = |name: &str, operation, value: Option<&str>| {
            AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(operation)
                .with_value(value.map(text))
        };
        let sets = set.iter().map(|(name, value)| change(name, SET, Some(value)));
        let changes = sets.chain(reset.iter().map(|name| change(name, DELETE, None)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(name))
            .with_configs(changes.collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let response = cluster.any().call(&request)?;
        let answer = response.responses.first().ok_or("the broker said nothing of the settings")?;
        check(answer.error_code, answer.error_message.as_ref(), &format!("altering {name}"))?;
    }
    if let Some(count) = partitions {
        let topic = CreatePartitionsTopic::default()
            .with_name(client::topic(name))
            .with_count(count)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
        let response = cluster.any().call(&request)?;
        let answer = response.results.first().ok_or("the broker said nothing of the partitions")?;
        check(answer.error_code, answer.error_message.as_ref(), &format!("partitions for {name}"))?;
    }
    if common.json {
        return print_json(&json!({"name": name, "altered": true}));
    }
    print(&format!("altered {name}\n"))
}

fn delete(names: &[String], common: &Common) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&common.bootstrap)?;
    for name in names {
        // Up to version 5 topics are named.
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![client::topic(name)])
            .with_timeout_ms(TIMEOUT_MS);
        let response = cluster.any().call_upto(5, &request)?;
        let answer = response.responses.first().ok_or("the broker said nothing of the topic")?;
        check(answer.error_code, answer.error_message.as_ref(), &format!("deleting {name}"))?;
    }
    if common.json {
        return print_json(&json!({"deleted": names}));
    }
    print(&names.iter().map(|name| format!("deleted {name}\n")).collect::<String>())
}
