use std::fs;

use super::*;

const USUAL: Duration = Duration::from_micros(100);
const STALL: Duration = Duration::from_millis(18);

/// A look with so many writes of `each`, and `stalls` between them.
fn look(writes: usize, each: Duration, stalls: usize) -> Look {
    Look::of([vec![each; writes], vec![STALL; stalls]].concat())
}

/// How many of `looks` it takes to know that the disk is calm, or all, and what is found then.
fn after(quietest: Option<Duration>, looks: &[Look]) -> (usize, Calm) {
    let mut so_far = Looks::new(quietest);
    for (index, look) in looks.iter().enumerate() {
        so_far.add(look);
        if so_far.is_calm() || index + 1 == looks.len() {
            return (index + 1, so_far.end(look.median(), Duration::ZERO, None));
        }
    }
    unreachable!("there is a look")
}

#[test]
fn a_quiet_disk_is_calm_at_once() {
    let quiet = || look(2000, USUAL, 0);
    let (seen, calm) = after(None, &[quiet(), quiet(), quiet()]);
    assert_eq!((seen, calm.calm, calm.quietest), (2, true, USUAL));
    assert_eq!(calm.words(), None, "nothing is said where nobody waited");
    // Some variation is any disk's.
    assert!(after(Some(USUAL * 3 / 5), &[quiet(), quiet()]).1.calm);
}

#[test]
fn few_stalls_take_much_of_the_time() {
    // As seen while a disk discarded 4 GB: neither the median nor the 99th percentile tells.
    let stalled = || look(1300, USUAL, 5);
    let Look(times) = stalled();
    assert_eq!((times[times.len() / 2], times[times.len() * 99 / 100]), (USUAL, USUAL));
    let quiet = || look(2000, USUAL, 0);
    let (seen, calm) = after(None, &[stalled(), quiet(), stalled(), quiet(), quiet(), quiet()]);
    assert_eq!((seen, calm.calm), (5, true), "a pause between two bursts is not the end");
    assert!(!after(None, &[stalled(), stalled()]).1.calm);
}

#[test]
fn a_disk_that_is_slow_all_the_time_is_told_from_a_quieter_one() {
    let slow = || look(60, USUAL * 40, 0);
    let (_, calm) = after(Some(USUAL), &[slow(), slow(), slow()]);
    assert!(!calm.calm);
    assert_eq!(calm.quietest, USUAL * 40, "what it was is not waited for a second time");
    assert!(after(Some(calm.quietest), &[slow(), slow()]).1.calm);
    // Where it gets quicker, that counts from then on.
    let (_, calm) = after(None, &[slow(), look(2000, USUAL, 0), look(2000, USUAL, 0)]);
    assert!(calm.calm);
    assert_eq!(calm.quietest, USUAL);
}

#[test]
fn after_much_was_discarded_a_while_is_waited() {
    let second = Duration::from_secs(1);
    let mut discards = Discards::new(Some(1000), MUCH_BYTES);
    discards.see(Some(1000 + MUCH_BYTES - 1), second);
    assert!(!discards.linger_at(second), "little does not matter");
    discards.see(Some(1000 + MUCH_BYTES), second * 2);
    assert!(discards.linger_at(second * 2), "little by little it was much");
    assert!(discards.linger_at(second * 7));
    assert!(!discards.linger_at(second * 8));
    assert_eq!(discards.seen, Some(1000 + MUCH_BYTES));
    let mut unknown = Discards::new(None, MUCH_BYTES);
    unknown.see(Some(MUCH_BYTES * 9), second);
    assert!(!unknown.linger_at(second), "that may have been at any time since boot");
    unknown.see(Some(MUCH_BYTES * 10), second);
    assert!(unknown.linger_at(second));
    unknown.see(None, second);
    assert_eq!(unknown.seen, Some(MUCH_BYTES * 10));
}

#[test]
fn waiting_has_an_end_and_leaves_nothing() {
    // The folder that cargo builds in is on a disk, unlike /tmp on many machines.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/probe");
    // No disk is as quick as that, so patience must run out.
    let known = Known { quietest: Some(Duration::from_nanos(1)), discarded_bytes: None };
    let calm = match wait(&folder, known, MUCH_BYTES, Duration::ZERO) {
        Ok(calm) => calm,
        Err(error) => {
            println!("SKIPPED: no O_DIRECT below {}: {error}", folder.display());
            return;
        }
    };
    assert!(!calm.calm);
    assert_eq!(calm.quietest, calm.median, "there was one look");
    assert!(calm.words().is_some_and(|words| words.starts_with("the disk has not calmed down")));
    let left = fs::read_dir(&folder).expect("it is the package's").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".tora-load-probe"));
    assert_eq!(left.count(), 0, "the file is gone");
}
