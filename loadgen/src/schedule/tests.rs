use super::*;

fn times(mut schedule: Schedule, count: usize) -> Vec<u64> {
    let next = || {
        let due = schedule.next_due().0;
        schedule.advance();
        due
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn batches_are_dealt_to_connections_in_turn() {
    // 1000 records/s in tens: a batch every 10 ms.
    let share = |index| times(Schedule::new(Nanos(5), 1000, 10, index, 2), 3);
    assert_eq!(share(0), [5, 20_000_005, 40_000_005]);
    assert_eq!(share(1), [10_000_005, 30_000_005, 50_000_005]);
}

#[test]
fn no_drift_at_rates_that_do_not_divide_a_second() {
    let mut schedule = Schedule::new(Nanos(0), 3, 1, 0, 1);
    for _ in 0..3 * 3600 {
        schedule.advance();
    }
    let due = schedule.next_due();
    let hour = Nanos(3_600_000_000_000);
    assert!(hour.since(due) < Duration::from_micros(1) && due <= hour, "{due:?}");
}

#[test]
fn ten_million_batches_a_second_stay_exact() {
    let mut schedule = Schedule::new(Nanos(0), 30_000_000, 3, 0, 1);
    (0..10_000_000).for_each(|_| schedule.advance());
    assert_eq!(schedule.next_due(), Nanos(1_000_000_000));
}
