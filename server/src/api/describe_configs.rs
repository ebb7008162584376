//! DescribeConfigs (32): the settings in effect of topics and of this broker, each with where its value comes from.
//!
//! Versions 1–4. 3 adds the type and, where asked for, the documentation. A broker's properties are read only: they are
//! set when it starts. The broker with the empty name stands for what would be set for all brokers while they run, of
//! which there is nothing. Other resources (loggers, client metrics, groups) are refused with INVALID_REQUEST.

use std::sync::Arc;

use tora_engine::catalog::{Topic, TopicName};

use super::{Call, Context, Immediate, Work};
use crate::config::property::Kind;
use crate::config::table::PROPERTIES;
use crate::config::topic::{Source, TOPIC_SETTINGS};
use crate::error_code::ErrorCode;
use crate::wire::{Malformed, Reader, Writer};

/// Versions served.
pub const VERSIONS: (i16, i16) = (1, 4);

/// Resource types (Kafka's `ConfigResource.Type`).
pub const TOPIC: i8 = 2;
/// See [`TOPIC`].
pub const BROKER: i8 = 4;

struct Wanted {
    kind: i8,
    name: String,
    /// `None` for all.
    names: Option<Vec<String>>,
}

/// One setting, as it is told.
struct Described {
    name: &'static str,
    value: String,
    kind: Kind,
    doc: &'static str,
    read_only: bool,
    /// Where values come from, the one in effect first: a name, a value and its source.
    synonyms: Vec<(&'static str, String, Source)>,
}

type Outcome = Result<Vec<Described>, (ErrorCode, String)>;

/// Starts it.
pub fn start(reader: &mut Reader<'_>, call: &Call, _: &mut Context<'_>) -> Result<Box<dyn Work>, Malformed> {
    let mut wanted = Vec::new();
    for _ in 0..reader.array_len()? {
        let kind = reader.i8()?;
        let name = reader.string()?.to_owned();
        let count = reader.nullable_array_len()?;
        let mut names = Vec::new();
        for _ in 0..count.unwrap_or(0) {
            names.push(reader.string()?.to_owned());
        }
        reader.skip_tagged_fields()?;
        // An empty list stands for all, too: that is how older clients ask for all.
        let names = (!names.is_empty()).then_some(names);
        wanted.push(Wanted { kind, name, names });
    }
    let synonyms = reader.bool()?;
    let documentation = if call.version >= 3 { reader.bool()? } else { false };
    reader.skip_tagged_fields()?;
    Ok(Box::new(Immediate(move |call: &Call, out: &mut Writer, cx: &mut Context<'_>| {
        out.i32(0);
        out.array_len(wanted.len());
        for wanted in &wanted {
            write_resource(call.version, wanted, (synonyms, documentation), out, cx);
        }
        out.no_tagged_fields();
    })))
}

fn describe(wanted: &Wanted, cx: &Context<'_>) -> Outcome {
    let mut described = match wanted.kind {
        TOPIC => {
            let topic = find_topic(&wanted.name, cx)?;
            topic_settings(topic, cx)
        }
        BROKER if wanted.name.is_empty() => Vec::new(),
        BROKER if wanted.name == cx.settings.node_id.to_string() => broker_properties(cx),
        BROKER => {
            let why = format!("there is no broker {}, only {}", wanted.name, cx.settings.node_id);
            return Err((ErrorCode::INVALID_REQUEST, why));
        }
        other => return Err(not_served(other)),
    };
    if let Some(names) = &wanted.names {
        described.retain(|setting| names.iter().any(|name| name == setting.name));
    }
    Ok(described)
}

/// The topic of this name, or why there is none.
///
/// # Errors
/// What a client is told.
pub fn find_topic<'a>(name: &str, cx: &'a Context<'_>) -> Result<&'a Arc<Topic>, (ErrorCode, String)> {
    if let Err(fault) = TopicName::parse(name) {
        return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, fault.to_string()));
    }
    let unknown = || (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no topic {name}"));
    cx.shard.catalog().topic_named(name).ok_or_else(unknown)
}

/// What is said of resources without settings.
#[must_use]
pub fn not_served(kind: i8) -> (ErrorCode, String) {
    let why = format!("resources of type {kind} have no settings here: topics (2) and brokers (4) do");
    (ErrorCode::INVALID_REQUEST, why)
}

fn topic_settings(topic: &Topic, cx: &Context<'_>) -> Vec<Described> {
    let defaults = cx.shard.catalog().defaults();
    let settings = TOPIC_SETTINGS.iter().map(|setting| {
        let mut synonyms = Vec::new();
        if let Some((_, value)) = topic.configs.iter().find(|(name, _)| name == setting.name) {
            synonyms.push((setting.name, value.clone(), Source::Topic));
        }
        let property = setting.broker_property();
        if let Some(property) = property
            && let Some(given) = cx.settings.given(property)
        {
            synonyms.push((property.name, given.to_owned(), Source::Broker));
        }
        let default = match property {
            Some(property) => (property.name, property.default.to_owned()),
            None => (setting.name, defaults.value(setting.name).unwrap_or_default()),
        };
        synonyms.push((default.0, default.1, Source::Default));
        Described {
            name: setting.name,
            value: topic.config.value(setting.name).unwrap_or_default(),
            kind: setting.kind,
            doc: setting.doc,
            read_only: false,
            synonyms,
        }
    });
    settings.collect()
}

fn broker_properties(cx: &Context<'_>) -> Vec<Described> {
    let properties = PROPERTIES.iter().map(|property| {
        let given = cx.settings.given(property);
        let mut synonyms = Vec::new();
        if let Some(given) = given {
            synonyms.push((property.name, given.to_owned(), Source::Broker));
        }
        synonyms.push((property.name, property.default.to_owned(), Source::Default));
        Described {
            name: property.name,
            value: given.unwrap_or(property.default).to_owned(),
            kind: property.kind,
            doc: property.doc,
            read_only: true,
            synonyms,
        }
    });
    properties.collect()
}

fn write_resource(
    version: i16,
    wanted: &Wanted,
    (synonyms, documentation): (bool, bool),
    out: &mut Writer,
    cx: &Context<'_>,
) {
    let outcome = describe(wanted, cx);
    let fault = outcome.as_ref().err();
    out.i16(fault.map_or(ErrorCode::NONE, |fault| fault.0).value());
    out.nullable_string(fault.map(|fault| fault.1.as_str()));
    out.i8(wanted.kind);
    out.string(&wanted.name);
    let described = outcome.unwrap_or_default();
    out.array_len(described.len());
    for setting in &described {
        out.string(setting.name);
        out.nullable_string(Some(&setting.value));
        out.bool(setting.read_only);
        out.i8(setting.synonyms[0].2.number());
        // Nothing here is a secret.
        out.bool(false);
        let told = if synonyms { &setting.synonyms[..] } else { &[] };
        out.array_len(told.len());
        for (name, value, source) in told {
            out.string(name);
            out.nullable_string(Some(value));
            out.i8(source.number());
            out.no_tagged_fields();
        }
        if version >= 3 {
            out.i8(setting.kind.number());
            out.nullable_string(documentation.then_some(setting.doc));
        }
        out.no_tagged_fields();
    }
    out.no_tagged_fields();
}
