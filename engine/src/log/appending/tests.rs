use crate::log::index::{self, SparseIndex};
use crate::log::rig::Rig;
use crate::log::segment::SegmentHeader;
use crate::log::segments::{FileState, Segment};
use crate::log::{Admission, Log};
use crate::types::{Offset, Position};

/// Bytes of a batch that has an index entry, as long as it may have one.
const INDEXED: usize = index::INTERVAL as usize;

fn bases(rig: &Rig) -> Vec<i64> {
    rig.log.segments.iter().map(|segment| segment.header.base_offset.value()).collect()
}

#[test]
fn a_segment_ends_where_its_index_could_not_go_on_for_all_the_offsets_that_batches_claim() {
    const CLAIMED: i64 = i32::MAX as i64;
    let mut rig = Rig::new();
    let _ = rig.admit(8 * INDEXED);
    rig.run();
    for _ in 0..3 {
        rig.append_claiming(INDEXED, i32::MAX);
    }
    assert_eq!(bases(&rig), [0], "the third one begins before the end of what an index tells apart");
    assert_eq!(rig.admit(INDEXED), Ok(Admission::Later));
    rig.run();
    assert_eq!(bases(&rig), [0, 3 * CLAIMED]);

    rig.append(INDEXED);
    rig.run();
    rig.append(INDEXED);
    let active = rig.log.segments.active().expect("there is one");
    let last = Offset::new(3 * CLAIMED + 1);
    assert!(active.index.lookup(last) > active.base(), "it has an entry");
    assert_eq!(rig.log.next_offset, last.plus(1));
}

#[test]
fn a_segment_ends_where_its_index_could_not_go_on_for_all_its_bytes() {
    const BYTES: u64 = 1 << 32;
    let mut rig = Rig::new();
    rig.log.settings.segment_bytes = 1 << 40;
    // A block is left until then.
    let end = Position::new(BYTES - 4096);
    let mut log = Log::at(rig.log.id, rig.log.settings.clone(), end, Offset::new(10), Vec::new());
    let header = SegmentHeader {
        partition: log.id,
        base_offset: Offset::ZERO,
        base_position: Position::ZERO,
        unflushed_max: 1 << 30,
    };
    log.segments.push(Segment {
        index: SparseIndex::new(header.base_offset, header.base_position),
        header,
        end: None,
        file: FileState::Coming,
        allocated: BYTES,
        sealed: false,
        sealing: false,
        first_timestamp: -1,
    });
    rig.log = log;
    assert_eq!(rig.admit(4095), Ok(Admission::Later), "its file is coming");
    assert_eq!(bases(&rig), [0]);
    assert_eq!(rig.admit(4096), Ok(Admission::Later));
    assert_eq!(bases(&rig), [0, 10]);
}
