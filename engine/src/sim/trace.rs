//! The record of a run: a hash over every event, and the events as lines for who wants to read them.

use std::fmt::Write as _;

/// Takes a run's lines.
pub type Sink = Box<dyn FnMut(&str) + Send>;

/// A running hash over events, in their order.
pub(super) struct Trace {
    hash: u64,
    sink: Option<Sink>,
}

impl Trace {
    pub(super) fn new(seed: u64) -> Self {
        Self { hash: seed ^ 0xcbf2_9ce4_8422_2325, sink: None }
    }

    /// Sends each event's line to `sink` from now on.
    pub(super) fn print_to(&mut self, sink: Sink) {
        self.sink = Some(sink);
    }

    /// Counts an event of a kind, with what names its object and its numbers.
    pub(super) fn note(&mut self, now: u64, kind: &str, name: &str, numbers: &[(&str, u64)]) {
        self.mix(now);
        self.mix(
            u64::from(crc_fast::crc32_iscsi(kind.as_bytes())) << 32
                | u64::from(crc_fast::crc32_iscsi(name.as_bytes())),
        );
        for (_, number) in numbers {
            self.mix(*number);
        }
        if let Some(sink) = &mut self.sink {
            let mut line = format!("{:>12.3} {kind}", now as f64 / 1e6);
            if !name.is_empty() {
                let _ = write!(line, " {name}");
            }
            for (what, number) in numbers {
                let _ = write!(line, " {what}={number}");
            }
            sink(&line);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}
