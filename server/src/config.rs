//! What the server is started with: Kafka's properties, from a file, from flags, from `--set`.

pub mod file;
pub mod property;
pub mod table;
pub mod topic;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use tora_engine::Config as EngineConfig;
use tora_engine::config::ranges;

use crate::coordinator::Settings as GroupSettings;
use crate::limits;
use property::Property;

/// Everything that can be set, with its value.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `listeners`: where connections are accepted.
    pub listen: HostPort,
    /// `advertised.listeners`: what clients are told to connect to.
    pub advertised: Option<HostPort>,
    /// `node.id`.
    pub node_id: i32,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `queued.max.request.bytes`.
    pub queued_request_bytes: usize,
    /// `max.connections`.
    pub connections_max: u32,
    /// `connections.max.idle.ms`.
    pub idle_ms: u64,
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: usize,
    /// `offsets.topic.num.partitions`.
    pub offsets_partitions: i32,
    /// `offsets.topic.segment.bytes`.
    pub offsets_segment_bytes: u64,
    /// How groups are kept.
    pub groups: GroupSettings,
    /// `log.retention.ms`, `.minutes` and `.hours`; a negative number means for ever.
    pub retention: Span,
    /// `log.roll.ms` and `.hours`.
    pub roll: Span,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions_max: usize,
    /// The engine's.
    pub engine: EngineConfig,
    /// What was set, by the property's name; of several names for one thing by the first.
    given: BTreeMap<&'static str, String>,
}

/// A length of time that several properties set: the finest one that is given counts, as in Kafka.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// In milliseconds, if it is given so.
    pub ms: Option<i64>,
    /// In minutes, if it is given so.
    pub minutes: Option<i64>,
    /// In hours.
    pub hours: i64,
}

impl Span {
    const fn of_hours(hours: i64) -> Self {
        Self { ms: None, minutes: None, hours }
    }

    /// In milliseconds.
    #[must_use]
    pub fn millis(&self) -> i64 {
        let minutes = || self.minutes.unwrap_or_else(|| self.hours.saturating_mul(60));
        self.ms.unwrap_or_else(|| minutes().saturating_mul(60_000))
    }
}

/// How long Kafka keeps records, and appends to a segment, where nothing else is said.
const WEEK_HOURS: i64 = 7 * 24;

impl Default for Settings {
    fn default() -> Self {
        let mut engine = EngineConfig::new("./tora-data");
        engine.pin = true;
        engine.return_memory = true;
        // Fetches of several megabytes, each with as much read ahead: with 32 MiB four consumers of a core were a tenth slower.
        engine.cold_read_bytes = 128 << 20;
        engine.shards = 0;
        Self {
            listen: HostPort { host: "127.0.0.1".to_owned(), port: 9092 },
            advertised: None,
            node_id: 1,
            auto_create_topics: true,
            request_bytes_max: limits::REQUEST_BYTES_MAX as usize,
            queued_request_bytes: usize::try_from(limits::QUEUED_REQUEST_BYTES_MAX).expect("64 bits"),
            connections_max: limits::CONNECTIONS_MAX,
            idle_ms: limits::IDLE_MS,
            fetch_bytes_max: limits::FETCH_BYTES_MAX as usize,
            offsets_partitions: limits::OFFSETS_PARTITIONS,
            offsets_segment_bytes: limits::OFFSETS_SEGMENT_BYTES,
            groups: group_defaults(),
            retention: Span::of_hours(WEEK_HOURS),
            roll: Span::of_hours(WEEK_HOURS),
            fetch_sessions_max: limits::FETCH_SESSIONS_MAX,
            engine,
            given: BTreeMap::new(),
        }
    }
}

/// Kafka's defaults.
fn group_defaults() -> GroupSettings {
    GroupSettings {
        session_min_ms: 6_000,
        session_max_ms: 1_800_000,
        initial_delay_ms: 3_000,
        group_size_max: i32::MAX as usize,
        retention_ms: 7 * 24 * 60 * 60_000,
        check_interval_ms: 600_000,
        metadata_bytes_max: 4_096,
        batch_bytes_max: usize::MAX,
        compact_bytes: limits::OFFSETS_COMPACT_BYTES,
    }
}

impl Settings {
    /// Sets one property. `place` says where it was written, for the error.
    ///
    /// # Errors
    /// An unknown name, with the nearest known one, or a value that does not do.
    pub fn set(&mut self, name: &str, value: &str, place: &str) -> Result<(), ConfigError> {
        let property = table::find(name).ok_or_else(|| ConfigError(unknown(name, place)))?;
        (property.apply)(self, value.trim())
            .map_err(|wanted| ConfigError(format!("{place}: {name}={value} cannot be used: {wanted}")))?;
        self.given.insert(property.same_as.unwrap_or(property.name), value.trim().to_owned());
        Ok(())
    }

    /// What was set for a property, under whichever of its names; `None` where its default holds.
    #[must_use]
    pub fn given(&self, property: &Property) -> Option<&str> {
        self.given.get(property.same_as.unwrap_or(property.name)).map(String::as_str)
    }

    /// Checks what only shows when everything is known.
    ///
    /// # Errors
    /// A combination that does not do, with what would.
    pub fn check(&mut self) -> Result<(), ConfigError> {
        if self.listen.is_wildcard() && self.advertised.is_none() {
            return Err(ConfigError(format!(
                "listening on {} accepts connections on every address, but clients need one to come back to: \
                 add advertised.listeners=PLAINTEXT://HOST:{} with a host name or address that they can reach",
                self.listen, self.listen.port
            )));
        }
        if self.advertised.as_ref().is_some_and(HostPort::is_wildcard) {
            return Err(ConfigError(
                "advertised.listeners must name a host that clients can reach, not a wildcard address"
                    .to_owned(),
            ));
        }
        self.engine.retention_ms = self.retention.millis().max(-1);
        self.engine.segment_ms = self.roll.millis();
        if self.engine.shards == 0 {
            let most = u16::try_from(*ranges::SHARDS.end()).expect("it is a range of a u16's numbers");
            self.engine.shards = std::thread::available_parallelism()
                .map_or(1, |cores| u16::try_from(cores.get()).unwrap_or(most).min(most));
        }
        if self.queued_request_bytes < self.request_bytes_max {
            return Err(ConfigError(format!(
                "queued.max.request.bytes={} is less than one request of socket.request.max.bytes={}: raise the one \
                 or lower the other",
                self.queued_request_bytes, self.request_bytes_max
            )));
        }
        Ok(())
    }
}

/// A setting that cannot be used; the text says what would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

fn unknown(name: &str, place: &str) -> String {
    let distance = |known: &str| strsim::damerau_levenshtein(name, known);
    let nearest = table::PROPERTIES.iter().map(|property| property.name).min_by_key(|known| distance(known));
    // What has nothing in common with it would only mislead.
    match nearest.filter(|nearest| distance(nearest) <= name.len() / 3) {
        Some(nearest) => format!(
            "{place}: unknown property {name}; did you mean {nearest}? (`tora properties` lists all of them)"
        ),
        None => format!("{place}: unknown property {name} (`tora properties` lists all there are)"),
    }
}

/// A host name or address with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The host, without the brackets of an IPv6 address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Reads `HOST:PORT`, `[V6]:PORT` or Kafka's `PLAINTEXT://HOST:PORT`.
    ///
    /// # Errors
    /// What would do.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = || "use HOST:PORT, or PLAINTEXT://HOST:PORT as Kafka writes it".to_owned();
        let rest = match text.split_once("://") {
            None => text,
            Some(("PLAINTEXT", rest)) => rest,
            Some((other, _)) => {
                return Err(format!("the protocol {other} is not served, only PLAINTEXT is"));
            }
        };
        let (host, port) = rest.rsplit_once(':').ok_or_else(wanted)?;
        let port = port.parse().map_err(|_| wanted())?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        // Kafka: an empty host means every address.
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        Ok(Self { host: host.to_owned(), port })
    }

    /// Whether it stands for every address of the machine.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "0.0.0.0" | "::")
    }

    /// The address to listen on.
    ///
    /// # Errors
    /// A name that no address is known for.
    pub fn resolve(&self) -> std::io::Result<SocketAddr> {
        #[expect(clippy::disallowed_methods, reason = "before any shard runs")]
        let mut addresses = std::net::ToSocketAddrs::to_socket_addrs(&(self.host.as_str(), self.port))?;
        addresses.next().ok_or_else(|| std::io::Error::other("no address is known for that name"))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests;
