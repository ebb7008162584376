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
