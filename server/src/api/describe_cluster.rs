//! DescribeCluster (60): the one broker there is.
//!
//! Versions 0–2. 1 adds the kind of endpoints: brokers (1) are told, and controllers (2) refused with
//! UNSUPPORTED_ENDPOINT_TYPE, since this is a broker. 2 adds fenced brokers, of which there are none. Authorised operations
//! are not known here.

use super::{Call, Context, Immediate, Work};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 2);

/// "Not known", for authorised operations.
const OPERATIONS_UNKNOWN: i32 = i32::MIN;

const BROKERS: i8 = 1;

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, _: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    reader.bool()?;
    let endpoints = if call.version >= 1 { reader.i8()? } else { BROKERS };
    if call.version >= 2 {
        reader.bool()?;
    }
    reader.skip_tagged_fields()?;
    Ok(Box::new(Immediate(move |call: &Call, out: &mut Writer, cx: &mut Context<'_>| {
        write(call.version, endpoints, out, cx);
    })))
}

fn write(version: i16, endpoints: i8, out: &mut Writer, cx: &Context<'_>) {
    let served = endpoints == BROKERS;
    let error = if served { ErrorCode::NONE } else { ErrorCode::UNSUPPORTED_ENDPOINT_TYPE };
    out.i32(0);
    out.i16(error.value());
    out.nullable_string((!served).then_some("this is a broker: ask for brokers (endpoint type 1)"));
    if version >= 1 {
        out.i8(endpoints);
    }
    out.string(cx.shard.cluster_id());
    out.i32(cx.settings.node_id);
    out.array_len(usize::from(served));
    if served {
        out.i32(cx.settings.node_id);
        out.string(&cx.advertised.host);
        out.i32(cx.advertised.port.into());
        out.nullable_string(None);
        if version >= 2 {
            out.bool(false);
        }
        out.no_tagged_fields();
    }
    out.i32(OPERATIONS_UNKNOWN);
    out.no_tagged_fields();
}
