use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Wake;

use super::*;

/// Counts the wakes of a task.
#[derive(Default)]
struct Task(AtomicU32);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Somebody in line, whose task was polled once.
struct Waiting {
    place: Place,
    task: Arc<Task>,
}

impl Waiting {
    fn new(room: &Arc<Room>, wanted: u32) -> Self {
        let mut waiting = Self { place: Place::new(Arc::clone(room), wanted), task: Arc::default() };
        assert!(waiting.poll().is_pending());
        waiting
    }

    fn poll(&mut self) -> Poll<()> {
        self.place.poll(&Waker::from(Arc::clone(&self.task)))
    }
}

fn woken(waiting: &[&Waiting]) -> Vec<u32> {
    waiting.iter().map(|waiting| waiting.task.0.load(Ordering::Relaxed)).collect()
}

/// Room of ten units, all of them taken.
fn full() -> Arc<Room> {
    let room = Arc::new(Room::new(10));
    assert!(room.try_take(10));
    room
}

#[test]
fn those_are_woken_for_whom_there_is_room() {
    let room = full();
    let (first, second, third) = (Waiting::new(&room, 3), Waiting::new(&room, 5), Waiting::new(&room, 1));
    room.give_back(2);
    assert_eq!(woken(&[&first, &second, &third]), [0, 0, 0]);
    room.give_back(1);
    assert_eq!(woken(&[&first, &second, &third]), [1, 0, 0]);
    room.give_back(6);
    assert_eq!(woken(&[&first, &second, &third]), [1, 1, 1]);
}

#[test]
fn a_task_that_was_woken_and_never_comes_holds_up_nobody_else() {
    let room = full();
    let (kept, mut next) = (Waiting::new(&room, 6), Waiting::new(&room, 6));
    room.give_back(8);
    assert_eq!(woken(&[&kept, &next]), [1, 0], "there is room for one");
    room.give_back(1);
    assert_eq!(woken(&[&kept, &next]), [1, 1], "the first has not come meanwhile");
    assert!(next.poll().is_ready());
}

#[test]
fn nobody_is_left_asleep_when_all_of_the_room_is_there() {
    let room = full();
    let (kept, also_kept) = (Waiting::new(&room, 6), Waiting::new(&room, 10));
    let (mut next, last) = (Waiting::new(&room, 7), Waiting::new(&room, 9));
    room.give_back(10);
    assert_eq!(woken(&[&kept, &also_kept, &next, &last]), [1, 1, 1, 1]);
    assert!(next.poll().is_ready());
    drop(next);
    assert_eq!(woken(&[&last]), [1], "it was told, and stands in line again once it comes");
    room.give_back(7);
    let mut last = last;
    assert!(last.poll().is_ready());
}

#[test]
fn no_more_are_woken_than_come() {
    let room = full();
    let mut waiting: Vec<_> = (0..4).map(|_| Waiting::new(&room, 3)).collect();
    room.give_back(3);
    room.give_back(3);
    assert_eq!(woken(&waiting.iter().collect::<Vec<_>>()), [1, 1, 0, 0]);
    assert!(waiting[0].poll().is_ready());
    assert!(waiting[1].poll().is_ready());
    room.give_back(3);
    assert_eq!(woken(&waiting.iter().collect::<Vec<_>>()), [1, 1, 1, 0]);
}

#[test]
fn each_is_looked_at_once_however_many_were_woken_and_have_not_come() {
    const TOTAL: u32 = 4096;
    const WAITING: usize = 10_000;
    let room = Arc::new(Room::new(TOTAL));
    assert!(room.try_take(TOTAL));
    let waiting: Vec<_> = (0..WAITING).map(|_| Waiting::new(&room, 1)).collect();
    for given in 1..TOTAL {
        room.give_back(1);
        let woken = waiting.iter().filter(|waiting| waiting.task.0.load(Ordering::Relaxed) > 0);
        if given % 512 == 0 {
            assert_eq!(woken.count(), given as usize);
        }
    }
    // Others come by again and again.
    for _ in 0..TOTAL {
        assert!(room.try_take(1));
        room.give_back(1);
    }
    room.give_back(1);
    assert!(waiting.iter().all(|waiting| waiting.task.0.load(Ordering::Relaxed) == 1));
    let looks = room.line().looks;
    assert!(looks <= WAITING as u64 + 2 * u64::from(TOTAL), "{looks} looks");
}
