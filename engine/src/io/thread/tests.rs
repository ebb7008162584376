use std::sync::Barrier;

use super::*;
use crate::io::{Fs, HostFs};

/// Cores that the calling thread may use.
fn own() -> Vec<usize> {
    Cores::of_this_thread().unwrap().numbers().collect()
}

#[test]
fn cores_are_taken_once_and_given_back() {
    let all = own();
    let numbers =
        |cores: &[Option<Core>]| cores.iter().map(|core| core.as_ref().map(|core| core.0)).collect();
    let first = Core::take(1);
    let more = u16::try_from(all.len() + 1).unwrap();
    let others = Core::take(more);
    let (one, rest): (Vec<_>, Vec<_>) = (numbers(&first), numbers(&others));
    assert_eq!(one, [Some(all[0])]);
    let left = all.len() - 1;
    assert_eq!(rest[..left], all[1..].iter().copied().map(Some).collect::<Vec<_>>());
    assert_eq!(rest[left..], [None, None]);
    drop(first);
    assert_eq!(numbers(&Core::take(1)), [Some(all[0])] as [Option<usize>; 1]);
    drop(others);

    // Threads that a tied one starts are not tied to its core.
    let thread = spawn("test-tied".into(), move || {
        let cores = Core::take(1);
        cores[0].as_ref().expect("all are free").tie();
        assert_eq!(own(), [all[0]]);
        let all_there = Barrier::new(3);
        let seen = HostFs.for_all(vec![(); 3], 3, |_, ()| {
            all_there.wait();
            own()
        });
        let tied = seen.iter().filter(|seen| **seen == [all[0]]).count();
        let untied = seen.iter().filter(|seen| **seen == all).count();
        assert_eq!((tied, untied), if all.len() == 1 { (3, 3) } else { (1, 2) }, "{seen:?}");
    });
    thread.unwrap().join().unwrap();
}
