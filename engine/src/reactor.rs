//! The loop of one core: its shard, its service, and the turn.
//!
//! One turn: what has completed → the mail → the service's replies and its own call → everything the turn brought is
//! written and flushed → one system call that submits all of it and sleeps if there is nothing else to do.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::io::{Completion, Io, Token, Wait};
use crate::limits;
use crate::service::Service;
use crate::shard::{SERVICE_BIT, Shard};
use crate::types::Nanos;

/// Whether a reactor goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// There will be more to do.
    GoOn,
    /// It has stopped: nothing is in flight.
    Stopped,
}

/// See the module.
pub struct Reactor<I: Io, S> {
    shard: Shard<I>,
    service: S,
    completions: Vec<Completion>,
    stop: Arc<AtomicBool>,
    /// When stopping began.
    stopping_since: Option<Nanos>,
}

impl<I: Io, S: Service<I>> Reactor<I, S> {
    /// A reactor that runs until `stop` is set (and the shard woken).
    pub fn new(mut shard: Shard<I>, mut service: S, stop: Arc<AtomicBool>) -> Self {
        service.start(&mut shard);
        Self { shard, service, completions: Vec::new(), stop, stopping_since: None }
    }

    /// Runs until it is stopped.
    ///
    /// # Errors
    /// When the ring fails.
    pub fn run(&mut self) -> io::Result<()> {
        while self.turn()? == Turned::GoOn {}
        Ok(())
    }

    /// One turn. May sleep.
    ///
    /// # Errors
    /// When the ring fails.
    pub fn turn(&mut self) -> io::Result<Turned> {
        self.shard.take_mail();
        self.deliver();
        self.service.on_turn(&mut self.shard);
        if self.stop.load(Ordering::Acquire) && self.try_stop() {
            return Ok(Turned::Stopped);
        }
        self.shard.end_turn();
        let wait = self.wait();
        self.shard.turn_io(wait, &mut self.completions)?;
        self.shard.awake();
        let mut completions = std::mem::take(&mut self.completions);
        for mut completion in completions.drain(..) {
            if completion.token.0 & SERVICE_BIT == 0 {
                self.shard.complete(completion);
            } else {
                completion.token = Token(completion.token.0 & !SERVICE_BIT);
                self.service.on_completion(&mut self.shard, completion);
            }
        }
        self.completions = completions;
        Ok(Turned::GoOn)
    }

    fn deliver(&mut self) {
        while let Some((tag, reply)) = self.shard.next_reply() {
            self.service.on_reply(&mut self.shard, tag, reply);
        }
    }

    fn wait(&mut self) -> Wait {
        if self.shard.has_work() {
            return Wait::No;
        }
        let (service, stop) = (&self.service, &self.stop);
        let stopping = self.stopping_since.is_some();
        let may_sleep =
            self.shard.try_sleep(|| service.has_mail() || (!stopping && stop.load(Ordering::Acquire)));
        if !may_sleep {
            return Wait::No;
        }
        let stop_at = self.stopping_since.map(|since| since.plus_millis(limits::STOP_MS));
        let deadlines = [self.shard.next_deadline(), self.service.next_deadline(), stop_at];
        deadlines.into_iter().flatten().min().map_or(Wait::Forever, Wait::Until)
    }

    /// Goes on stopping; says whether that is done on all shards, which may ask each other until then, or has taken too long.
    fn try_stop(&mut self) -> bool {
        let now = self.shard.io().now();
        let since = *self.stopping_since.get_or_insert(now);
        self.shard.stop();
        // First, since the service may have waited for nothing but these. What it asks now is answered in the next turn.
        self.deliver();
        let service_done = self.service.on_stop(&mut self.shard);
        let ready = service_done && self.shard.has_stopped();
        self.shard.leave_together(ready) || now.since(since) >= limits::STOP_MS * 1_000_000
    }

    /// The shard, for whoever drives the reactor turn by turn.
    pub fn shard(&mut self) -> &mut Shard<I> {
        &mut self.shard
    }

    /// The service, likewise.
    pub fn service(&mut self) -> &mut S {
        &mut self.service
    }
}
