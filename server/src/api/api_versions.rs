//! ApiVersions (18): what is served.
//!
//! Versions 0–4. The response header is never flexible. A version that is not served is answered with error 35 in a
//! body of version 0, which lists everything, key 18 included; clients choose from it and ask again. Version 4 only
//! changes what a minimum of 0 means to clients that fill in features, of which there are none.

use super::{APIS, Call, Context, Immediate, Work};
use crate::error_code::ErrorCode;
use crate::wire::{Encoding, Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 4);

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, _: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let served = (VERSIONS.0..=VERSIONS.1).contains(&call.version);
    if served && call.version >= 3 {
        reader.string()?;
        reader.string()?;
        reader.skip_tagged_fields()?;
    }
    Ok(Box::new(Immediate(move |call: &Call, out: &mut Writer, _: &mut Context<'_>| {
        if served {
            write(call.version, ErrorCode::NONE, out);
        } else {
            out.set_encoding(Encoding::Classic);
            write(0, ErrorCode::UNSUPPORTED_VERSION, out);
        }
    })))
}

fn write(version: i16, error: ErrorCode, out: &mut Writer) {
    out.i16(error.value());
    out.array_len(APIS.len());
    for api in APIS {
        out.i16(api.key);
        out.i16(api.min);
        out.i16(api.max);
        out.no_tagged_fields();
    }
    if version >= 1 {
        out.i32(0);
    }
    out.no_tagged_fields();
}
