//! AlterConfigs (33): sets all settings of topics anew; what is not named goes back to its default.
//!
//! Versions 0–2. Each topic has its own outcome, and is answered when its settings are durable and in effect on every core.
//! Broker properties are set when it starts, so altering them is refused with INVALID_REQUEST, as is any resource but a
//! topic, and one that is named twice.

use tora_engine::catalog::SettingsEdit;
use tora_engine::request::{Reply, Request};

use super::describe_configs::{BROKER, TOPIC, find_topic, not_served};
use super::{Call, Context, Work};
use crate::coordinator::is_internal;
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (0, 2);

type Fault = (ErrorCode, String);

/// A resource whose settings are to be altered.
pub struct Resource {
    /// Its type.
    pub kind: i8,
    /// Its name.
    pub name: String,
    /// What becomes of its settings, or why that cannot be.
    pub edit: Result<SettingsEdit, Fault>,
}

struct Altered {
    kind: i8,
    name: String,
    outcome: Option<Result<(), Fault>>,
}

/// The work of this API and of IncrementalAlterConfigs, whose responses are the same.
pub struct Alteration {
    resources: Vec<Altered>,
    missing: usize,
}

/// Starts it.
pub fn start(reader: &mut Reader<'_>, _: &Call, cx: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut resources = Vec::new();
    for _ in 0..reader.array_len()? {
        let kind = reader.i8()?;
        let name = reader.string()?.to_owned();
        let (mut pairs, mut without_value) = (Vec::new(), None);
        for _ in 0..reader.array_len()? {
            let setting = reader.string()?.to_owned();
            match reader.nullable_string()? {
                Some(value) => pairs.push((setting, value.to_owned())),
                None => without_value = Some(setting),
            }
            reader.skip_tagged_fields()?;
        }
        reader.skip_tagged_fields()?;
        let edit = match without_value {
            None => Ok(SettingsEdit::Replace(pairs)),
            Some(setting) => {
                let why = format!("{setting} has no value; leave it out to have its default");
                Err((ErrorCode::INVALID_REQUEST, why))
            }
        };
        resources.push(Resource { kind, name, edit });
    }
    let validate_only = reader.bool()?;
    reader.skip_tagged_fields()?;
    Ok(Box::new(Alteration::begin(resources, validate_only, cx)))
}

impl Alteration {
    /// Asks the engine for all changes, side by side.
    pub fn begin(resources: Vec<Resource>, validate_only: bool, cx: &mut Context<'_>) -> Self {
        let mut work = Self { resources: Vec::new(), missing: 0 };
        let names: Vec<(i8, String)> =
            resources.iter().map(|resource| (resource.kind, resource.name.clone())).collect();
        let mut sorted: Vec<_> = names.iter().collect();
        sorted.sort_unstable();
        let twice = |wanted: &(i8, String)| {
            let after = sorted.partition_point(|other| *other <= wanted);
            after >= 2 && sorted[after - 2] == wanted
        };
        for (at, resource) in resources.into_iter().enumerate() {
            let Resource { kind, name, edit } = resource;
            let outcome = if twice(&names[at]) {
                let why = "the request names this resource more than once".to_owned();
                Some(Err((ErrorCode::INVALID_REQUEST, why)))
            } else {
                match topic_id(kind, &name, cx).and_then(|id| edit.map(|edit| (id, edit))) {
                    Err(fault) => Some(Err(fault)),
                    Ok((id, edit)) => {
                        work.missing += 1;
                        cx.ask(at, Request::AlterTopic { id, edit, validate_only });
                        None
                    }
                }
            };
            work.resources.push(Altered { kind, name, outcome });
        }
        work
    }
}

fn topic_id(kind: i8, name: &str, cx: &Context<'_>) -> Result<tora_engine::types::TopicId, Fault> {
    match kind {
        TOPIC if is_internal(name) => {
            let why = format!("{name} is the broker's own, and keeps its settings");
            Err((ErrorCode::INVALID_TOPIC_EXCEPTION, why))
        }
        TOPIC => find_topic(name, cx).map(|topic| topic.id),
        BROKER => {
            let why = "a broker's properties are set when it starts (--config, --set) and cannot be altered \
                       while it runs";
            Err((ErrorCode::INVALID_REQUEST, why.to_owned()))
        }
        other => Err(not_served(other)),
    }
}

impl Work for Alteration {
    fn on_reply(&mut self, part: u32, reply: Reply, _: &mut Context<'_>) {
        let Reply::AlterTopic(outcome) = reply else { unreachable!("topics were altered") };
        let outcome = outcome.map_err(|error| (ErrorCode::of(&error), error.to_string()));
        self.resources[part as usize].outcome = Some(outcome);
        self.missing -= 1;
    }

    fn is_done(&self) -> bool {
        self.missing == 0
    }

    fn write(&mut self, _: &Call, out: &mut Writer, _: &mut Context<'_>) {
        out.i32(0);
        out.array_len(self.resources.len());
        for resource in &self.resources {
            let fault = resource.outcome.as_ref().expect("it is written when it is done").as_ref().err();
            out.i16(fault.map_or(ErrorCode::NONE, |fault| fault.0).value());
            out.nullable_string(fault.map(|fault| fault.1.as_str()));
            out.i8(resource.kind);
            out.string(&resource.name);
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }
}
