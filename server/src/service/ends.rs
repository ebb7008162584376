//! Connections go: refused, idle, left by their clients, or because the server stops.

use std::sync::atomic::Ordering;

use tora_engine::io::ring::RingIo;
use tora_engine::io::{Io, Op, socket};
use tora_engine::shard::Shard;
use tora_engine::types::Nanos;

use super::{Kind, Server, token};
use crate::connection::transport::EndStep;
use crate::limits;

impl Server {
    /// Closes a connection that is of no use, and says so.
    pub(super) fn refuse(&mut self, shard: &mut Shard<RingIo>, key: u32, why: &str) {
        if let Some(connection) = self.connections.get_mut(key) {
            log::warn!("closing the connection from {}: {why}", socket::peer(connection.transport.socket()));
        }
        self.end(shard, key);
    }

    /// Takes the next step to a connection's end. Completions of what is under way take the rest.
    pub(super) fn end(&mut self, shard: &mut Shard<RingIo>, key: u32) {
        self.forget_deadline(key);
        let Some(connection) = self.connections.get_mut(key) else { return };
        let socket = connection.transport.socket();
        match connection.transport.end() {
            EndStep::Wait => {}
            EndStep::Shutdown => shard.submit(token(Kind::Shutdown, key), Op::Shutdown { socket }),
            EndStep::Close => shard.submit(token(Kind::Close, key), Op::CloseSocket { socket }),
        }
    }

    /// Forgets a connection whose socket is closed. Replies to what it asked find its number gone or another's.
    pub(super) fn closed(&mut self, key: u32) {
        self.forget_deadline(key);
        if let Some(mut connection) = self.connections.remove(key) {
            self.held -= connection.transport.held();
            connection.receiver.release(&mut self.receive_memory);
            self.common.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Looks for connections without progress, and for memory for those that wait for it.
    pub(super) fn tick(&mut self, shard: &mut Shard<RingIo>, now: Nanos) {
        let idle = self.common.settings.idle_ms.saturating_mul(1_000_000);
        let keys: Vec<u32> = self.connections.keys().collect();
        let short = std::mem::take(&mut self.memory_short);
        for key in keys.iter().copied().filter(|_| short) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.receiver.trim(&mut self.receive_memory);
            }
        }
        for key in keys.iter().copied() {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if connection.awaits_client() && now.since(connection.last_progress) >= idle {
                log::debug!("closing an idle connection");
                self.end(shard, key);
            } else if short && connection.needs_memory {
                self.advance(shard, key);
            }
        }
        let again = if self.memory_short { limits::MEMORY_RETRY_MS } else { limits::TICK_MS };
        self.next_tick = if keys.is_empty() { Nanos::new(u64::MAX) } else { now.plus_millis(again) };
    }

    /// Ends connections as they have nothing under way, and all of them when that takes too long. Says whether none is
    /// left.
    pub(super) fn stop(&mut self, shard: &mut Shard<RingIo>) -> bool {
        self.groups.stop(shard, &mut self.asked);
        let now = shard.io().now();
        let since = *self.stopping_since.get_or_insert(now);
        let late = now.since(since) >= limits::STOP_MS * 1_000_000;
        let keys: Vec<u32> = self.connections.keys().collect();
        for key in keys {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if connection.transport.is_open() && (late || connection.is_quiet()) {
                self.end(shard, key);
            }
        }
        self.next_tick = now.plus_millis(limits::STOP_POLL_MS);
        self.connections.is_empty()
    }
}
