//! Requests that wait for records: a connection has at most one, and it is woken by a watch on one of its partitions or by
//! its deadline.

use tora_engine::io::ring::RingIo;
use tora_engine::request::Request;
use tora_engine::shard::Shard;
use tora_engine::types::Nanos;

use super::{RequestId, Server};
use crate::api::{Asked, Client, Purpose};

impl Server {
    /// Parks a request if it said so: watches what it waits for, as far as a watch is not under way already, and notes
    /// its deadline.
    pub(super) fn wait(&mut self, shard: &mut Shard<RingIo>, request: RequestId) {
        let Some(until) = self.waiting.until.take() else { return };
        let connection = self.connections.get_mut(request.connection);
        // One that is on its way out waits for nothing.
        let Some(connection) = connection.filter(|connection| connection.transport.is_open()) else {
            self.waiting.partitions.clear();
            return;
        };
        for (partition, end) in self.waiting.partitions.drain(..) {
            if connection.watches.insert(partition) {
                let purpose = Purpose::Watch(partition);
                let client = Client { connection: request.connection, serial: request.serial, purpose };
                let tag = self.asked.insert(Asked::Client(client));
                shard.request(u64::from(tag), Request::Watch { partition, end, until });
            }
        }
        assert!(connection.waits_until.is_none(), "a request that waits is the only one of its connection");
        connection.waits_until = Some(until);
        self.deadlines.insert((until, request.connection));
    }

    /// Wakes the connection's waiting request, if it has one. One that finds nothing new waits again.
    pub(super) fn wake(&mut self, shard: &mut Shard<RingIo>, key: u32) {
        if !self.forget_deadline(key) {
            return;
        }
        let Some(connection) = self.connections.get_mut(key) else { return };
        let serial = connection.serial;
        let Some(sequence) = connection.order.alone() else { return };
        let Some(mut job) = connection.order.take(sequence) else { return };
        let request = RequestId { connection: key, serial, sequence };
        job.work.on_wake(&mut self.context(shard, request));
        self.carry_on(shard, request, job);
    }

    /// Wakes the requests whose time is up.
    pub(super) fn wake_expired(&mut self, shard: &mut Shard<RingIo>, now: Nanos) {
        while let Some((_, key)) = self.deadlines.first().copied().filter(|deadline| deadline.0 <= now) {
            // It forgets its deadline, so that this comes to an end.
            self.wake(shard, key);
        }
    }

    /// Takes the connection's deadline away; says whether there was one.
    pub(super) fn forget_deadline(&mut self, key: u32) -> bool {
        let until = self.connections.get_mut(key).and_then(|connection| connection.waits_until.take());
        until.is_some_and(|until| {
            let noted = self.deadlines.remove(&(until, key));
            assert!(noted, "every waiting connection has its deadline noted");
            true
        })
    }
}
