//! FindCoordinator (10): which broker keeps a group. This one keeps all of them.
//!
//! Versions 0–6. 1 adds the kind of key and an error text, 4 asks for several keys at once, 6 share groups (kind 2).
//! Transactions (kind 1) and share groups are not served, so nobody coordinates them.
//!
//! The first one who looks for a group's coordinator has `__consumer_offsets` made, and is answered when it is there.

use tora_engine::request::{Reply, Request};

use super::{Call, Context, Work};
use crate::config::Settings;
use crate::coordinator::OFFSETS_TOPIC;
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 6);

/// The kind of key that names a group.
const GROUP: i8 = 0;

struct FindCoordinator {
    keys: Vec<String>,
    fault: Option<(ErrorCode, String)>,
    done: bool,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut keys = Vec::new();
    let mut kind = GROUP;
    if call.version < 4 {
        keys.push(reader.string()?.to_owned());
        if call.version >= 1 {
            kind = reader.i8()?;
        }
    } else {
        kind = reader.i8()?;
        for _ in 0..reader.array_len()? {
            keys.push(reader.string()?.to_owned());
        }
    }
    reader.skip_tagged_fields()?;
    let mut work = FindCoordinator { keys, fault: None, done: true };
    if kind != GROUP {
        let why = "only groups have a coordinator here: transactions and share groups are not served";
        work.fault = Some((ErrorCode::INVALID_REQUEST, why.to_owned()));
    } else if cx.shard.catalog().topic_named(OFFSETS_TOPIC).is_none() {
        work.done = false;
        cx.ask(0, offsets_topic(cx.settings));
    }
    Ok(Box::new(work))
}

/// What makes `__consumer_offsets`.
#[must_use]
pub fn offsets_topic(settings: &Settings) -> Request {
    let configs = [
        // What is in it goes by its own rules.
        ("retention.ms", "-1".to_owned()),
        ("retention.bytes", "-1".to_owned()),
        ("segment.bytes", settings.offsets_segment_bytes.to_string()),
    ];
    Request::CreateTopic {
        name: OFFSETS_TOPIC.to_owned(),
        partitions: Some(settings.offsets_partitions),
        configs: configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        validate_only: false,
    }
}

impl Work for FindCoordinator {
    fn on_reply(&mut self, _: u32, reply: Reply, _: &mut Context<'_>) {
        let Reply::CreateTopic(outcome) = reply else { unreachable!("a topic was created") };
        self.done = true;
        if let Err(error) = outcome {
            // Somebody else may have been faster; then it is there all the same.
            if ErrorCode::of(&error) != ErrorCode::TOPIC_ALREADY_EXISTS {
                let why = format!("{OFFSETS_TOPIC} cannot be made: {error}");
                log::error!("{why}");
                self.fault = Some((ErrorCode::COORDINATOR_NOT_AVAILABLE, why));
            }
        }
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn write(&mut self, call: &Call, out: &mut Writer, cx: &mut Context<'_>) {
        let version = call.version;
        let error = self.fault.as_ref().map_or(ErrorCode::NONE, |fault| fault.0);
        let why = self.fault.as_ref().map(|fault| fault.1.as_str());
        let (node_id, host, port) = match why {
            Some(_) => (-1, "", -1),
            None => (cx.settings.node_id, cx.advertised.host.as_str(), cx.advertised.port.into()),
        };
        if version >= 1 {
            out.i32(0);
        }
        if version < 4 {
            out.i16(error.value());
            if version >= 1 {
                out.nullable_string(why);
            }
            out.i32(node_id);
            out.string(host);
            out.i32(port);
        } else {
            out.array_len(self.keys.len());
            for key in &self.keys {
                out.string(key);
                out.i32(node_id);
                out.string(host);
                out.i32(port);
                out.i16(error.value());
                out.nullable_string(why);
                out.no_tagged_fields();
            }
        }
        out.no_tagged_fields();
    }
}
