//! What runs on top of a shard, in the shard's thread: the server's connections, or nothing.

use crate::io::{Completion, Io};
use crate::request::Reply;
use crate::shard::Shard;
use crate::types::Nanos;

/// A guest of the reactor: it gets the completions of the operations it submitted, the replies to the requests it
/// made, and one call a turn. Every call must return soon; nothing here may block. A panic here ends the engine
/// ([`Engine::wait_for_failure`](crate::Engine::wait_for_failure)).
pub trait Service<I: Io>: Send {
    /// Called once, on the shard's thread, when the shard serves.
    fn start(&mut self, shard: &mut Shard<I>);

    /// One of the operations submitted by [`Shard::submit`] has ended.
    fn on_completion(&mut self, shard: &mut Shard<I>, completion: Completion);

    /// One of the requests made by [`Shard::request`] is answered; `tag` is what it was made with.
    fn on_reply(&mut self, shard: &mut Shard<I>, tag: u64, reply: Reply);

    /// Once a turn, after its completions and replies.
    fn on_turn(&mut self, shard: &mut Shard<I>);

    /// When it wants its next `on_turn` at the latest, if nothing else happens.
    fn next_deadline(&self) -> Option<Nanos>;

    /// Whether another thread has left something for it. Asked before the shard sleeps; who leaves something wakes the
    /// shard afterwards ([`Peers::wake`](crate::mailbox::Peers::wake)).
    fn has_mail(&self) -> bool;

    /// The engine is stopping: answer or drop what is under way. Called each turn from then on; the shard ends when it
    /// says true and nothing it owns is in flight, on every other shard as well, or when the time for it is up. It may say
    /// false again: another shard's service may have asked something.
    fn on_stop(&mut self, shard: &mut Shard<I>) -> bool;
}

/// The service of an embedded engine: none.
#[derive(Debug, Default)]
pub struct NoService;

impl<I: Io> Service<I> for NoService {
    fn start(&mut self, _: &mut Shard<I>) {}

    fn on_completion(&mut self, _: &mut Shard<I>, completion: Completion) {
        unreachable!("no service submitted {:?}", completion.token);
    }

    fn on_reply(&mut self, _: &mut Shard<I>, tag: u64, _: Reply) {
        unreachable!("no service asked {tag}");
    }

    fn on_turn(&mut self, _: &mut Shard<I>) {}

    fn next_deadline(&self) -> Option<Nanos> {
        None
    }

    fn has_mail(&self) -> bool {
        false
    }

    fn on_stop(&mut self, _: &mut Shard<I>) -> bool {
        true
    }
}
