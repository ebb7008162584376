use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use super::{Helpers, THREADS_MAX};
use crate::io::{HostFs, Token, Wake};

/// Counts wakes and passes them on.
struct Bell(AtomicUsize, mpsc::SyncSender<()>);

impl Wake for Bell {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        let _ = self.1.try_send(());
    }
}

fn helpers() -> (Helpers<HostFs>, Arc<Bell>, mpsc::Receiver<()>) {
    let (sender, rings) = mpsc::sync_channel(1024);
    let bell = Arc::new(Bell(AtomicUsize::new(0), sender));
    (Helpers::new(HostFs, String::from("test-help"), Arc::<Bell>::clone(&bell)), bell, rings)
}

#[test]
fn every_job_completes_once_on_a_few_named_threads() {
    let (mut helpers, _bell, rings) = helpers();
    for n in 0..100 {
        let job = move |_: &HostFs| {
            assert_eq!(std::thread::current().name(), Some("test-help"));
            Ok(n * n)
        };
        helpers.start(Token(n), Box::new(job));
    }
    // Each rings behind its result.
    for _ in 0..100 {
        rings.recv().unwrap();
    }
    let mut completions = Vec::new();
    helpers.collect(&mut completions);
    completions.sort_by_key(|completion| completion.token);
    for (n, completion) in (0..).zip(&completions) {
        assert_eq!((completion.token, *completion.result.as_ref().unwrap()), (Token(n), n * n));
    }
    assert!(rings.try_recv().is_err(), "once for each");
    assert!(helpers.threads.len() <= THREADS_MAX);
    assert!(!helpers.has_results());
}

#[test]
fn no_thread_exists_before_the_first_job() {
    let (mut helpers, _bell, rings) = helpers();
    assert!(helpers.threads.is_empty());
    for n in 0..5 {
        helpers.start(Token(n), Box::new(|_| Ok(0)));
        rings.recv().unwrap();
        helpers.collect(&mut Vec::new());
    }
    assert!((1..=THREADS_MAX).contains(&helpers.threads.len()));
}

#[test]
fn a_panic_is_the_jobs_error() {
    let (mut helpers, _bell, rings) = helpers();
    helpers.start(Token(1), Box::new(|_| panic!("meant to")));
    rings.recv().unwrap();
    let mut completions = Vec::new();
    helpers.collect(&mut completions);
    assert!(completions[0].result.as_ref().unwrap_err().to_string().contains("panicked"));
    helpers.start(Token(2), Box::new(|_| Ok(2)));
    rings.recv().unwrap();
    helpers.collect(&mut completions);
    assert_eq!(*completions[1].result.as_ref().unwrap(), 2);
}

#[test]
fn the_end_waits_for_begun_jobs_and_drops_the_others() {
    let (mut helpers, bell, _rings) = helpers();
    let (begun, has_begun) = mpsc::channel();
    let (finish, may_finish) = mpsc::channel::<()>();
    let mut waits = vec![may_finish];
    for n in 0..THREADS_MAX as u64 {
        let begun = begun.clone();
        let wait = waits.pop();
        helpers.start(
            Token(n),
            Box::new(move |_| {
                begun.send(()).unwrap();
                if let Some(wait) = wait {
                    let _ = wait.recv();
                }
                Ok(0)
            }),
        );
        has_begun.recv().unwrap();
    }
    let value = Arc::new(());
    let held = Arc::clone(&value);
    let (block, blocked) = mpsc::channel::<()>();
    helpers.start(Token(8), Box::new(move |_| Ok(u64::from(blocked.recv().is_err()))));
    helpers.start(
        Token(9),
        Box::new(move |_| {
            drop(held);
            Ok(0)
        }),
    );
    drop((finish, block));
    drop(helpers);
    assert_eq!(Arc::strong_count(&value), 1, "the job's values are gone, whether it ran or not");
    assert!(bell.0.load(Ordering::SeqCst) >= THREADS_MAX);
}
