//! FindCoordinator (10): which broker keeps a group. This one keeps all of them; group requests are not served yet.
//!
//! Versions 0–6. 1 adds the kind of key and an error text, 4 asks for several keys at once. Transactions (kind 1) are not
//! served, so nobody coordinates them.

use super::{Call, Context, Immediate, Work};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 6);

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, _: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut keys = Vec::new();
    let mut kind = 0;
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
    let fault = (kind != 0).then_some("only groups have a coordinator here: transactions are not served");
    Ok(Box::new(Immediate(move |call: &Call, out: &mut Writer, cx: &mut Context<'_>| {
        write(call.version, &keys, fault, out, cx);
    })))
}

fn write(version: i16, keys: &[String], fault: Option<&str>, out: &mut Writer, cx: &Context<'_>) {
    let error = if fault.is_some() { ErrorCode::INVALID_REQUEST } else { ErrorCode::NONE };
    let node_id = if fault.is_some() { -1 } else { cx.settings.node_id };
    let (host, port) =
        if fault.is_some() { ("", -1) } else { (cx.advertised.host.as_str(), cx.advertised.port.into()) };
    if version >= 1 {
        out.i32(0);
    }
    if version < 4 {
        out.i16(error.value());
        if version >= 1 {
            out.nullable_string(fault);
        }
        out.i32(node_id);
        out.string(host);
        out.i32(port);
    } else {
        out.array_len(keys.len());
        for key in keys {
            out.string(key);
            out.i32(node_id);
            out.string(host);
            out.i32(port);
            out.i16(error.value());
            out.nullable_string(fault);
            out.no_tagged_fields();
        }
    }
    out.no_tagged_fields();
}
