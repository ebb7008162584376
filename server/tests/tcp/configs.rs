//! DescribeConfigs, AlterConfigs and IncrementalAlterConfigs at every version, and what an altered setting does at once.

use kafka_protocol::messages::alter_configs_request as whole;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::incremental_alter_configs_request as single;
use kafka_protocol::messages::{AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest};
use kafka_protocol::protocol::StrBytes;

use crate::support::requests::{batch, create, fetch, produce, produced};
use crate::support::stored::{only, values};
use crate::support::{Client, Server, contains};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

pub const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn describe(client: &mut Client, version: i16, kind: i8, name: &str) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_synonyms(true)
        .with_include_documentation(version >= 3);
    client.call(version, &request).results.remove(0)
}

/// Changes one setting of a topic; gives the error and its text.
pub fn alter(
    client: &mut Client,
    version: i16,
    topic: &str,
    changes: &[(&str, i8, Option<&str>)],
) -> (i16, String) {
    alter_resource(client, version, (TOPIC, topic), changes, false)
}

fn alter_resource(
    client: &mut Client,
    version: i16,
    (kind, name): (i8, &str),
    changes: &[(&str, i8, Option<&str>)],
    validate_only: bool,
) -> (i16, String) {
    let configs = changes.iter().map(|(name, operation, value)| {
        single::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    });
    let resource = single::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.collect());
    let request = IncrementalAlterConfigsRequest::default()
        .with_resources(vec![resource])
        .with_validate_only(validate_only);
    let response = client.call(version, &request).responses.remove(0);
    assert_eq!((response.resource_type, &*response.resource_name), (kind, name));
    (response.error_code, response.error_message.as_deref().unwrap_or_default().to_owned())
}

fn replace(
    client: &mut Client,
    version: i16,
    topic: &str,
    settings: &[(&str, Option<&str>)],
) -> (i16, String) {
    let configs = settings.iter().map(|(name, value)| {
        whole::AlterableConfig::default().with_name(text(name)).with_value(value.map(text))
    });
    let resource = whole::AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(topic))
        .with_configs(configs.collect());
    let response = client.call(version, &AlterConfigsRequest::default().with_resources(vec![resource]));
    let answer = &response.responses[0];
    (answer.error_code, answer.error_message.as_deref().unwrap_or_default().to_owned())
}

fn setting<'a>(described: &'a DescribeConfigsResult, name: &str) -> &'a DescribeConfigsResourceResult {
    assert_eq!(described.error_code, 0, "{:?}", described.error_message);
    described.configs.iter().find(|config| &*config.name == name).expect(name)
}

/// Value and source.
fn told(described: &DescribeConfigsResult, name: &str) -> (String, i8) {
    let setting = setting(described, name);
    (setting.value.as_deref().expect("it has a value").to_owned(), setting.config_source)
}

#[test]
fn topics_are_described_at_every_version() {
    let server = Server::start(&["message.max.bytes=2000000"]);
    let mut client = server.connect();
    create(&mut client, "t", 1);
    assert_eq!(alter(&mut client, 1, "t", &[("flush.messages", SET, Some("7"))]).0, 0);
    for version in 1..=4 {
        let described = describe(&mut client, version, TOPIC, "t");
        assert_eq!(told(&described, "flush.messages"), ("7".to_owned(), 1));
        assert_eq!(told(&described, "max.message.bytes"), ("2000000".to_owned(), 4));
        assert_eq!(told(&described, "cleanup.policy"), ("delete".to_owned(), 5));
        let synonyms = |name| {
            let synonyms = setting(&described, name).synonyms.iter();
            synonyms
                .map(|synonym| {
                    let value = synonym.value.as_deref().expect("a value");
                    (synonym.name.to_string(), value.to_owned(), synonym.source)
                })
                .collect::<Vec<_>>()
        };
        let expected = [("flush.messages", "7", 1), ("flush.messages", "1", 5)]
            .map(|(n, v, s)| (n.to_owned(), v.to_owned(), s));
        assert_eq!(synonyms("flush.messages"), expected);
        let expected = [("message.max.bytes", "2000000", 4), ("message.max.bytes", "1048588", 5)]
            .map(|(n, v, s)| (n.to_owned(), v.to_owned(), s));
        assert_eq!(synonyms("max.message.bytes"), expected);
        let setting = setting(&described, "flush.messages");
        assert!(!setting.read_only && !setting.is_sensitive);
        if version >= 3 {
            assert_eq!(setting.config_type, 5);
            assert!(setting.documentation.as_ref().is_some_and(|doc| doc.contains("acknowledged")));
        }
        assert_eq!(describe(&mut client, version, TOPIC, "unknown").error_code, 3);
        assert_eq!(describe(&mut client, version, TOPIC, "no/name").error_code, 17);
        assert_eq!(describe(&mut client, version, 16, "metrics").error_code, 42);
    }
}

#[test]
fn only_what_is_asked_for_is_described() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "t", 1);
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("t"))
        .with_configuration_keys(Some(vec![text("retention.ms"), text("no.such")]));
    let response = client.call(4, &DescribeConfigsRequest::default().with_resources(vec![resource]));
    let configs = &response.results[0].configs;
    assert_eq!(configs.iter().map(|config| &*config.name).collect::<Vec<_>>(), ["retention.ms"]);
    assert!(configs[0].synonyms.is_empty() && configs[0].documentation.is_none(), "they were not asked for");
}

#[test]
fn the_broker_is_described_at_every_version() {
    let server = Server::start(&["node.id=7", "log.flush.interval.messages=9"]);
    let mut client = server.connect();
    for version in 1..=4 {
        let described = describe(&mut client, version, BROKER, "7");
        assert_eq!(told(&described, "node.id"), ("7".to_owned(), 4));
        assert_eq!(told(&described, "flush.messages"), ("9".to_owned(), 4), "under its other name");
        assert_eq!(told(&described, "num.partitions"), ("1".to_owned(), 5));
        assert!(described.configs.iter().all(|config| config.read_only));
        assert!(
            describe(&mut client, version, BROKER, "").configs.is_empty(),
            "nothing is set for all brokers"
        );
        let other = describe(&mut client, version, BROKER, "8");
        assert_eq!(other.error_code, 42);
        contains(other.error_message.as_deref().expect("a reason"), &["no broker 8", "7"]);
    }
}

#[test]
fn single_settings_are_altered_at_every_version() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "t", 1);
    for version in 0..=1 {
        let set = [("retention.ms", SET, Some(" 5 ")), ("cleanup.policy", APPEND, Some("delete"))];
        assert_eq!(alter(&mut client, version, "t", &set), (0, String::new()));
        let described = describe(&mut client, 4, TOPIC, "t");
        assert_eq!(told(&described, "retention.ms"), ("5".to_owned(), 1));
        assert_eq!(told(&described, "cleanup.policy"), ("delete".to_owned(), 1));
        let delete = [("retention.ms", DELETE, None), ("cleanup.policy", DELETE, None)];
        assert_eq!(alter(&mut client, version, "t", &delete), (0, String::new()));
        assert_eq!(told(&describe(&mut client, 4, TOPIC, "t"), "retention.ms").1, 5);
        for (change, code, reason) in [
            (("retention.msec", SET, Some("1")), 40, "did you mean retention.ms?"),
            (("retention.ms", SET, Some("soon")), 40, "use a whole number"),
            (("cleanup.policy", SUBTRACT, Some("delete")), 40, "use delete"),
            (("retention.ms", APPEND, Some("1")), 40, "is no list"),
            (("retention.ms", SET, None), 42, "has no value"),
            (("retention.ms", 9, Some("1")), 42, "no operation 9"),
        ] {
            let (found, why) = alter(&mut client, version, "t", &[change]);
            assert_eq!(found, code, "{why}");
            contains(&why, &[reason]);
        }
        assert_eq!(alter(&mut client, version, "unknown", &[]).0, 3);
        let (code, why) = alter_resource(&mut client, version, (BROKER, "1"), &[], false);
        assert_eq!(code, 42);
        contains(&why, &["when it starts"]);
        let change = [("retention.ms", SET, Some("6"))];
        assert_eq!(alter_resource(&mut client, version, (TOPIC, "t"), &change, true).0, 0);
        assert_eq!(told(&describe(&mut client, 4, TOPIC, "t"), "retention.ms").1, 5, "it was only checked");
    }
    let resource =
        single::AlterConfigsResource::default().with_resource_type(TOPIC).with_resource_name(text("t"));
    let twice = IncrementalAlterConfigsRequest::default().with_resources(vec![resource; 2]);
    let codes: Vec<_> = client.call(1, &twice).responses.iter().map(|answer| answer.error_code).collect();
    assert_eq!(codes, [42, 42]);
}

#[test]
fn all_settings_are_replaced_at_every_version() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "t", 1);
    for version in 0..=2 {
        let both = [("retention.ms", Some("5")), ("flush.messages", Some("2"))];
        assert_eq!(replace(&mut client, version, "t", &both), (0, String::new()));
        assert_eq!(replace(&mut client, version, "t", &[("retention.ms", Some("6"))]).0, 0);
        let described = describe(&mut client, 4, TOPIC, "t");
        assert_eq!(told(&described, "retention.ms"), ("6".to_owned(), 1));
        assert_eq!(told(&described, "flush.messages"), ("1".to_owned(), 5), "it was not named");
        assert_eq!(replace(&mut client, version, "t", &[("retention.ms", None)]).0, 42);
        assert_eq!(replace(&mut client, version, "t", &[("retention", Some("1"))]).0, 40);
        assert_eq!(replace(&mut client, version, "unknown", &[]).0, 3);
    }
}

#[test]
fn altered_settings_hold_at_once_and_after_a_restart() {
    let server = Server::start(&["tora.cores=2"]);
    let mut client = server.connect();
    create(&mut client, "t", 4);
    let small = batch(&["small"]);
    let large = batch(&["x".repeat(10_000)]);
    for partition in 0..4 {
        assert_eq!(produced(&client.call(7, &produce("t", partition, small.clone()))).error_code, 0);
    }
    let limit = |value| [("max.message.bytes", SET, Some(value))];
    assert_eq!(alter(&mut client, 1, "t", &limit("5000")).0, 0);
    for partition in 0..4 {
        let refused = client.call(7, &produce("t", partition, large.clone()));
        assert_eq!(produced(&refused).error_code, 10, "on whichever core partition {partition} is");
    }
    let changes = [
        ("max.message.bytes", SET, Some("20000000")),
        ("message.timestamp.type", SET, Some("LogAppendTime")),
    ];
    assert_eq!(alter(&mut client, 1, "t", &changes).0, 0);
    // Larger than what may be unflushed in the segment that is open.
    let huge = batch(&["y".repeat(15_000_000)]);
    let answer = client.call(7, &produce("t", 1, huge));
    assert_eq!(produced(&answer).error_code, 0);
    assert!(produced(&answer).log_append_time_ms > 1_700_000_000_000, "the broker's time");
    let server = Server::start_in(server.kill(), &["tora.cores=2"]);
    let mut client = server.connect();
    let described = describe(&mut client, 4, TOPIC, "t");
    assert_eq!(told(&described, "max.message.bytes"), ("20000000".to_owned(), 1));
    assert_eq!(produced(&client.call(7, &produce("t", 1, large))).error_code, 0);
    let response = client.call(11, &fetch("t", &[(1, 0)]));
    assert_eq!(values(only(&response))[0], (0, "small".to_owned()));
    let response = client.call(11, &fetch("t", &[(1, 1)]));
    assert_eq!(values(only(&response))[0].1.len(), 15_000_000);
}

#[test]
fn flushing_can_be_altered_while_records_come() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "t", 1);
    let mut next = 0;
    for flush in ["1000", "1", "50", "1"].repeat(5) {
        assert_eq!(alter(&mut client, 1, "t", &[("flush.messages", SET, Some(flush))]).0, 0);
        for _ in 0..5 {
            let answer = client.call(7, &produce("t", 0, batch(&["a"])));
            assert_eq!((produced(&answer).error_code, produced(&answer).base_offset), (0, next));
            next += 1;
        }
    }
}
