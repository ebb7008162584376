//! DeleteGroups (42): groups without members, with all they have committed.
//!
//! Versions 0–2. 2 is the flexible encoding. Answered when it is stored.

use std::collections::BTreeSet;

use super::group_work::{GroupWork, name};
use super::{Call, Context, Work};
use crate::coordinator::{Answer, Ask, Name};
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 2);

/// Starts it.
pub fn start(reader: &mut Reader<'_>, _: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut groups = Vec::new();
    let mut named = BTreeSet::new();
    for _ in 0..reader.array_len()? {
        let group = name(reader)?;
        if named.insert(Name::clone(&group)) {
            groups.push(group);
        }
    }
    reader.skip_tagged_fields()?;
    let asks = groups.iter().map(|group| (Name::clone(group), Ask::Delete)).collect();
    let write = move |answers: Vec<Answer>, _: &Call, out: &mut Writer, _: &mut Context<'_>| {
        out.i32(0);
        out.array_len(groups.len());
        for (group, answer) in groups.iter().zip(answers) {
            let Answer::Plain(error) = answer else { unreachable!("groups were deleted") };
            out.string(group);
            out.i16(error.value());
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    };
    Ok(GroupWork::ask(asks, write, cx))
}
