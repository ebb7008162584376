//! Sending, and how much of the log's memory the responses under way hold on to.
//!
//! Records that wait for a client hold the memory they lie in. Past a limit a core lets go of those that wait on
//! connections whose clients have not read for a while, and if that does not do, of all; what they need next is asked for
//! again when its turn to be sent comes, a little at a time: from the tail if it is still there, else from the disk. So
//! clients that do not read cost no more than what is under way to their sockets.

use tora_engine::io::ring::RingIo;
use tora_engine::io::{Io, Op};
use tora_engine::request::{Reply, Request};
use tora_engine::shard::Shard;

use super::{Kind, Server, token};
use crate::api::{Asked, Client, Purpose};
use crate::limits;

impl Server {
    /// Sends what is next, or asks for it.
    pub(super) fn send(&mut self, shard: &mut Shard<RingIo>, key: u32) {
        let bytes_max = self.send_bytes_max();
        let Some(connection) = self.connections.get_mut(key) else { return };
        let (serial, transport) = (connection.serial, &mut connection.transport);
        let before = transport.held();
        let slices = transport.begin_send(bytes_max);
        self.held -= before - transport.held();
        if let Some(slices) = slices {
            self.sending += transport.sending_bytes();
            let socket = transport.socket();
            shard.submit(token(Kind::Send, key), Op::Send { socket, slices });
        } else if let Some((stored, bytes)) = transport.begin_fetch() {
            let client = Client { connection: key, serial, purpose: Purpose::Outgoing };
            let tag = self.asked.insert(Asked::Client(client));
            let bytes = bytes.min(limits::SEND_BYTES_TIGHT);
            let request = Request::ReadStored { partition: stored.partition, at: stored.at, bytes };
            shard.request(u64::from(tag), request);
        }
    }

    /// Bytes of one send: what is under way to a socket cannot be let go of.
    const fn send_bytes_max(&self) -> usize {
        if self.held + self.sending > limits::RECORDS_HELD_MAX / 2 {
            limits::SEND_BYTES_TIGHT
        } else {
            limits::SEND_BYTES_MAX
        }
    }

    /// What a connection had let go of has come again, or is gone.
    pub(super) fn fetched(&mut self, shard: &mut Shard<RingIo>, key: u32, reply: Reply) {
        let Reply::ReadStored(outcome) = reply else { unreachable!("stored bytes were asked for") };
        let Some(connection) = self.connections.get_mut(key) else { return };
        if !connection.transport.is_open() {
            return;
        }
        match outcome {
            Ok(slices) => {
                connection.transport.fetched(slices);
                self.mark_dirty(key);
            }
            Err(error) => {
                let why =
                    format!("it was slow to read, and the records it was to get next are gone ({error})");
                self.refuse(shard, key, &why);
            }
        }
    }

    /// Lets go of records if too many wait.
    pub(super) fn hold_less(&mut self, shard: &mut Shard<RingIo>) {
        if self.held <= limits::RECORDS_HELD_MAX {
            return;
        }
        let now = shard.io().now();
        let keys: Vec<u32> = self.connections.keys().collect();
        for lagging_only in [true, false] {
            for key in keys.iter().copied() {
                let Some(connection) = self.connections.get_mut(key) else { continue };
                let lags = now.since(connection.outgoing_since) >= limits::LAGGING_MS * 1_000_000;
                let held = connection.transport.held();
                if held == 0 || (lagging_only && !lags) {
                    continue;
                }
                connection.transport.let_go();
                self.held -= held;
                if self.held <= limits::RECORDS_HELD_MAX / 2 {
                    return;
                }
            }
        }
    }
}
