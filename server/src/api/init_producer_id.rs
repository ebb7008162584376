//! InitProducerId (22): a producer id for an idempotent producer (KIP-98).
//!
//! Versions 0–5. From 3 on a producer may name the id and epoch it had; without transactions it gets a new id all the
//! same. A transactional id is refused with INVALID_REQUEST until transactions are served.

use tora_engine::error::Error;
use tora_engine::request::{Reply, Request};
use tora_engine::types::ProducerId;

use super::{Call, Context, Work};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 5);

struct InitProducerId {
    outcome: Option<Result<ProducerId, ErrorCode>>,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let transactional = reader.nullable_string()?.is_some();
    reader.i32()?;
    if call.version >= 3 {
        reader.i64()?;
        reader.i16()?;
    }
    reader.skip_tagged_fields()?;
    if transactional {
        return Ok(Box::new(InitProducerId { outcome: Some(Err(ErrorCode::INVALID_REQUEST)) }));
    }
    cx.ask(0, Request::NewProducerId);
    Ok(Box::new(InitProducerId { outcome: None }))
}

impl Work for InitProducerId {
    fn on_reply(&mut self, _: u32, reply: Reply, _: &mut Context<'_>) {
        let Reply::NewProducerId(outcome) = reply else { unreachable!("an id was asked for") };
        self.outcome = Some(outcome.map_err(|error: Error| ErrorCode::of(&error)));
    }

    fn is_done(&self) -> bool {
        self.outcome.is_some()
    }

    fn write(&mut self, _: &Call, out: &mut Writer, _: &mut Context<'_>) {
        let outcome = self.outcome.expect("it is written when it is done");
        out.i32(0);
        out.i16(outcome.err().unwrap_or(ErrorCode::NONE).value());
        out.i64(outcome.map_or(-1, ProducerId::value));
        out.i16(if outcome.is_ok() { 0 } else { -1 });
        out.no_tagged_fields();
    }
}
