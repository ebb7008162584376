//! DescribeGroups (15): who is in a group, and what each has.
//!
//! Versions 0–6. 3 may ask for authorised operations (none are known here), 4 tells instances, 5 is the flexible
//! encoding. A group that does not exist is `Dead` and no error; from 6 on it is GROUP_ID_NOT_FOUND (KIP-1043).
//!
//! A group that is named more than once is told once: a short request could otherwise ask for gigabytes.

use std::collections::BTreeSet;

use super::group_work::{GroupWork, name};
use super::{Call, Context, Work};
use crate::coordinator::{Answer, Ask, Description, Name};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 6);

/// "Not known", for authorised operations.
const OPERATIONS_UNKNOWN: i32 = i32::MIN;

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut groups = Vec::new();
    let mut named = BTreeSet::new();
    for _ in 0..reader.array_len()? {
        let group = name(reader)?;
        if named.insert(Name::clone(&group)) {
            groups.push(group);
        }
    }
    if call.version >= 3 {
        reader.bool()?;
    }
    reader.skip_tagged_fields()?;
    let asks = groups.iter().map(|group| (Name::clone(group), Ask::Describe)).collect();
    let write = move |answers: Vec<Answer>, call: &Call, out: &mut Writer, _: &mut Context<'_>| {
        if call.version >= 1 {
            out.i32(0);
        }
        out.array_len(groups.len());
        for (group, answer) in groups.iter().zip(answers) {
            let Answer::Describe(outcome) = answer else { unreachable!("descriptions were asked for") };
            write_group(group, outcome, call.version, out);
        }
        out.no_tagged_fields();
    };
    Ok(GroupWork::ask(asks, write, cx))
}

fn write_group(group: &Name, outcome: Result<Description, ErrorCode>, version: i16, out: &mut Writer) {
    let unknown = matches!(outcome, Err(ErrorCode::GROUP_ID_NOT_FOUND));
    let error = match &outcome {
        Err(_) if unknown && version < 6 => ErrorCode::NONE,
        Err(error) => *error,
        Ok(_) => ErrorCode::NONE,
    };
    let described = outcome.unwrap_or_else(|_| Description {
        state: if unknown { "Dead" } else { "" },
        protocol_type: Name::from(""),
        protocol: Name::from(""),
        members: Vec::new(),
    });
    out.i16(error.value());
    if version >= 6 {
        let why = unknown.then(|| format!("Group {group} not found."));
        out.nullable_string(why.as_deref());
    }
    out.string(group);
    out.string(described.state);
    out.string(&described.protocol_type);
    out.string(&described.protocol);
    out.array_len(described.members.len());
    for member in &described.members {
        out.string(&member.id);
        if version >= 4 {
            out.nullable_string(member.instance.as_deref());
        }
        out.string(&member.client_id);
        out.string(&member.client_host);
        out.opaque(&member.metadata);
        out.opaque(&member.assignment);
        out.no_tagged_fields();
    }
    if version >= 3 {
        out.i32(OPERATIONS_UNKNOWN);
    }
    out.no_tagged_fields();
}
