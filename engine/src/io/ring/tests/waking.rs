//! Sleeping, waking, and helper jobs.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::support::{collect, ring};
use crate::io::{Io, Op, Token, Wait};

#[test]
fn a_turn_without_waiting_returns_at_once() {
    let mut io = ring();
    let mut completions = Vec::new();
    for _ in 0..3 {
        io.turn(Wait::No, &mut completions).unwrap();
    }
    assert!(completions.is_empty());
}

#[test]
fn a_turn_sleeps_until_its_moment() {
    let mut io = ring();
    let mut completions = Vec::new();
    let moment = io.now().plus_millis(30);
    while io.now() < moment {
        io.turn(Wait::Until(moment), &mut completions).unwrap();
    }
    // A moment that has passed is no reason to sleep.
    io.turn(Wait::Until(moment), &mut completions).unwrap();
    assert!(completions.is_empty());
}

#[test]
fn another_thread_wakes_a_sleeper() {
    let mut io = ring();
    let waker = io.waker();
    let (asleep, wake) = mpsc::channel();
    let other = thread::spawn(move || {
        for () in wake {
            thread::sleep(Duration::from_millis(1));
            waker.wake();
        }
    });
    for _ in 0..50 {
        asleep.send(()).unwrap();
        io.turn(Wait::Forever, &mut Vec::new()).unwrap();
    }
    drop(asleep);
    other.join().unwrap();
}

#[test]
fn a_wake_before_the_sleep_is_not_lost() {
    let mut io = ring();
    let waker = io.waker();
    for _ in 0..50 {
        waker.wake();
        waker.wake();
        io.turn(Wait::Forever, &mut Vec::new()).unwrap();
    }
    // Nor one that a turn without sleep came across.
    for _ in 0..50 {
        waker.wake();
        io.turn(Wait::No, &mut Vec::new()).unwrap();
        io.turn(Wait::No, &mut Vec::new()).unwrap();
        io.turn(Wait::Forever, &mut Vec::new()).unwrap();
    }
}

#[test]
fn many_wakes_are_one() {
    let mut io = ring();
    let waker = io.waker();
    for _ in 0..100_000 {
        waker.wake();
    }
    io.turn(Wait::Forever, &mut Vec::new()).unwrap();
    let moment = io.now().plus_millis(20);
    io.turn(Wait::Until(moment), &mut Vec::new()).unwrap();
    assert!(io.now() >= moment, "all wakes were taken by the first turn");
}

#[test]
fn a_job_brings_its_value_and_its_error() {
    let mut io = ring();
    io.submit(Token(1), Op::Job(Box::new(|_| Ok(42))));
    io.submit(Token(2), Op::Job(Box::new(|_| Err(io::Error::from_raw_os_error(libc::ENOSPC)))));
    let done = collect(&mut io, 2);
    assert_eq!(*done[&1].result.as_ref().unwrap(), 42);
    assert_eq!(done[&2].result.as_ref().unwrap_err().raw_os_error(), Some(libc::ENOSPC));
}

#[test]
fn a_short_job_passes_a_long_one() {
    let mut io = ring();
    let (finish, wait) = mpsc::channel::<()>();
    io.submit(
        Token(1),
        Op::Job(Box::new(move |_| {
            let _ = wait.recv();
            Ok(1)
        })),
    );
    io.submit(Token(2), Op::Job(Box::new(|_| Ok(2))));
    assert!(collect(&mut io, 1).contains_key(&2));
    finish.send(()).unwrap();
    assert!(collect(&mut io, 1).contains_key(&1));
}

#[test]
fn clocks_go_forward() {
    let mut io = ring();
    let before = io.now();
    thread::sleep(Duration::from_millis(5));
    assert!(io.now().since(before) >= 5_000_000);
    assert!(io.unix_millis() > 1_700_000_000_000);
    assert_ne!(io.random(), io.random());
}
