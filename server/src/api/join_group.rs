//! JoinGroup (11): a member comes in, or comes again, and learns of the generation that begins.
//!
//! Versions 0–9. 0 has no time of its own for rebalances (the session's is taken); 1 has; 4 has a member that is new be told
//! its id first (MEMBER_ID_REQUIRED, KIP-394); 5 adds static members (KIP-345); 6 is the flexible encoding; 7 tells the
//! protocol type (KIP-559), and null for a protocol that is not known; 8 adds a reason (not kept, KIP-800); 9 lets the
//! leader skip the assignment (KIP-814).
//!
//! What assignors say to each other is carried and never looked into. The response comes when the rebalance is complete.

use super::group_work::{GroupWork, name, nullable_name, only};
use super::{Call, Context, Work, client_id};
use crate::coordinator::{Answer, Ask, Join, Joined, Name};
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 9);

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let version = call.version;
    let group = name(reader)?;
    let session_timeout_ms = reader.i32()?;
    let rebalance_timeout_ms = if version >= 1 { reader.i32()? } else { session_timeout_ms };
    let member = name(reader)?;
    let instance = if version >= 5 { nullable_name(reader)? } else { None };
    let protocol_type = name(reader)?;
    let mut protocols = Vec::new();
    for _ in 0..reader.array_len()? {
        let name = name(reader)?;
        protocols.push((name, reader.opaque()?));
        reader.skip_tagged_fields()?;
    }
    if version >= 8 {
        reader.nullable_string()?;
    }
    reader.skip_tagged_fields()?;
    let client_id = client_id(reader.message())?;
    let prefix = instance.as_ref().unwrap_or(&client_id);
    let fresh_id = Name::from(format!("{prefix}-{}", cx.random_uuid()));
    let join = Join {
        member,
        instance,
        fresh_id,
        requires_known_id: version >= 4,
        may_skip_assignment: version >= 9,
        client_id,
        client_host: cx.client_host(),
        rebalance_timeout_ms,
        session_timeout_ms,
        protocol_type,
        protocols,
    };
    Ok(GroupWork::ask(vec![(group, Ask::Join(Box::new(join)))], write, cx))
}

fn write(answers: Vec<Answer>, call: &Call, out: &mut Writer, _: &mut Context<'_>) {
    let Answer::Join(joined) = only(answers) else { unreachable!("it asked to join") };
    let Joined { error, generation, protocol_type, protocol, leader, skip_assignment, member, members } =
        *joined;
    let version = call.version;
    if version >= 2 {
        out.i32(0);
    }
    out.i16(error.value());
    out.i32(generation);
    if version >= 7 {
        out.nullable_string(protocol_type.as_deref());
        out.nullable_string(protocol.as_deref());
    } else {
        out.string(protocol.as_deref().unwrap_or_default());
    }
    out.string(&leader);
    if version >= 9 {
        out.bool(skip_assignment);
    }
    out.string(&member);
    out.array_len(members.len());
    for (id, instance, metadata) in members {
        out.string(&id);
        if version >= 5 {
            out.nullable_string(instance.as_deref());
        }
        out.opaque(&metadata);
        out.no_tagged_fields();
    }
    out.no_tagged_fields();
}
