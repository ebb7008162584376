//! Operations that were submitted but are not with the kernel yet.
//!
//! As many may be with the kernel as the completion queue has room for. Those that wait for peers (accept, receive,
//! send) may take a part of that room only: however many silent connections there are, disk operations and closes, which
//! end by themselves, always get through.

use std::collections::VecDeque;

use super::slots::{InFlight, waits_for_peer};
use crate::io::{Completion, HostFs, Op, Socket, Token};

/// How many operations may be with the kernel.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// In all.
    pub(super) in_flight: usize,
    /// Of those that wait for peers.
    pub(super) for_peers: usize,
}

/// First in, first out, except that operations for peers may be overtaken by others while their limit is reached.
pub(super) struct Backlog {
    limits: Limits,
    submitted: VecDeque<(Token, Op<HostFs>)>,
    /// Operations for peers that found their limit reached; they were submitted before anything in `submitted`.
    parked: VecDeque<(Token, Op<HostFs>)>,
    /// Those of `parked` whose socket was shut down meanwhile.
    ended: Vec<Completion>,
}

impl Backlog {
    pub(super) fn new(limits: Limits) -> Self {
        assert!(limits.for_peers < limits.in_flight);
        Self { limits, submitted: VecDeque::new(), parked: VecDeque::new(), ended: Vec::new() }
    }

    pub(super) fn push(&mut self, token: Token, op: Op<HostFs>) {
        self.submitted.push_back((token, op));
    }

    /// The next operation to hand over, where `in_flight` are with the kernel and `for_peers` of them wait for peers.
    pub(super) fn next(&mut self, in_flight: usize, for_peers: usize) -> Option<(Token, Op<HostFs>)> {
        if in_flight >= self.limits.in_flight {
            return None;
        }
        let peers_full = for_peers >= self.limits.for_peers;
        if !peers_full && let Some(parked) = self.parked.pop_front() {
            return Some(parked);
        }
        while let Some((token, op)) = self.submitted.pop_front() {
            if peers_full && waits_for_peer(&op) {
                self.parked.push_back((token, op));
                continue;
            }
            if let Op::Shutdown { socket } = op {
                self.end_parked(socket);
            }
            return Some((token, op));
        }
        None
    }

    /// Operations that ended without ever reaching the kernel.
    pub(super) fn take_ended(&mut self, completions: &mut Vec<Completion>) {
        completions.append(&mut self.ended);
    }

    /// Whether [`Self::take_ended`] has something.
    pub(super) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Everything left, for the ring's end.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Token, Op<HostFs>)> {
        self.parked.drain(..).chain(self.submitted.drain(..))
    }

    /// Ends the parked operations of a socket that is being shut down, as the kernel would have ended them.
    fn end_parked(&mut self, socket: Socket) {
        for (token, op) in std::mem::take(&mut self.parked) {
            let ended = match &op {
                Op::Receive { socket: of, .. } if *of == socket => Ok(0),
                Op::Send { socket: of, .. } if *of == socket => Err(libc::EPIPE),
                Op::Accept { listener } if *listener == socket => Err(libc::EINVAL),
                _ => {
                    self.parked.push_back((token, op));
                    continue;
                }
            };
            let result = ended.map_err(std::io::Error::from_raw_os_error);
            self.ended.push(InFlight { token, op, message: None }.complete(result));
        }
    }
}

#[cfg(test)]
mod tests;
