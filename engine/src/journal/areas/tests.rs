use super::*;
use crate::types::TopicId;

const AREA: u64 = 16 << 10;

fn partition(index: i32) -> PartitionId {
    PartitionId::new(TopicId::from_random(1, 2), index)
}

/// Places a record of half an area for a partition, up to `end`; `None` where there is no room.
fn half(areas: &mut Areas, index: i32, end: u64, settled: &BTreeMap<i32, u64>) -> Option<Place> {
    let settled =
        |partition: PartitionId| settled.get(&partition.index.value()).map(|end| Position::new(*end));
    if !areas.make_room(AREA / 2, settled) {
        return None;
    }
    let place = areas.place(AREA / 2);
    areas.note(partition(index), Position::new(end));
    Some(place)
}

#[test]
fn records_follow_one_another_from_area_to_area() {
    let mut areas = Areas::new(AREA, 4);
    let settled = BTreeMap::from([(0, 0)]);
    areas.grew();
    let places: Vec<Place> = (1..=4).map_while(|end| half(&mut areas, 0, end, &settled)).collect();
    let offsets: Vec<u64> = places.iter().map(|place| place.offset - FILE_HEADER_SIZE).collect();
    assert_eq!(offsets, [0, AREA / 2, AREA, AREA + AREA / 2]);
    assert_eq!(places.iter().map(|place| place.sequence).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(places.iter().all(|place| place.live_from == 0), "nothing is settled");
    assert_eq!(half(&mut areas, 0, 5, &settled), None, "both areas are needed");
}

#[test]
fn an_area_is_written_again_once_everybody_in_it_is_settled() {
    let mut areas = Areas::new(AREA, 4);
    areas.grew();
    let mut settled = BTreeMap::from([(0, 0), (1, 0)]);
    for (index, end) in [(0, 10), (1, 10), (0, 20), (1, 20)] {
        half(&mut areas, index, end, &settled).expect("there is room");
    }
    settled.insert(0, 20);
    assert_eq!(half(&mut areas, 0, 30, &settled), None, "the first area has something of the other one");
    settled.insert(1, 10);
    let place = half(&mut areas, 0, 30, &settled).expect("the first area is free");
    assert_eq!((place.offset, place.sequence, place.live_from), (FILE_HEADER_SIZE, 4, 2));
}

#[test]
fn a_partition_that_is_gone_keeps_no_area() {
    let mut areas = Areas::new(AREA, 4);
    areas.grew();
    let mut settled = BTreeMap::from([(0, 0), (1, 0)]);
    for (index, end) in [(0, 10), (0, 20), (1, 10), (1, 20)] {
        half(&mut areas, index, end, &settled).expect("there is room");
    }
    settled.remove(&0);
    assert!(half(&mut areas, 1, 30, &settled).is_some());
}

#[test]
fn areas_are_freed_in_the_order_in_which_they_were_written() {
    let mut areas = Areas::new(AREA, 4);
    areas.grew();
    areas.grew();
    let mut settled = BTreeMap::from([(0, 0), (1, 0), (2, 0)]);
    for (index, end) in [(0, 10), (0, 20), (1, 10), (1, 20), (2, 10), (2, 20)] {
        half(&mut areas, index, end, &settled).expect("there is room");
    }
    // A replay needs the first area's records; were the second one's overwritten, some would be missing in between.
    settled.insert(1, 20);
    assert_eq!(half(&mut areas, 2, 30, &settled), None);
    settled.insert(0, 20);
    // The second one was not looked at: it counts as before.
    assert_eq!(half(&mut areas, 2, 30, &settled).map(|place| place.live_from), Some(2));
}

#[test]
fn another_area_is_made_when_none_is_free_and_never_more_than_there_may_be() {
    let mut areas = Areas::new(AREA, 3);
    let settled = BTreeMap::from([(0, 0)]);
    assert!(!areas.should_grow(), "the first one is empty");
    half(&mut areas, 0, 1, &settled).expect("there is room");
    assert!(areas.should_grow(), "it is half full");
    assert_eq!(areas.size(), FILE_HEADER_SIZE + AREA);
    areas.grew();
    assert!(!areas.should_grow(), "one is free");
    for end in 2..=3 {
        half(&mut areas, 0, end, &settled).expect("there is room");
    }
    assert!(areas.should_grow());
    areas.grew();
    for end in 4..=6 {
        half(&mut areas, 0, end, &settled).expect("there is room");
    }
    assert!(!areas.should_grow(), "there are three");
    let mut stopped = Areas::new(AREA, 3);
    half(&mut stopped, 0, 1, &settled).expect("there is room");
    stopped.hold_back(true);
    assert!(!stopped.should_grow());
    stopped.hold_back(false);
    assert!(stopped.should_grow());
}

/// Fills the current area with an entry each of so many partitions, from `from` on.
fn fill(areas: &mut Areas, from: i32, partitions: usize) {
    assert!(areas.make_room(AREA, |_| Some(Position::ZERO)), "an area is free");
    areas.place(AREA);
    (from..).take(partitions).for_each(|index| areas.note(partition(index), Position::new(10)));
    areas.grew();
}

#[test]
fn who_is_in_the_oldest_area_is_settled_in_time() {
    let many = limits::SETTLE_FEW + 1;
    let mut areas = Areas::new(AREA, 4);
    for from in [0, 1000, 2000] {
        fill(&mut areas, from, many);
        assert_eq!(areas.pressing(|_| Some(Position::ZERO)), [], "an area is free");
    }
    fill(&mut areas, 3000, many);
    let pressing = areas.pressing(|_| Some(Position::ZERO));
    assert_eq!((pressing.len(), pressing[0]), (many, partition(0)));
    let but_one = |id: PartitionId| Some(Position::new(if id == partition(5) { 0 } else { 10 }));
    assert_eq!(areas.pressing(but_one), [partition(5)]);
    assert_eq!(areas.pressing(|_| Some(Position::new(10))), [], "enough may be written again");
}

#[test]
fn a_few_are_settled_as_soon_as_their_area_is_full() {
    let mut areas = Areas::new(AREA, 16);
    fill(&mut areas, 0, 2);
    assert_eq!(areas.pressing(|_| Some(Position::ZERO)), [], "it is the one being written");
    fill(&mut areas, 1000, 2);
    assert_eq!(areas.pressing(|_| Some(Position::ZERO)), [partition(0), partition(1)]);
    assert_eq!(areas.pressing(|_| Some(Position::new(10))), []);
}
