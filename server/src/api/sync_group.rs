//! SyncGroup (14): the leader brings every member's share, and each member gets its own.
//!
//! Versions 0–5. 3 adds static members, 4 is the flexible encoding, 5 has both sides say the protocol type and the
//! protocol (KIP-559), which must agree. The response comes when the shares are stored.

use super::group_work::{GroupWork, name, nullable_name, only};
use super::{Call, Context, Work};
use crate::coordinator::{Answer, Ask, Identity, Sync};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 5);

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let group = name(reader)?;
    let generation = reader.i32()?;
    let member = name(reader)?;
    let instance = if call.version >= 3 { nullable_name(reader)? } else { None };
    let (protocol_type, protocol) =
        if call.version >= 5 { (nullable_name(reader)?, nullable_name(reader)?) } else { (None, None) };
    let mut assignments = Vec::new();
    for _ in 0..reader.array_len()? {
        let member = name(reader)?;
        assignments.push((member, reader.opaque()?));
        reader.skip_tagged_fields()?;
    }
    reader.skip_tagged_fields()?;
    let identity = Identity { member, instance, generation };
    let sync = Sync { identity, protocol_type, protocol, assignments };
    Ok(GroupWork::ask(vec![(group, Ask::Sync(Box::new(sync)))], write, cx))
}

fn write(answers: Vec<Answer>, call: &Call, out: &mut Writer, _: &mut Context<'_>) {
    let Answer::Sync(outcome) = only(answers) else { unreachable!("it asked to sync") };
    let synced = outcome.as_ref().ok();
    if call.version >= 1 {
        out.i32(0);
    }
    out.i16(outcome.as_ref().err().unwrap_or(&ErrorCode::NONE).value());
    if call.version >= 5 {
        out.nullable_string(synced.and_then(|synced| synced.protocol_type.as_deref()));
        out.nullable_string(synced.and_then(|synced| synced.protocol.as_deref()));
    }
    out.opaque(synced.map_or(&[][..], |synced| &synced.assignment));
    out.no_tagged_fields();
}
