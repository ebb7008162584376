//! Heartbeat (12): a member is there, and learns whether its group rebalances.
//!
//! Versions 0–4. 3 adds static members, 4 is the flexible encoding.

use super::group_work::{GroupWork, name, nullable_name, only};
use super::{Call, Context, Work};
use crate::coordinator::{Answer, Ask, Identity};
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 4);

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let group = name(reader)?;
    let generation = reader.i32()?;
    let member = name(reader)?;
    let instance = if call.version >= 3 { nullable_name(reader)? } else { None };
    reader.skip_tagged_fields()?;
    let identity = Identity { member, instance, generation };
    Ok(GroupWork::ask(vec![(group, Ask::Heartbeat(identity))], write, cx))
}

fn write(answers: Vec<Answer>, call: &Call, out: &mut Writer, _: &mut Context<'_>) {
    let Answer::Plain(error) = only(answers) else { unreachable!("it sent a heartbeat") };
    if call.version >= 1 {
        out.i32(0);
    }
    out.i16(error.value());
    out.no_tagged_fields();
}
