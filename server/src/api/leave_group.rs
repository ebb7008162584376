//! LeaveGroup (13): members go, or are removed by hand.
//!
//! Versions 0–5. 3 takes several members, each by its id or, if it is static, by its instance alone; 4 is the flexible
//! encoding, 5 adds a reason (not kept, KIP-800).

use super::group_work::{GroupWork, name, nullable_name, only};
use super::{Call, Context, Work};
use crate::coordinator::{Answer, Ask, Leaver};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 5);

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let group = name(reader)?;
    let mut leavers = Vec::new();
    if call.version < 3 {
        leavers.push(Leaver { member: name(reader)?, instance: None });
    } else {
        for _ in 0..reader.array_len()? {
            leavers.push(Leaver { member: name(reader)?, instance: nullable_name(reader)? });
            if call.version >= 5 {
                reader.nullable_string()?;
            }
            reader.skip_tagged_fields()?;
        }
    }
    reader.skip_tagged_fields()?;
    Ok(GroupWork::ask(vec![(group, Ask::Leave(leavers))], write, cx))
}

fn write(answers: Vec<Answer>, call: &Call, out: &mut Writer, _: &mut Context<'_>) {
    let Answer::Leave(error, members) = only(answers) else { unreachable!("it asked to leave") };
    if call.version >= 1 {
        out.i32(0);
    }
    if call.version < 3 {
        let of_member = members.first().map_or(ErrorCode::NONE, |member| member.1);
        out.i16(if error.is_none() { of_member } else { error }.value());
    } else {
        out.i16(error.value());
        out.array_len(members.len());
        for (leaver, error) in &members {
            out.string(&leaver.member);
            out.nullable_string(leaver.instance.as_deref());
            out.i16(error.value());
            out.no_tagged_fields();
        }
    }
    out.no_tagged_fields();
}
