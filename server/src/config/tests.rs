use super::*;

#[test]
fn the_file_reads_as_java_reads_it() {
    let text =
        "# comment\n! another\n\na=1\n  b : two words \nc three\nd=one,\\\n   two\ne\\:f=g\\\\h\nempty=\n";
    let lines = file::parse(text);
    let pairs: Vec<(usize, &str, &str)> =
        lines.iter().map(|line| (line.number, line.name.as_str(), line.value.as_str())).collect();
    assert_eq!(
        pairs,
        [
            (4, "a", "1"),
            (5, "b", "two words "),
            (6, "c", "three"),
            (7, "d", "one,two"),
            (9, "e:f", "g\\h"),
            (10, "empty", ""),
        ]
    );
}

#[test]
fn escapes_of_the_file() {
    let value = |text: &str| file::parse(text).remove(0).value;
    assert_eq!(value("a=\\u0041\\u00e4b"), "Aäb");
    assert_eq!(value("a=\\ud800\\uzz\\t!"), "ud800uzz\t!");
    assert_eq!(value("a=/data\\ one"), "/data one");
    assert_eq!(value("a=ends\\"), "ends");
    assert_eq!(file::parse("a\n\r\nb = \\\n  # no comment\r\n").len(), 2);
}

#[test]
fn an_unknown_property_is_refused_with_the_nearest_one() {
    let error =
        Settings::default().set("num.partition", "3", "server.properties:7").expect_err("it is unknown");
    assert!(error.0.contains("server.properties:7") && error.0.contains("num.partitions"), "{error}");
    let error = Settings::default().set("zookeeper.connect", "h", "--set").expect_err("it is unknown");
    assert!(!error.0.contains("did you mean") && error.0.contains("tora properties"), "{error}");
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range() {
    let error = Settings::default().set("num.partitions", "0", "--set").expect_err("none is too few");
    assert!(error.0.contains("1 to 100000"), "{error}");
}

#[test]
fn a_wildcard_needs_an_advertised_listener() {
    let mut settings = Settings::default();
    settings.set("listeners", "PLAINTEXT://:9092", "--set").expect("an empty host is every address");
    let error = settings.check().expect_err("clients could not come back");
    assert!(error.0.contains("advertised.listeners"), "{error}");
    settings.set("advertised.listeners", "PLAINTEXT://broker.example:9092", "--set").expect("a name");
    settings.check().expect("now they can");
}

#[test]
fn every_default_of_the_table_is_the_settings_default() {
    for property in table::PROPERTIES.iter().filter(|property| !property.default.is_empty()) {
        let mut settings = Settings::default();
        (property.apply)(&mut settings, property.default).expect(property.name);
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()), "{}", property.name);
    }
}

#[test]
fn the_table_is_in_order() {
    assert!(table::PROPERTIES.is_sorted_by_key(|property| property.name));
}

#[test]
fn hosts_and_ports() {
    let parsed = HostPort::parse("PLAINTEXT://[::1]:9092").expect("an IPv6 address");
    assert_eq!((parsed.host.as_str(), parsed.port), ("::1", 9092));
    assert_eq!(parsed.to_string(), "[::1]:9092");
    assert!(HostPort::parse("SSL://host:1").expect_err("not served").contains("SSL"));
    assert!(HostPort::parse("host").is_err());
}

#[test]
fn the_finest_unit_of_time_counts_wherever_it_stands() {
    let resolved = |pairs: &[(&str, &str)]| {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            settings.set(name, value, "--set").expect("they are numbers");
        }
        settings.check().expect("nothing stands against it");
        (settings.engine.retention_ms, settings.engine.segment_ms)
    };
    let week = 604_800_000;
    assert_eq!(resolved(&[]), (week, week));
    assert_eq!(resolved(&[("log.retention.hours", "2"), ("log.roll.hours", "1")]), (7_200_000, 3_600_000));
    assert_eq!(resolved(&[("log.retention.minutes", "3"), ("log.retention.hours", "2")]), (180_000, week));
    assert_eq!(
        resolved(&[
            ("log.retention.ms", "5"),
            ("log.retention.minutes", "3"),
            ("log.roll.ms", "7"),
            ("log.roll.hours", "1")
        ]),
        (5, 7)
    );
    for (name, value) in
        [("log.retention.ms", "-1"), ("log.retention.minutes", "-1"), ("log.retention.hours", "-7")]
    {
        assert_eq!(resolved(&[(name, value)]).0, -1, "{name}={value} is for ever");
    }
}

#[test]
fn the_table_of_topic_settings_is_the_engines() {
    let entries = tora_engine::catalog::TopicConfig::NAMES;
    let names: Vec<&str> = topic::TOPIC_SETTINGS.iter().map(|setting| setting.name).collect();
    assert_eq!(names, entries);
    for setting in topic::TOPIC_SETTINGS {
        let property = setting.broker.map(|name| (name, table::find(name)));
        assert!(property.is_none_or(|(_, found)| found.is_some()), "{}: {:?}", setting.name, setting.broker);
    }
}

#[test]
fn a_property_set_under_one_name_is_given_under_all() {
    let mut settings = Settings::default();
    settings.set("log.flush.interval.messages", " 9 ", "here").expect("a number");
    for name in ["flush.messages", "log.flush.interval.messages"] {
        assert_eq!(settings.given(table::find(name).expect("known")), Some("9"));
    }
    assert_eq!(settings.given(table::find("node.id").expect("known")), None);
    for property in table::PROPERTIES {
        let first = property.same_as.map(|name| table::find(name).expect("another name of a known one"));
        assert!(first.is_none_or(|first| first.same_as.is_none() && first.default == property.default));
    }
}
