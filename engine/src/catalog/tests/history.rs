//! What changes do to the catalog.

use std::sync::Arc;

use super::*;
use crate::limits::{PARTITIONS_MAX, PRODUCER_ID_BLOCK};
use crate::types::ProducerId;

fn create(catalog: &mut Catalog, number: u8, name: &str) -> Arc<Topic> {
    let change = catalog.plan_create(id(number), name, 1, &[]).unwrap();
    let Effect::TopicCreated(topic) = catalog.apply(&change).unwrap() else { panic!("a topic was planned") };
    topic
}

#[test]
fn a_created_topic_is_found_by_name_and_id() {
    let mut catalog = Catalog::new(defaults());
    let configs = pairs(&[("flush.messages", " 100 ")]);
    let change = catalog.plan_create(id(1), "orders", 4, &configs).unwrap();
    assert!(catalog.topic(id(1)).is_none(), "planning changes nothing");
    let Effect::TopicCreated(topic) = catalog.apply(&change).unwrap() else { panic!("a topic was planned") };
    assert_eq!((topic.id, topic.name.as_str(), topic.partitions), (id(1), "orders", 4));
    assert_eq!(topic.config.flush_messages, 100);
    assert_eq!(topic.configs, pairs(&[("flush.messages", "100")]));
    assert_eq!(catalog.topic(id(1)), Some(&topic));
    assert_eq!(catalog.topic_named("orders"), Some(&topic));
    assert_eq!(catalog.topic_named("Orders"), None);
}

#[test]
fn topics_are_listed_by_name() {
    let mut catalog = Catalog::new(defaults());
    for (number, name) in [(1, "c"), (2, "a"), (3, "b"), (4, "a.b"), (5, "a_b")] {
        create(&mut catalog, number, name);
    }
    let names: Vec<_> = catalog.topics().map(|topic| topic.name.as_str()).collect();
    assert_eq!(names, ["a", "a.b", "a_b", "b", "c"]);
}

#[test]
fn what_cannot_be_created_is_refused_with_the_reason() {
    let mut catalog = Catalog::new(defaults());
    create(&mut catalog, 1, "t");
    let plan = |name: &str, partitions, configs: &[(&str, &str)]| {
        catalog.plan_create(id(2), name, partitions, &pairs(configs)).unwrap_err()
    };
    assert_eq!(plan("t", 1, &[]), Refused::Exists(TopicName::parse("t").unwrap()));
    assert_eq!(plan("..", 1, &[]), Refused::Name(NameFault::Dots));
    assert!(matches!(plan("u", 1, &[("x", "y")]), Refused::Setting(_)));
    for partitions in [0, -1, i32::MIN, PARTITIONS_MAX + 1] {
        let refused = plan("u", partitions, &[]);
        assert_eq!(refused, Refused::Partitions(partitions));
        assert!(refused.to_string().contains("use 1 to 100000"));
    }
}

#[test]
fn a_topic_goes_in_two_steps_and_its_name_is_free_after_the_first() {
    let mut catalog = Catalog::new(defaults());
    let topic = create(&mut catalog, 1, "t");
    assert_eq!(catalog.plan_purge(id(1)), None, "it lives");
    let change = catalog.plan_delete(id(1)).unwrap();
    assert_eq!(catalog.apply(&change), Ok(Effect::TopicDeleted(Arc::clone(&topic))));
    assert_eq!((catalog.topic(id(1)), catalog.topic_named("t")), (None, None));
    assert_eq!(catalog.plan_delete(id(1)), None);
    assert_eq!(catalog.tombstones().collect::<Vec<_>>(), [&topic]);

    create(&mut catalog, 2, "t");
    let change = catalog.plan_purge(id(1)).unwrap();
    assert_eq!(catalog.apply(&change), Ok(Effect::TopicPurged(id(1))));
    assert_eq!(catalog.tombstones().count(), 0);
    assert_eq!(catalog.topic_named("t").unwrap().id, id(2), "the second of that name is untouched");
}

fn set(name: &str, value: &str) -> SettingChange {
    SettingChange { name: name.to_owned(), kind: SettingChangeKind::Set(value.to_owned()) }
}

#[test]
fn a_topic_is_reconfigured_one_setting_at_a_time() {
    let mut catalog = Catalog::new(defaults());
    create(&mut catalog, 1, "t");
    let mut alter = |changes: Vec<SettingChange>| {
        let change =
            catalog.plan_alter(id(1), &SettingsEdit::Each(changes)).unwrap().expect("it changes something");
        let Effect::TopicReconfigured(topic) = catalog.apply(&change).unwrap() else {
            panic!("that was planned")
        };
        assert_eq!(catalog.topic(id(1)), Some(&topic));
        topic
    };
    let topic = alter(vec![set("flush.messages", " 7 "), set("retention.ms", "5")]);
    assert_eq!((topic.config.flush_messages, topic.config.retention_ms), (7, 5));
    assert_eq!(topic.configs, pairs(&[("flush.messages", "7"), ("retention.ms", "5")]));
    let topic = alter(vec![
        set("flush.messages", "8"),
        SettingChange { name: "retention.ms".to_owned(), kind: SettingChangeKind::Reset },
        SettingChange { name: "min.insync.replicas".to_owned(), kind: SettingChangeKind::Reset },
    ]);
    assert_eq!((topic.config.flush_messages, topic.config.retention_ms), (8, -1));
    assert_eq!(topic.configs, pairs(&[("flush.messages", "8")]));
    let again = catalog.plan_alter(id(1), &SettingsEdit::Each(vec![set("flush.messages", "8")]));
    assert_eq!(again, Ok(None), "what changes nothing is not written");
}

#[test]
fn a_topic_is_reconfigured_as_a_whole() {
    let mut catalog = Catalog::new(defaults());
    create(&mut catalog, 1, "t");
    for (settings, flush_messages, retention_ms) in [
        (&[("flush.messages", "7"), ("retention.ms", "5")][..], 7, 5),
        (&[("retention.ms", "6")][..], 1, 6),
        (&[][..], 1, -1),
    ] {
        let edit = SettingsEdit::Replace(pairs(settings));
        let change = catalog.plan_alter(id(1), &edit).unwrap().expect("it changes something");
        catalog.apply(&change).unwrap();
        let config = &catalog.topic(id(1)).unwrap().config;
        assert_eq!((config.flush_messages, config.retention_ms), (flush_messages, retention_ms));
    }
}

#[test]
fn lists_are_appended_to_and_subtracted_from() {
    let mut catalog = Catalog::new(defaults());
    create(&mut catalog, 1, "t");
    let edit = |name: &str, kind| SettingsEdit::Each(vec![SettingChange { name: name.to_owned(), kind }]);
    let append = edit("cleanup.policy", SettingChangeKind::Append("delete".to_owned()));
    let change = catalog.plan_alter(id(1), &append).unwrap().expect("it is set now");
    catalog.apply(&change).unwrap();
    assert_eq!(catalog.topic(id(1)).unwrap().configs, pairs(&[("cleanup.policy", "delete")]));
    for (refused, told) in [
        (edit("cleanup.policy", SettingChangeKind::Append("compact".to_owned())), "compaction"),
        (edit("cleanup.policy", SettingChangeKind::Subtract("delete".to_owned())), "use delete"),
        (edit("retention.ms", SettingChangeKind::Append("1".to_owned())), "is no list"),
        (edit("retention.msec", SettingChangeKind::Reset), "did you mean retention.ms?"),
        (edit("min.insync.replicas", SettingChangeKind::Set("1".to_owned())), "is not supported"),
        (SettingsEdit::Each(vec![set("retention.ms", "1"), set("retention.ms", "2")]), "given twice"),
        (SettingsEdit::Replace(pairs(&[("retention.msec", "1")])), "did you mean retention.ms?"),
    ] {
        let why = catalog.plan_alter(id(1), &refused).expect_err("it must be refused").to_string();
        assert!(why.contains(told), "{why}");
    }
    assert_eq!(catalog.plan_alter(id(9), &append), Err(Refused::Unknown));
}

#[test]
fn partitions_only_become_more() {
    let mut catalog = Catalog::new(defaults());
    create(&mut catalog, 1, "t");
    let change = catalog.plan_add_partitions(id(1), 3).unwrap();
    let Effect::PartitionsAdded(topic) = catalog.apply(&change).unwrap() else { panic!("that was planned") };
    assert_eq!((topic.partitions, catalog.topic(id(1))), (3, Some(&topic)));
    for wanted in [3, 2, 0, -1] {
        let refused = Err(Refused::NoMorePartitions { has: 3, wanted });
        assert_eq!(catalog.plan_add_partitions(id(1), wanted), refused);
    }
    let wanted = PARTITIONS_MAX + 1;
    assert_eq!(catalog.plan_add_partitions(id(1), wanted), Err(Refused::Partitions(wanted)));
    assert_eq!(catalog.plan_add_partitions(id(9), 1), Err(Refused::Unknown));
}

#[test]
fn contradictions_are_refused_and_change_nothing() {
    let mut catalog = Catalog::new(defaults());
    create(&mut catalog, 1, "live");
    create(&mut catalog, 2, "dead");
    catalog.apply(&Change::TopicDeleted { id: id(2) }).unwrap();
    catalog.apply(&Change::ProducerIdsReserved { upto: 1000 }).unwrap();
    let created = |number, name: &str, partitions| Change::TopicCreated {
        id: id(number),
        name: name.to_owned(),
        partitions,
        configs: Vec::new(),
    };
    for (change, contradiction) in [
        (created(1, "new", 1), Contradiction::IdTaken(id(1))),
        (created(2, "new", 1), Contradiction::IdTaken(id(2))),
        (created(3, "live", 1), Contradiction::Topic(Refused::Exists(TopicName::parse("live").unwrap()))),
        (created(3, "", 1), Contradiction::Topic(Refused::Name(NameFault::Empty))),
        (created(3, "new", 0), Contradiction::Topic(Refused::Partitions(0))),
        (Change::TopicDeleted { id: id(2) }, Contradiction::UnknownTopic(id(2))),
        (Change::TopicDeleted { id: id(9) }, Contradiction::UnknownTopic(id(9))),
        (Change::TopicPurged { id: id(1) }, Contradiction::NotDeleted(id(1))),
        (Change::TopicPurged { id: id(9) }, Contradiction::NotDeleted(id(9))),
        (Change::TopicReconfigured { id: id(2), configs: Vec::new() }, Contradiction::UnknownTopic(id(2))),
        (Change::PartitionsAdded { id: id(2), partitions: 9 }, Contradiction::UnknownTopic(id(2))),
        (
            Change::PartitionsAdded { id: id(1), partitions: 1 },
            Contradiction::Topic(Refused::NoMorePartitions { has: 1, wanted: 1 }),
        ),
        (
            Change::ProducerIdsReserved { upto: 1000 },
            Contradiction::ProducerIds { before: 1000, after: 1000 },
        ),
        (Change::ProducerIdsReserved { upto: 999 }, Contradiction::ProducerIds { before: 1000, after: 999 }),
    ] {
        let before = format!("{catalog:?}");
        assert!(!contradiction.to_string().is_empty());
        assert_eq!(catalog.apply(&change), Err(contradiction));
        assert_eq!(format!("{catalog:?}"), before, "{change:?}");
    }
    catalog.apply(&created(3, "old", PARTITIONS_MAX + 1)).expect("a folder from before the limit opens");
}

#[test]
fn the_log_applied_again_gives_the_same_catalog() {
    let mut catalog = Catalog::new(defaults());
    let mut log = Vec::new();
    let mut follow = |catalog: &mut Catalog, change: Change| {
        catalog.apply(&change).unwrap();
        let mut bytes = Vec::new();
        change.encode(&mut bytes);
        log.push(bytes);
    };
    for number in 0..20 {
        let change = catalog.plan_create(id(number), &format!("t{number}"), 3, &[]).unwrap();
        follow(&mut catalog, change);
        let change = catalog.plan_add_partitions(id(number), 5).unwrap();
        follow(&mut catalog, change);
        let edit = SettingsEdit::Replace(pairs(&[("flush.messages", "9")]));
        let change = catalog.plan_alter(id(number), &edit).unwrap().expect("it changes something");
        follow(&mut catalog, change);
        if number % 3 == 0 {
            let change = catalog.plan_delete(id(number)).unwrap();
            follow(&mut catalog, change);
        }
        if number % 6 == 0 {
            let change = catalog.plan_purge(id(number)).unwrap();
            follow(&mut catalog, change);
        }
        let change = catalog.plan_producer_ids(PRODUCER_ID_BLOCK).unwrap();
        follow(&mut catalog, change);
    }
    let mut replayed = Catalog::new(defaults());
    for bytes in log {
        replayed.apply(&Change::decode(&bytes).unwrap()).unwrap();
    }
    assert_eq!(format!("{replayed:?}"), format!("{catalog:?}"));
}

#[test]
fn a_snapshot_does_not_move() {
    let mut catalog = Catalog::new(defaults());
    create(&mut catalog, 1, "t");
    let snapshot = catalog.clone();
    catalog.apply(&Change::TopicDeleted { id: id(1) }).unwrap();
    assert!(snapshot.topic_named("t").is_some());
}

#[test]
fn producer_ids_come_from_reserved_blocks_and_never_twice() {
    let mut catalog = Catalog::new(defaults());
    let mut pool = ProducerIdPool::default();
    assert_eq!(pool.take(), None);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let change = catalog.plan_producer_ids(2).unwrap();
        let Effect::ProducerIdsReserved(block) = catalog.apply(&change).unwrap() else {
            panic!("ids were planned")
        };
        pool.add(block);
    }
    assert_eq!(pool.remaining(), 6);
    while let Some(id) = pool.take() {
        seen.push(id);
    }
    assert_eq!(seen, (0..6).map(ProducerId::new).collect::<Vec<_>>());
    assert_eq!((pool.remaining(), pool.take()), (0, None));

    catalog.apply(&Change::ProducerIdsReserved { upto: i64::MAX - 1 }).unwrap();
    assert_eq!(catalog.plan_producer_ids(2), None, "there are no more");
    assert_eq!(catalog.plan_producer_ids(1), Some(Change::ProducerIdsReserved { upto: i64::MAX }));
}
