//! ListGroups (16): which groups there are, on all cores.
//!
//! Versions 0–5. 3 is the flexible encoding, 4 may ask for some states only (KIP-518), 5 for some types: all groups here
//! are `classic`.

use super::group_work::GroupWork;
use super::{Call, Context, Work};
use crate::coordinator::{Answer, Listed};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 5);

const CLASSIC: &str = "classic";

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let states = if call.version >= 4 { read_filter(reader)? } else { Vec::new() };
    let types = if call.version >= 5 { read_filter(reader)? } else { Vec::new() };
    reader.skip_tagged_fields()?;
    let right_type = types.is_empty() || types.iter().any(|name| name == CLASSIC);
    let wanted = move |group: &Listed| {
        right_type && (states.is_empty() || states.iter().any(|name| *name == group.state.to_lowercase()))
    };
    let write = move |answers: Vec<Answer>, call: &Call, out: &mut Writer, _: &mut Context<'_>| {
        write(answers, &wanted, call.version, out);
    };
    Ok(GroupWork::ask_all(write, cx))
}

/// Kafka takes names in any case.
fn read_filter(reader: &mut Reader<'_>) -> Result<Vec<String>, Malformed> {
    (0..reader.array_len()?).map(|_| Ok(reader.string()?.to_lowercase())).collect()
}

fn write(answers: Vec<Answer>, wanted: &impl Fn(&Listed) -> bool, version: i16, out: &mut Writer) {
    let mut error = ErrorCode::NONE;
    let mut groups = Vec::new();
    for answer in answers {
        let Answer::List(outcome) = answer else { unreachable!("groups were asked for") };
        match outcome {
            Ok(found) => groups.extend(found),
            Err(found) => error = found,
        }
    }
    groups.retain(|group| wanted(group));
    groups.sort_unstable_by(|a, b| a.group.cmp(&b.group));
    if version >= 1 {
        out.i32(0);
    }
    out.i16(error.value());
    out.array_len(groups.len());
    for group in &groups {
        out.string(&group.group);
        out.string(&group.protocol_type);
        if version >= 4 {
            out.string(group.state);
        }
        if version >= 5 {
            out.string(CLASSIC);
        }
        out.no_tagged_fields();
    }
    out.no_tagged_fields();
}
