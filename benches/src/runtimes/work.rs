//! The kinds of work that every server does in turn.

use clap::ValueEnum;

use super::disk::Contract;

/// Frames of a small request's size.
const SMALL_BYTES: usize = 200;
/// Frames of a batch's size.
const LARGE_BYTES: usize = 64 << 10;
/// Connections that send without waiting: enough to keep a server busy with one when another is looked after.
const PIPELINES: usize = 4;
/// Bytes that such a connection sends at once.
const PIPELINE_BYTES: usize = 128 << 10;
/// Connections that wait for each answer.
const WAITING: usize = 64;

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// 200 B frames, many in flight on each of 4 connections
    Pipelined,
    /// The same with 64 KiB frames
    PipelinedLarge,
    /// 200 B frames, one at a time on each of 64 connections
    OneAtATime,
    /// The same, each written (4 KiB, O_DIRECT) and the file flushed before the answer
    Flushed,
    /// The same, each written durably (O_DSYNC) before the answer
    Durable,
}

impl Work {
    /// Its name on the command line and in the results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pipelined => "pipelined",
            Self::PipelinedLarge => "pipelined-large",
            Self::OneAtATime => "one-at-a-time",
            Self::Flushed => "flushed",
            Self::Durable => "durable",
        }
    }

    /// What it is, for the table.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Pipelined => "200 B frames, pipelined on 4 connections",
            Self::PipelinedLarge => "64 KiB frames, pipelined on 4 connections",
            Self::OneAtATime => "200 B frames, one at a time on 64 connections",
            Self::Flushed => "… each written (4 KiB, O_DIRECT) and flushed before its answer",
            Self::Durable => "… each written durably (4 KiB, O_DIRECT, O_DSYNC) before its answer",
        }
    }

    /// What the server does with a frame before it answers.
    #[must_use]
    pub const fn disk(self) -> Option<Contract> {
        match self {
            Self::Pipelined | Self::PipelinedLarge | Self::OneAtATime => None,
            Self::Flushed => Some(Contract::Flushed),
            Self::Durable => Some(Contract::Durable),
        }
    }

    /// What the client sends.
    #[must_use]
    pub const fn load(self) -> Load {
        let (body_bytes, connections, batch, in_flight) = match self {
            Self::Pipelined => (SMALL_BYTES, PIPELINES, PIPELINE_BYTES / SMALL_BYTES, 2),
            Self::PipelinedLarge => (LARGE_BYTES, PIPELINES, PIPELINE_BYTES / LARGE_BYTES, 2),
            Self::OneAtATime | Self::Flushed | Self::Durable => (SMALL_BYTES, WAITING, 1, 1),
        };
        Load { body_bytes, connections, batch, batches_in_flight: in_flight }
    }
}

/// What the client keeps under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Of a frame, its length left out.
    pub body_bytes: usize,
    /// Connections.
    pub connections: usize,
    /// Frames that a connection sends at once.
    pub batch: usize,
    /// Of each connection, until they are answered.
    pub batches_in_flight: usize,
}
