//! The shard's end: what was asked before is done.

use super::*;
use crate::handle::RecordRef;

#[test]
fn what_was_sent_before_the_end_is_done_however_much_it_is() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[]);
    // More than a turn takes, all of it answered at once, and an append behind it.
    let asked: Vec<_> =
        (0..2 * limits::MAIL_PER_TURN).map(|_| rig.handle.find_topic("log").unwrap()).collect();
    let appended = rig.handle.append_records(partition, [RecordRef::of_value(b"0")]).unwrap();
    let watching = rig.handle.wait_for(partition, Offset::new(1), Duration::from_secs(60)).unwrap();
    let handle = rig.handle.clone();
    // Whatever else the end takes, it does not come before them.
    rig.shard().stop();
    assert!(asked.iter().all(Pending::is_ready));
    rig.close();
    for pending in asked {
        assert!(matches!(pending.wait(), Ok(Some(_))));
    }
    assert_eq!(appended.wait().map(|appended| appended.base_offset), Ok(Offset::ZERO));
    assert_eq!(watching.wait(), Ok(true), "who waits for more is told to look");
    assert_eq!(handle.find_topic("log").unwrap().wait(), Err(Error::Stopped));
}
