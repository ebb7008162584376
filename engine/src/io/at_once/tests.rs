use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Barrier, Mutex};

use super::*;
use crate::io::HostFs;
use crate::sim::{Faults, SimWorld};

#[test]
fn results_come_in_the_order_of_what_they_are_of() {
    for (items, at_once) in [(0, 4), (1, 4), (1000, 1), (1000, 0), (1000, 4)] {
        let results = for_all(&HostFs, (0..items).collect(), at_once, |_, item| item * 3);
        assert_eq!(results, (0..items).map(|item| item * 3).collect::<Vec<_>>(), "{items} by {at_once}");
        let simulated = SimWorld::new(1, Faults::none()).fs();
        assert_eq!(simulated.for_all((0..items).collect(), at_once, |_, item| item * 3), results);
    }
}

#[test]
fn so_many_are_under_way_at_once_and_no_more() {
    let all_there = Barrier::new(3);
    let threads = Mutex::new(BTreeSet::new());
    for_all(&HostFs, vec![(); 6], 3, |_, ()| {
        all_there.wait();
        threads.lock().unwrap().insert(format!("{:?}", thread::current().id()));
    });
    assert_eq!(threads.lock().unwrap().len(), 3);
}

#[test]
fn a_panic_is_passed_on() {
    let fails = AssertUnwindSafe(|| for_all(&HostFs, vec![1, 2, 3], 2, |_, item| assert_ne!(item, 2)));
    assert!(catch_unwind(fails).is_err());
}

#[test]
fn what_finds_no_descriptor_left_is_done_again_alone_and_only_that() {
    let items = [0, 1, 2, 3];
    let tries = Mutex::new(Vec::new());
    let work = |_: &HostFs, item: &i32| {
        let mut tries = tries.lock().unwrap();
        tries.push(*item);
        let nth = tries.iter().filter(|tried| *tried == item).count();
        match item {
            1 if nth == 1 => Err("none left"),
            2 => Err("none left"),
            3 => Err("damaged"),
            _ => Ok(item * 10),
        }
    };
    let results = for_all_files(&HostFs, &items, 2, |error| *error == "none left", work);
    assert_eq!(results, [Ok(0), Ok(10), Err("none left"), Err("damaged")]);
    let tries = tries.into_inner().unwrap();
    assert_eq!(items.map(|item| tries.iter().filter(|tried| **tried == item).count()), [1, 2, 2, 1]);
    assert_eq!(tries[4..], [1, 2], "when all the others are done");
}
