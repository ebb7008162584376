use super::*;
use crate::floor::ring::{Memory, Purpose};

const BOUND: u64 = 1 << 20;

/// Ends what is under way, until nothing more comes of it.
fn settle(logs: &mut Logs, ring: &mut Ring, stats: &mut Stats) {
    let mut completions = Vec::new();
    let mut ended = 0;
    loop {
        logs.advance(ring, stats);
        if ended == stats.writes + stats.flushes {
            return;
        }
        ring.turn(&mut completions).expect("the ring works");
        for completion in completions.drain(..) {
            ended += 1;
            match (completion.purpose, completion.memory) {
                (Purpose::Write { log, id }, Memory::Buffer(buffer)) => {
                    logs.wrote(log, id, completion.result, buffer).expect("the disk takes it");
                }
                (Purpose::Flush(log), _) => {
                    logs.flush_ended(log, completion.result).expect("the disk flushes")
                }
                _ => unreachable!("nothing else was submitted"),
            }
        }
    }
}

#[test]
fn appends_wait_where_too_much_would_be_unflushed() {
    for unflushed_max in [None, Some(BOUND)] {
        let name = format!("tora-floor-bound-{}-{}", std::process::id(), unflushed_max.is_some());
        let path = std::env::temp_dir().join(name);
        let durability = Durability::Written;
        let options =
            Options { path, files: 1, file_bytes: 64 << 20, fresh: true, durability, unflushed_max };
        let (mut ring, mut stats) = (Ring::new().expect("io_uring is there"), Stats::default());
        let mut logs = Logs::create(&options, &mut ring).expect("the temporary folder takes a file");
        logs.append(0, [&[7; BOUND as usize], &[]], &mut Positions::default());
        assert_eq!(logs.has_room(1), unflushed_max.is_none());
        settle(&mut logs, &mut ring, &mut stats);
        assert!(logs.has_room(1));
        assert_eq!(stats.flushes > 0, unflushed_max.is_some());
    }
}
