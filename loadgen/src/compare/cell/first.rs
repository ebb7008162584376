//! The first record that a broker acknowledges: a topic, its leaders, one Produce.

use std::time::{Duration, Instant};

use crate::admin::Admin;
use crate::cli::{Acks, Compression};
use crate::codec::admin::ProducerIdentity;
use crate::codec::versions::Api;
use crate::codec::{error, produce};
use crate::stamp::{SessionId, Stamp};
use crate::template::{FrameSpec, Patch, StripPool};
use crate::verify::Link;
use crate::workload::Values;

/// How long a broker may take from its start until it acknowledges.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

/// Repeats `attempt` until it succeeds.
///
/// # Errors
/// The last attempt's sentence, once patience is at an end.
pub(super) fn until<T>(mut attempt: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(why) if Instant::now() > deadline => return Err(why),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Whether every partition of `topic` has a leader that tells where it ends.
pub(super) fn served(address: &str, topic: &str) -> Result<(), String> {
    let leadership = Admin::connect(address)?.leadership(topic)?;
    for (leader, partitions) in &leadership.leaders {
        Admin::connect(&leader.to_string())?.log_ends(topic, partitions)?;
    }
    Ok(())
}

/// Produces one record to `topic`, partition 0, and waits for its acknowledgement.
pub(super) fn acknowledged(address: &str, topic: &str) -> Result<(), String> {
    let mut admin = Admin::connect(address)?;
    let version = admin.served().agree(Api::Produce)?;
    let leadership = admin.leadership(topic)?;
    let leader = leadership.leaders.first().ok_or("the topic has no leader")?.0;
    let values = Values::Generated { size: 100 };
    let spec = FrameSpec {
        version,
        topic,
        acks: Acks::All.code(),
        batch_records: 1,
        values: &values,
        compression: Compression::None,
    };
    let mut strip = StripPool::new(&spec, 1).take();
    let stamp = Stamp { session: SessionId(u16::MAX), sequence: 0, sent: crate::clock::Nanos(1) };
    let identity = ProducerIdentity::NONE;
    let patch = Patch { correlation: 1, partition: 0, stamp, wall_clock_ms: 1, identity, base_sequence: -1 };
    strip.patch(0, &patch);
    let broken = |e: std::io::Error| format!("the connection to {leader} broke: {e}");
    let mut link = Link::connect(leader).map_err(broken)?;
    link.send(&strip.bytes[..strip.end(0)]).map_err(broken)?;
    let response = link.receive().map_err(broken)?;
    let body = response.body(Api::Produce.flexible(version))?;
    let ack = produce::decode(body, version).map_err(|e| format!("Produce: {e}"))?;
    if ack.error == 0 { Ok(()) } else { Err(format!("Produce was refused: {}", error::name(ack.error))) }
}
