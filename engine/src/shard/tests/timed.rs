//! What is done by the clock.

use super::*;

/// How far the log's own file has it for certain.
fn flushed(rig: &mut Rig, partition: PartitionId) -> i64 {
    let slots = &mut rig.reactor.shard().slots;
    let slot = slots.find(partition).unwrap();
    slots.at(slot).partition.log().durable().1.value()
}

#[test]
fn a_shortened_time_to_flush_holds_for_what_is_unflushed_and_for_what_comes() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[("flush.messages", "1000"), ("flush.ms", "3600000")]);
    rig.append(partition, &batch(&[0])).unwrap();
    rig.pass_ms(10_000);
    assert_eq!(flushed(&mut rig, partition), 0);

    rig.alter(partition, "flush.ms", "1000");
    rig.pass_ms(900);
    assert_eq!(flushed(&mut rig, partition), 0);
    rig.pass_ms(200);
    assert_eq!(flushed(&mut rig, partition), 1);
    rig.append(partition, &batch(&[0])).unwrap();
    rig.pass_ms(1_100);
    assert_eq!(flushed(&mut rig, partition), 2);

    // A longer one holds for what comes.
    rig.alter(partition, "flush.ms", "5000");
    rig.append(partition, &batch(&[0])).unwrap();
    rig.pass_ms(4_900);
    assert_eq!(flushed(&mut rig, partition), 2);
    rig.pass_ms(200);
    assert_eq!(flushed(&mut rig, partition), 3);
}

#[test]
fn a_flush_that_is_due_at_once_keeps_no_core_busy() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[("flush.messages", "1000"), ("flush.ms", "0")]);
    for records in 1..=10 {
        rig.append(partition, &batch(&[0])).unwrap();
        let mut steps = 0;
        while flushed(&mut rig, partition) < records {
            rig.step();
            steps += 1;
        }
        assert!(steps <= 10, "{steps} steps for one flush");
    }
}

#[test]
fn a_producer_is_forgotten_in_time_although_others_keep_its_partition_busy() {
    let mut rig = Rig::open(Config { producer_expiration_ms: 60_000, ..config() });
    let partition = rig.create("log", &[]);
    let batch_of = |producer: i64, sequence: i32| {
        let mut builder = BatchBuilder::new(1 << 20);
        builder.set_producer(ProducerId::new(producer), 0, sequence);
        builder.push(0, None, Some(b"x")).unwrap();
        builder.take().unwrap()
    };
    rig.append(partition, &batch_of(1, 0)).unwrap();
    for second in 0..62 {
        rig.append(partition, &batch_of(2, second)).unwrap();
        if second == 58 {
            // A sequence number that does not follow is told from one of somebody new as long as it is remembered.
            let refused = rig.append(partition, &batch_of(1, 5));
            assert_eq!(refused, Err(Error::OutOfOrderSequence { expected: 1, found: 5 }));
        }
        rig.pass_ms(1_000);
    }
    assert_eq!(rig.append(partition, &batch_of(1, 5)), Ok(63));
    assert_eq!(rig.append(partition, &batch_of(2, 62)), Ok(64), "who goes on is remembered");
}
