//! What crosses between cores, and how much of it may be under way.

use std::sync::Arc;

use super::gather::Gathering;
use super::group::GroupCompleter;
use super::{Completer, Inbox, Peers, mailboxes};
use crate::limits;
use crate::request::{Reply, Request};
use crate::types::ShardId;

/// A message in a shard's mailbox.
#[derive(Debug)]
pub enum Mail {
    /// A question to the shard.
    Request {
        /// Where the reply goes.
        from: ReplyTo,
        /// The question.
        request: Request,
    },
    /// Records that were gathered outside the shards, to be appended.
    Gathered(Gathering),
    /// The reply to a request that this shard made of another. It brings the request's credit back.
    Reply {
        /// The shard that answers.
        from: ShardId,
        /// What the request was made with.
        tag: u64,
        /// The answer.
        reply: Reply,
    },
    /// Changes to the catalog, from the shard that keeps it. The next ones follow when these are reported applied.
    Catalog {
        /// The catalog's version with these changes.
        version: u64,
        /// The changes, as the catalog's log holds them.
        changes: Arc<[u8]>,
    },
    /// A shard's report to the keeper of the catalog that its snapshot has reached a version.
    CatalogApplied {
        /// Whose snapshot.
        shard: ShardId,
        /// The version of the [`Mail::Catalog`] it has applied.
        version: u64,
    },
}

/// Where the reply to a request goes.
#[derive(Debug)]
pub enum ReplyTo {
    /// To another shard, in a [`Mail::Reply`] whose slot the request's credit holds.
    Shard {
        /// The shard that asks.
        shard: ShardId,
        /// What it recognises the reply by.
        tag: u64,
    },
    /// To a thread outside the shards. Dropping it answers [`Error::Stopped`](crate::error::Error::Stopped).
    Handle(Completer),
    /// To the records of a gathered batch. Dropping it answers as for a handle.
    Group(GroupCompleter),
}

impl ReplyTo {
    /// Whether whoever waits may give it up unseen: threads outside the shards may.
    #[must_use]
    pub fn may_be_abandoned(&self) -> bool {
        matches!(self, Self::Handle(_))
    }

    /// Whether nobody waits for the reply any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        matches!(self, Self::Handle(completer) if completer.is_abandoned())
    }
}

/// Which credits a request draws on. Watches have their own, since they are under way for as long as nothing happens:
/// a thousand idle consumers must not keep a single append from crossing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Everything that is answered as soon as the disk allows.
    Request,
    /// [`Request::Watch`].
    Watch,
}

impl Lane {
    /// The lane of a request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        match request {
            Request::Watch { .. } => Self::Watch,
            _ => Self::Request,
        }
    }

    /// The lane of the request that this answers.
    #[must_use]
    pub fn of_reply(reply: &Reply) -> Self {
        match reply {
            Reply::Watch(_) => Self::Watch,
            _ => Self::Request,
        }
    }

    /// Credits of one shard for another: requests under way from the first to the second. At 64 KiB each, 256 are
    /// what two cores can move in some milliseconds; more would only queue.
    #[must_use]
    pub const fn shard_credits(self) -> u32 {
        match self {
            Self::Request => 256,
            Self::Watch => 1024,
        }
    }

    /// Requests of all embedding threads together that may be under way at one shard.
    #[must_use]
    pub const fn handle_credits(self) -> u32 {
        match self {
            Self::Request => 4096,
            Self::Watch => 1024,
        }
    }

    /// Slots that this lane may fill in one mailbox: from each other shard its requests and its replies to ours, and
    /// the requests of embedding threads, whose replies do not pass through a mailbox.
    const fn slots(self, others: usize) -> usize {
        others * 2 * self.shard_credits() as usize + self.handle_credits() as usize
    }
}

/// Catalog messages under way from one shard to another: a version is sent when the one before is applied.
const CATALOG_MAIL_MAX: usize = 1;

/// Slots in a mailbox: the sum of all that may lie in it at once, so that sending never fails. An appender has one message
/// on its way at most.
#[must_use]
pub const fn capacity(shards: u16) -> usize {
    let others = (shards as usize).saturating_sub(1);
    Lane::Request.slots(others)
        + Lane::Watch.slots(others)
        + others * CATALOG_MAIL_MAX
        + limits::APPENDERS_MAX as usize
}

/// The mailboxes of an engine.
#[must_use]
pub fn open(shards: u16) -> (Peers<Mail>, Vec<Inbox<Mail>>) {
    mailboxes(shards, capacity(shards))
}
