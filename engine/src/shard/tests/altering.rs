//! Settings that are altered while their topic is used: they hold at once, for what is there already, too.

use super::*;
use crate::request::OffsetQuery;

const HOUR_MS: i64 = 3_600_000;

/// The engine looks every second for what is to be deleted.
fn config_that_looks() -> Config {
    Config { retention_check_ms: 1_000, ..config() }
}

impl Rig {
    fn start_of(&mut self, partition: PartitionId) -> i64 {
        let pending = self.handle.list_offset(partition, OffsetQuery::Earliest);
        self.wait(pending).unwrap().offset.value()
    }
}

#[test]
fn a_shortened_retention_deletes_what_has_become_too_old_by_it() {
    let mut rig = Rig::open(config_that_looks());
    let partition = rig.create("log", &[("segment.bytes", "1048576")]);
    let now = rig.world.unix_millis();
    rig.append_large(partition, 10, now - 2 * HOUR_MS);
    rig.append_large(partition, 10, now - HOUR_MS / 2);
    rig.append_large(partition, 1, now);
    rig.pass_ms(60_000);
    assert_eq!(rig.segments(partition), [0, 10, 20], "nothing was limited");

    rig.alter(partition, "retention.ms", "3600000");
    rig.pass_ms(2_000);
    assert_eq!((rig.start_of(partition), rig.segments(partition)), (10, vec![10, 20]));
    rig.alter(partition, "retention.ms", "600000");
    rig.pass_ms(2_000);
    assert_eq!((rig.start_of(partition), rig.segments(partition)), (20, vec![20]));

    rig.alter(partition, "retention.ms", "-1");
    rig.pass_ms(700_000);
    assert_eq!(rig.start_of(partition), 20, "it is kept for ever again");
}

#[test]
fn a_smaller_retention_deletes_what_has_become_too_much_by_it() {
    let mut rig = Rig::open(config_that_looks());
    let partition = rig.create("log", &[("segment.bytes", "1048576"), ("retention.bytes", "100000000")]);
    rig.append_large(partition, 35, 0);
    rig.pass_ms(60_000);
    assert_eq!(rig.segments(partition), [0, 10, 20, 30]);

    // 15 batches are left without the first two segments.
    rig.alter(partition, "retention.bytes", "1500000");
    rig.pass_ms(2_000);
    assert_eq!((rig.start_of(partition), rig.segments(partition)), (20, vec![20, 30]));
    rig.alter(partition, "retention.bytes", "-1");
    rig.append_large(partition, 20, 0);
    rig.pass_ms(2_000);
    assert_eq!(rig.start_of(partition), 20, "all of it is kept again");
}

#[test]
fn a_segments_altered_age_holds_for_the_one_that_is_appended_to() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[]);
    rig.append_large(partition, 1, 1_000);
    rig.append_large(partition, 1, 1_000 + HOUR_MS);
    assert_eq!(rig.segments(partition), [0]);

    rig.alter(partition, "segment.ms", "60000");
    rig.append_large(partition, 1, 61_000);
    assert_eq!(rig.segments(partition), [0], "it is no later than that");
    rig.append_large(partition, 1, 61_001);
    assert_eq!(rig.segments(partition), [0, 3]);
    rig.alter(partition, "segment.ms", "3600000");
    rig.append_large(partition, 1, 61_001 + HOUR_MS);
    assert_eq!(rig.segments(partition), [0, 3]);
}
