//! The properties: one table of names, defaults and meanings. Only what is honoured stands here.

use tora_engine::config::{FlushMethod, ranges};

use super::property::{Kind, Property};
use super::values::{int, number, signed, size, size_within, truth, within};
use super::{HostPort, Settings};

/// The property of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Property> {
    PROPERTIES.iter().find(|property| property.name == name)
}

/// All properties, by name.
pub const PROPERTIES: &[Property] = &[
    Property {
        name: "advertised.listeners",
        same_as: None,
        kind: Kind::Text,
        default: "",
        doc: "What clients are told to connect to: PLAINTEXT://HOST:PORT. By default the address listened on.",
        apply: |settings, value| HostPort::parse(value).map(|address| settings.advertised = Some(address)),
    },
    Property {
        name: "auto.create.topics.enable",
        same_as: None,
        kind: Kind::Truth,
        default: "true",
        doc: "Whether asking for the metadata of an unknown topic creates it, where the client allows that.",
        apply: |settings, value| truth(value).map(|value| settings.auto_create_topics = value),
    },
    Property {
        name: "broker.id",
        same_as: Some("node.id"),
        kind: Kind::Count,
        default: "1",
        doc: "The older name of node.id.",
        apply: node_id,
    },
    Property {
        name: "connections.max.idle.ms",
        same_as: None,
        kind: Kind::Milliseconds,
        default: "600000",
        doc: "A connection that makes no progress for so long is closed.",
        apply: |settings, value| number(value, 1, 86_400_000_000).map(|value| settings.idle_ms = value),
    },
    Property {
        name: "default.replication.factor",
        same_as: None,
        kind: Kind::Count,
        default: "1",
        doc: "Copies of a topic that is created without saying how many. There is one broker, so 1.",
        apply: |_, value| if value == "1" { Ok(()) } else { Err("use 1: there is one broker".to_owned()) },
    },
    Property {
        name: "fetch.max.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "8388608",
        doc: "Bytes of records in one Fetch response at most, whatever the client asks for.",
        apply: |settings, value| {
            number(value, 1024, 1 << 30).map(|value| settings.fetch_bytes_max = size(value))
        },
    },
    Property {
        name: "flush.messages",
        same_as: None,
        kind: Kind::Count,
        default: "1",
        doc: "1: an acknowledged record is on the disk. More: acknowledged when the device has accepted it, flushed \
              behind. (log.flush.interval.messages is the same.)",
        apply: flush_messages,
    },
    Property {
        name: "group.initial.rebalance.delay.ms",
        same_as: None,
        kind: Kind::Milliseconds,
        default: "3000",
        doc: "How long an empty group waits for more members before it assigns for the first time.",
        apply: |settings, value| {
            number(value, 0, 3_600_000).map(|value| settings.groups.initial_delay_ms = value)
        },
    },
    Property {
        name: "group.max.session.timeout.ms",
        same_as: None,
        kind: Kind::Milliseconds,
        default: "1800000",
        doc: "The longest session.timeout.ms of a group's member.",
        apply: |settings, value| {
            number(value, 1, i32::MAX as u64).map(|value| settings.groups.session_max_ms = int(value))
        },
    },
    Property {
        name: "group.max.size",
        same_as: None,
        kind: Kind::Count,
        default: "2147483647",
        doc: "Members of one group at most.",
        apply: |settings, value| {
            number(value, 1, i32::MAX as u64).map(|value| settings.groups.group_size_max = size(value))
        },
    },
    Property {
        name: "group.min.session.timeout.ms",
        same_as: None,
        kind: Kind::Milliseconds,
        default: "6000",
        doc: "The shortest session.timeout.ms of a group's member.",
        apply: |settings, value| {
            number(value, 1, i32::MAX as u64).map(|value| settings.groups.session_min_ms = int(value))
        },
    },
    Property {
        name: "listeners",
        same_as: None,
        kind: Kind::Text,
        default: "PLAINTEXT://127.0.0.1:9092",
        doc: "Where connections are accepted; port 0 takes a free one.",
        apply: |settings, value| HostPort::parse(value).map(|address| settings.listen = address),
    },
    Property {
        name: "log.dir",
        same_as: Some("log.dirs"),
        kind: Kind::Text,
        default: "./tora-data",
        doc: "The same as log.dirs.",
        apply: data_dir,
    },
    Property {
        name: "log.dirs",
        same_as: None,
        kind: Kind::Text,
        default: "./tora-data",
        doc: "The data folder; created if missing. One folder.",
        apply: data_dir,
    },
    Property {
        name: "log.flush.interval.messages",
        same_as: Some("flush.messages"),
        kind: Kind::Count,
        default: "1",
        doc: "Kafka's broker-wide name of flush.messages.",
        apply: flush_messages,
    },
    Property {
        name: "log.flush.interval.ms",
        same_as: None,
        kind: Kind::Milliseconds,
        default: "",
        doc: "How long something stays unflushed at most where flush.messages is not 1. By default until as much is \
              unflushed as may be; topics may set flush.ms.",
        apply: |settings, value| {
            within(value, &ranges::FLUSH_MS).map(|value| settings.engine.flush_ms = value.unsigned_abs())
        },
    },
    Property {
        name: "log.retention.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "-1",
        doc: "Bytes of each partition that are kept: the oldest segments are deleted while no less is left; -1 keeps all. \
              Topics may set retention.bytes.",
        apply: |settings, value| {
            within(value, &ranges::RETENTION).map(|value| settings.engine.retention_bytes = value)
        },
    },
    Property {
        name: "log.retention.check.interval.ms",
        same_as: None,
        kind: Kind::Milliseconds,
        default: "300000",
        doc: "How often it is looked what is to be deleted.",
        apply: |settings, value| {
            within(value, &ranges::RETENTION_CHECK_MS)
                .map(|value| settings.engine.retention_check_ms = value.unsigned_abs())
        },
    },
    Property {
        name: "log.retention.hours",
        same_as: None,
        kind: Kind::Hours,
        default: "168",
        doc: "For how long records are kept: a segment is deleted once its latest one is older; negative keeps them for \
              ever. Topics may set retention.ms.",
        apply: |settings, value| {
            signed(value, i32::MIN.into(), i32::MAX.into()).map(|value| settings.retention.hours = value)
        },
    },
    Property {
        name: "log.retention.minutes",
        same_as: None,
        kind: Kind::Minutes,
        default: "",
        doc: "The same in minutes; goes before log.retention.hours.",
        apply: |settings, value| {
            signed(value, i32::MIN.into(), i32::MAX.into())
                .map(|value| settings.retention.minutes = Some(value))
        },
    },
    Property {
        name: "log.retention.ms",
        same_as: None,
        kind: Kind::Milliseconds,
        default: "",
        doc: "The same in milliseconds; goes before log.retention.minutes.",
        apply: |settings, value| {
            within(value, &ranges::RETENTION).map(|value| settings.retention.ms = Some(value))
        },
    },
    Property {
        name: "log.roll.hours",
        same_as: None,
        kind: Kind::Hours,
        default: "168",
        doc: "A batch so much later than its segment's first one begins the next segment. Topics may set segment.ms.",
        apply: |settings, value| signed(value, 1, i32::MAX.into()).map(|value| settings.roll.hours = value),
    },
    Property {
        name: "log.roll.ms",
        same_as: None,
        kind: Kind::Milliseconds,
        default: "",
        doc: "The same in milliseconds; goes before log.roll.hours.",
        apply: |settings, value| {
            within(value, &ranges::SEGMENT_MS).map(|value| settings.roll.ms = Some(value))
        },
    },
    Property {
        name: "log.segment.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "1073741824",
        doc: "A segment's size; topics may set segment.bytes. One ends at 4 GiB, whatever is set.",
        apply: |settings, value| {
            within(value, &ranges::SEGMENT_BYTES)
                .map(|value| settings.engine.segment_bytes = value.unsigned_abs())
        },
    },
    Property {
        name: "max.connections",
        same_as: None,
        kind: Kind::Count,
        default: "10000",
        doc: "Connections at a time; one more is closed at once.",
        apply: |settings, value| {
            number(value, 1, 1 << 20)
                .map(|value| settings.connections_max = u32::try_from(value).unwrap_or(u32::MAX))
        },
    },
    Property {
        name: "max.incremental.fetch.session.cache.slots",
        same_as: None,
        kind: Kind::Count,
        default: "1000",
        doc: "Fetch sessions at a time, shared evenly among the cores; 0 for none. A consumer without one sends and is \
              told every partition with each fetch.",
        apply: |settings, value| {
            number(value, 0, 1 << 20).map(|value| settings.fetch_sessions_max = size(value))
        },
    },
    Property {
        name: "message.max.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "1048588",
        doc: "The largest record batch; topics may set max.message.bytes.",
        apply: |settings, value| {
            size_within(value, &ranges::MAX_MESSAGE_BYTES)
                .map(|value| settings.engine.max_message_bytes = value)
        },
    },
    Property {
        name: "node.id",
        same_as: None,
        kind: Kind::Count,
        default: "1",
        doc: "This broker's number in what clients are told.",
        apply: node_id,
    },
    Property {
        name: "num.partitions",
        same_as: None,
        kind: Kind::Count,
        default: "1",
        doc: "Partitions of a topic that is created without saying how many.",
        apply: |settings, value| {
            within(value, &ranges::NUM_PARTITIONS)
                .map(|value| settings.engine.num_partitions = int(value.unsigned_abs()))
        },
    },
    Property {
        name: "offset.metadata.max.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "4096",
        doc: "What a client may keep with a committed offset.",
        apply: |settings, value| {
            number(value, 0, 32_000).map(|value| settings.groups.metadata_bytes_max = size(value))
        },
    },
    Property {
        name: "offsets.retention.check.interval.ms",
        same_as: None,
        kind: Kind::Milliseconds,
        default: "600000",
        doc: "How often expired offsets are looked for.",
        apply: |settings, value| {
            number(value, 1, 86_400_000).map(|value| settings.groups.check_interval_ms = value)
        },
    },
    Property {
        name: "offsets.retention.minutes",
        same_as: None,
        kind: Kind::Minutes,
        default: "10080",
        doc: "Offsets of a group without members are kept for so long after the last one left.",
        apply: |settings, value| {
            number(value, 1, i32::MAX as u64)
                .map(|value| settings.groups.retention_ms = i64::from(int(value)) * 60_000)
        },
    },
    Property {
        name: "offsets.topic.num.partitions",
        same_as: None,
        kind: Kind::Count,
        default: "50",
        doc: "Partitions of __consumer_offsets, when it is first made; each group belongs to one, and with it to a core.",
        apply: |settings, value| {
            number(value, 1, 100_000).map(|value| settings.offsets_partitions = int(value))
        },
    },
    Property {
        name: "offsets.topic.replication.factor",
        same_as: None,
        kind: Kind::Count,
        default: "1",
        doc: "Copies of __consumer_offsets. There is one broker, so 1.",
        apply: |_, value| if value == "1" { Ok(()) } else { Err("use 1: there is one broker".to_owned()) },
    },
    Property {
        name: "offsets.topic.segment.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "16777216",
        doc: "The size of a segment of __consumer_offsets, when it is first made.",
        apply: |settings, value| {
            number(value, 1 << 20, i32::MAX as u64).map(|value| settings.offsets_segment_bytes = value)
        },
    },
    Property {
        name: "producer.id.expiration.ms",
        same_as: None,
        kind: Kind::Milliseconds,
        default: "86400000",
        doc: "An idempotent producer is remembered for so long after its last batch.",
        apply: |settings, value| {
            within(value, &ranges::PRODUCER_EXPIRATION_MS)
                .map(|value| settings.engine.producer_expiration_ms = value)
        },
    },
    Property {
        name: "queued.max.request.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "134217728",
        doc: "Bytes of large requests in memory at a time; sockets are not read past it.",
        apply: |settings, value| {
            number(value, 1 << 20, 1 << 40).map(|value| settings.queued_request_bytes = size(value))
        },
    },
    Property {
        name: "socket.request.max.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "104857600",
        doc: "The largest request; a connection that announces a longer one is closed.",
        apply: |settings, value| {
            number(value, 1024, 1 << 30).map(|value| settings.request_bytes_max = size(value))
        },
    },
    Property {
        name: "tora.buffer.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "12582912",
        doc: "Registered memory of each core: log tails and reads from the disk. Rounded down to chunks of 256 KiB.",
        apply: |settings, value| {
            number(value, 1 << 20, 1 << 36).map(|value| settings.engine.buffer_bytes = size(value))
        },
    },
    Property {
        name: "tora.cores",
        same_as: None,
        kind: Kind::Count,
        default: "",
        doc: "Cores to use, each with a thread and a ring. By default all that the process may use.",
        apply: |settings, value| {
            let number = within(value, &ranges::SHARDS)?;
            settings.engine.shards = u16::try_from(number).expect("it was bounded to 1024");
            Ok(())
        },
    },
    Property {
        name: "tora.flush.method",
        same_as: None,
        kind: Kind::Text,
        default: "auto",
        doc: "How a small group of records is made durable: flush (a write, then fdatasync), durable-write (one write with \
              RWF_DSYNC), or auto: durable writes into the journal, and into a log's own file on devices that have no \
              volatile cache or have FUA.",
        apply: |settings, value| {
            settings.engine.flush_method = match value {
                "auto" => FlushMethod::Auto,
                "flush" => FlushMethod::Flush,
                "durable-write" => FlushMethod::DurableWrite,
                _ => return Err("use auto, flush or durable-write".to_owned()),
            };
            Ok(())
        },
    },
    Property {
        name: "tora.journal.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "67108864",
        doc: "How large each core's journal may grow, where small groups of records of all its partitions become durable \
              together before their logs have them. 0: each partition writes and flushes for itself.",
        apply: |settings, value| {
            let bytes = if value == "0" { Ok(0) } else { within(value, &ranges::JOURNAL_BYTES) };
            bytes
                .map(|bytes| settings.engine.journal_bytes = bytes.unsigned_abs())
                .map_err(|would_do| would_do + ", or 0")
        },
    },
    Property {
        name: "tora.offsets.compact.bytes",
        same_as: None,
        kind: Kind::Bytes,
        default: "67108864",
        doc: "Bytes by which a partition of __consumer_offsets grows before what is still true is written again and the rest given up.",
        apply: |settings, value| {
            number(value, 1 << 10, 1 << 40).map(|value| settings.groups.compact_bytes = value)
        },
    },
    Property {
        name: "tora.pin",
        same_as: None,
        kind: Kind::Truth,
        default: "true",
        doc: "Whether each core's thread is tied to it.",
        apply: |settings, value| truth(value).map(|value| settings.engine.pin = value),
    },
];

fn flush_messages(settings: &mut Settings, value: &str) -> Result<(), String> {
    within(value, &ranges::FLUSH_MESSAGES).map(|value| settings.engine.flush_messages = value.unsigned_abs())
}

fn node_id(settings: &mut Settings, value: &str) -> Result<(), String> {
    let number = number(value, 0, i32::MAX as u64)?;
    settings.node_id = i32::try_from(number).expect("it was bounded to an i32's");
    Ok(())
}

fn data_dir(settings: &mut Settings, value: &str) -> Result<(), String> {
    if value.is_empty() || value.contains(',') {
        return Err("name one folder; several are not served".to_owned());
    }
    settings.engine.data_dir = value.into();
    Ok(())
}
