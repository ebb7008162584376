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
