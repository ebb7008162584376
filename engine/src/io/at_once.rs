//! Blocking work on several threads, for start-up: what waits for the device waits together, and what finds no descriptor
//! left is done again alone.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::thread::{self, Builder};

use super::Fs;
use super::thread::Untied;

/// As [`Fs::for_all`]. Where a thread cannot be had, fewer do it; the calling one does its share in any case.
#[expect(clippy::disallowed_methods, reason = "inside the seam")]
pub(super) fn for_all<F: Fs + Sync, T: Send, R: Send>(
    fs: &F,
    items: Vec<T>,
    at_once: usize,
    work: impl Fn(&F, T) -> R + Sync,
) -> Vec<R> {
    let helpers = at_once.min(items.len()).saturating_sub(1);
    let items = Mutex::new(items.into_iter().enumerate());
    let share = || {
        let mut done = Vec::new();
        loop {
            let next = items.lock().expect("nothing that can panic runs under this lock").next();
            let Some((at, item)) = next else { return done };
            done.push((at, work(fs, item)));
        }
    };
    let mut done = thread::scope(|scope| {
        let untied = Untied::of_this_thread();
        let helps = move || {
            untied.apply();
            share()
        };
        let spawn = |_| Builder::new().name("tora-opening".into()).spawn_scoped(scope, helps).ok();
        let helpers: Vec<_> = (0..helpers).map_while(spawn).collect();
        let mut done = share();
        for helper in helpers {
            done.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// As [`Fs::for_all`], for work that opens files: several items at once may have more open than this process may, and one
/// alone still do. What fails for that, as `no_descriptors` tells, is done once more when all the others are done.
pub fn for_all_files<F: Fs, T: Sync, R: Send, E: Send>(
    fs: &F,
    items: &[T],
    at_once: usize,
    no_descriptors: impl Fn(&E) -> bool,
    work: impl Fn(&F, &T) -> Result<R, E> + Sync,
) -> Vec<Result<R, E>> {
    let mut results = fs.for_all(items.iter().collect(), at_once, &work);
    for (item, result) in items.iter().zip(&mut results) {
        if result.as_ref().is_err_and(&no_descriptors) {
            *result = work(fs, item);
        }
    }
    results
}

#[cfg(test)]
mod tests;
