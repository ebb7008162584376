//! Who waits for news: answered in time, and forgotten when nobody waits any more.

use super::*;
use crate::mailbox::Lane;

const HOUR: Duration = Duration::from_secs(3_600);

impl Rig {
    fn watch(&self, partition: PartitionId, timeout: Duration) -> Result<Pending<bool>, Error> {
        self.handle.wait_for(partition, Offset::new(1_000), timeout)
    }

    /// Lets the shard take what was sent to it.
    fn taken(&mut self, partition: PartitionId) {
        let pending = self.handle.describe(partition);
        self.wait(pending).unwrap();
    }
}

#[test]
fn each_is_told_when_its_own_time_is_up() {
    let mut rig = Rig::open(config());
    let partition = rig.create("clicks", &[]);
    let begun = rig.world.now();
    let millis = [700, 20, 5_000, 20, 2_500];
    let waiting = millis.map(|millis| rig.watch(partition, Duration::from_millis(millis)).unwrap());
    for (waiting, millis) in waiting.into_iter().zip(millis) {
        assert_eq!(rig.wait(Ok(waiting)), Ok(false));
        let passed = rig.world.now().since(begun) / 1_000_000;
        assert!(passed >= millis, "after {passed} ms of {millis}");
    }
    let passed = rig.world.now().since(begun) / 1_000_000;
    assert!((5_000..5_100).contains(&passed), "{passed} ms");
    assert_eq!(rig.shard().watches.len(), 0);
    rig.close();
}

#[test]
fn those_that_nobody_waits_for_any_more_leave_their_room_to_others() {
    let mut rig = Rig::open(config());
    let partitions = rig.create_many("clicks", 8);
    let each = Lane::Watch.handle_credits() as usize / partitions.len();
    let mut all = Vec::new();
    for &partition in &partitions {
        all.extend((0..each).map(|_| rig.watch(partition, HOUR).unwrap()));
        rig.taken(partition);
    }
    assert!(matches!(rig.watch(partitions[0], HOUR), Err(Error::Busy)));
    let kept = all.split_off(all.len() - 3);
    drop(all);
    let begun = rig.world.now();
    let mut again = rig.watch(partitions[0], HOUR);
    while again.is_err() {
        rig.step();
        again = rig.watch(partitions[0], HOUR);
    }
    let passed = rig.world.now().since(begun) / 1_000_000;
    assert!(passed <= limits::WATCH_LOOK_MS, "after {passed} ms");

    // Those that are waited for are there as before.
    let last = partitions[partitions.len() - 1];
    for _ in 0..=1_000 {
        rig.append_bytes(last, 1);
    }
    for pending in kept {
        assert_eq!(rig.wait(Ok(pending)), Ok(true));
    }
    assert!(!again.unwrap().is_ready());
    rig.close();
}

#[test]
fn a_service_that_gives_up_one_after_the_other_always_finds_room() {
    let mut rig = Rig::open(config());
    let partitions = rig.create_many("clicks", 4);
    let kept: Vec<_> = partitions.iter().map(|partition| rig.watch(*partition, HOUR).unwrap()).collect();
    let begun = rig.world.now();
    for round in 0..5_000 {
        let partition = partitions[round % partitions.len()];
        drop(rig.watch(partition, HOUR).unwrap_or_else(|error| panic!("round {round}: {error}")));
        rig.taken(partition);
    }
    let passed = rig.world.now().since(begun) / 1_000_000;
    assert!(passed < limits::WATCH_LOOK_MS, "it was not the clock that helped, after {passed} ms");
    assert!(rig.shard().watches.len() <= partitions.len());
    assert!(kept.iter().all(|pending| !pending.is_ready()));
    rig.close();
}

#[test]
fn those_that_were_told_leave_nothing_behind() {
    let mut rig = Rig::open(config());
    let partition = rig.create("clicks", &[]);
    for end in 0..300 {
        let waiting =
            rig.handle.wait_for(partition, Offset::new(end), HOUR + Duration::from_millis(end as u64));
        rig.append_bytes(partition, 10);
        assert_eq!(rig.wait(waiting), Ok(true));
    }
    assert!(rig.shard().watches.len() <= 1, "{} are remembered", rig.shard().watches.len());
    rig.close();
}
