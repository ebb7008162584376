//! Topics' settings and names.

use super::*;

fn with(given: &[(&str, &str)]) -> Result<TopicConfig, SettingFault> {
    defaults().with(&pairs(given))
}

/// What the user reads about a refused setting.
fn refusal(name: &str, value: &str) -> String {
    with(&[(name, value)]).expect_err("the setting must be refused").to_string()
}

#[test]
fn nothing_set_is_the_defaults() {
    assert_eq!(with(&[]), Ok(defaults()));
}

#[test]
fn every_setting_takes_its_value() {
    let config = with(&[
        ("flush.messages", "9223372036854775807"),
        ("max.message.bytes", "68"),
        ("segment.bytes", " 1048576 "),
        ("message.timestamp.type", "LogAppendTime"),
        ("retention.ms", "604800000"),
        ("retention.bytes", "0"),
        ("segment.ms", "1"),
        ("flush.ms", "0"),
        ("cleanup.policy", "delete"),
        ("compression.type", "producer"),
    ]);
    let expected = TopicConfig {
        flush_messages: i64::MAX as u64,
        max_message_bytes: 68,
        segment_bytes: 1 << 20,
        timestamp_type: TimestampType::LogAppendTime,
        retention_ms: 604_800_000,
        retention_bytes: 0,
        segment_ms: 1,
        flush_ms: 0,
    };
    assert_eq!(config, Ok(expected));
}

#[test]
fn what_is_listed_can_be_set_again() {
    let config = with(&[("message.timestamp.type", "LogAppendTime"), ("flush.messages", "7")]).unwrap();
    let listed: Vec<_> = config.entries().map(|(name, value)| (name.to_owned(), value)).to_vec();
    assert_eq!(listed.len(), 10);
    assert_eq!(defaults().with(&listed), Ok(config));
}

#[test]
fn a_segment_holds_at_least_one_batch_of_the_largest_size() {
    let config = with(&[("segment.bytes", "1048576"), ("max.message.bytes", "5000000")]).unwrap();
    assert_eq!(config.segment_bytes, 5_000_000);
    let config = with(&[("segment.bytes", "1048576")]).unwrap();
    assert_eq!(config.segment_bytes, 1_048_588, "the default largest batch is larger");
}

#[test]
fn numbers_out_of_range_are_told_the_range() {
    for (name, value, would_do) in [
        ("flush.messages", "0", "use a whole number, 1 or more"),
        ("flush.messages", "9223372036854775808", "use a whole number, 1 or more"),
        ("max.message.bytes", "67", "use a whole number from 68 to 104857600"),
        ("max.message.bytes", "104857601", "use a whole number from 68 to 104857600"),
        ("segment.bytes", "1048575", "use a whole number from 1048576 to 1099511627776"),
        ("segment.bytes", "1099511627777", "use a whole number from 1048576 to 1099511627776"),
        ("segment.bytes", "1GiB", "use a whole number from 1048576 to 1099511627776"),
        ("retention.ms", "-2", "use a whole number, -1 or more"),
        ("segment.ms", "0", "use a whole number, 1 or more"),
        ("flush.ms", "-1", "use a whole number, 0 or more"),
        ("retention.bytes", "", "use a whole number, -1 or more"),
    ] {
        assert_eq!(refusal(name, value), format!("{name} cannot be {value:?}; {would_do}"));
    }
    let zeroes = "0".repeat(100_000) + "1";
    assert!(refusal("flush.messages", &zeroes).len() < 200, "a long value is neither stored nor repeated");
}

#[test]
fn what_would_have_no_effect_is_refused() {
    assert!(refusal("cleanup.policy", "compact").contains("use delete"));
    assert!(refusal("cleanup.policy", "compact,delete").contains("use delete"));
    assert!(refusal("compression.type", "zstd").contains("use producer"));
    assert!(refusal("message.timestamp.type", "logappendtime").contains("use CreateTime or LogAppendTime"));
    assert!(refusal("min.insync.replicas", "2").contains("not supported"));
}

#[test]
fn a_misspelt_name_is_told_the_nearest() {
    for (name, nearest) in [
        ("flush.message", "flush.messages"),
        ("max.mesage.bytes", "max.message.bytes"),
        ("log.segment.bytes", "segment.bytes"),
        ("Retention.MS", "retention.ms"),
        ("retention.byte", "retention.bytes"),
    ] {
        let expected = SettingFault::Unknown { name: name.to_owned(), nearest };
        assert_eq!(with(&[(name, "1")]), Err(expected));
    }
    assert!(with(&[("", "")]).is_err());
}

#[test]
fn a_name_given_twice_is_refused() {
    let twice = with(&[("flush.messages", "1"), ("flush.messages", "1")]);
    assert_eq!(twice, Err(SettingFault::Twice { name: "flush.messages".to_owned() }));
}

#[test]
fn names_follow_kafkas_rules() {
    let longest = "x".repeat(249);
    for name in ["a", "A-z_0.9", "...", "__consumer_offsets", &longest] {
        assert_eq!(TopicName::parse(name).unwrap().as_str(), name);
    }
    let too_long = "x".repeat(250);
    for (name, fault) in [
        ("", NameFault::Empty),
        (".", NameFault::Dots),
        ("..", NameFault::Dots),
        ("a/b", NameFault::Character('/')),
        ("a b", NameFault::Character(' ')),
        ("a\0", NameFault::Character('\0')),
        ("thé", NameFault::Character('é')),
        (&too_long, NameFault::Length(250)),
    ] {
        assert_eq!(TopicName::parse(name), Err(fault));
        assert!(!fault.to_string().is_empty());
    }
}
