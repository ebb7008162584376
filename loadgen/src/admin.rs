//! The blocking client for what surrounds a run: versions, the topic, its leaders and ends, producer ids.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::codec::admin::{self, ProducerIdentity};
use crate::codec::error;
use crate::codec::versions::{Api, Served};
use crate::codec::wire::{DecodeError, Reader};
use crate::placement::Leadership;

/// How long to wait for the broker to answer, or for a new topic's leaders.
/// A topic of ten thousand partitions takes some brokers most of a minute.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause before a partition is asked again whose leader is being settled.
const SETTLING: Duration = Duration::from_millis(20);
/// Kafka's controller takes 10,000 records in one operation, of which a topic with its configs needs some.
const PARTITIONS_AT_ONCE: i32 = 5000;
/// The longest response that is believed.
const RESPONSE_BYTES_MAX: usize = 64 << 20;

/// A connection for one request at a time.
#[derive(Debug)]
pub struct Admin {
    stream: TcpStream,
    served: Served,
    correlation: i32,
    address: String,
}

impl Admin {
    /// Connects to `address` (`HOST:PORT`) and asks for the broker's versions.
    pub fn connect(address: &str) -> Result<Self, String> {
        let socket = resolve(address)?;
        let connect = || -> io::Result<TcpStream> {
            let stream = TcpStream::connect_timeout(&socket, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connect().map_err(|e| format!("cannot connect to the broker at {address}: {e}"))?;
        let mut admin =
            Self { stream, served: Served::default(), correlation: 0, address: address.to_owned() };
        let body = admin.call(Api::ApiVersions, false, &Served::request(0))?;
        let (code, served) = Served::decode(&body).map_err(|e| admin.nonsense(Api::ApiVersions, e))?;
        if code != 0 {
            return Err(format!("the broker at {address} refused ApiVersions: {}", error::name(code)));
        }
        admin.served = served;
        Ok(admin)
    }

    /// The versions that the broker serves.
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// Creates the run's topic, a large one in steps. A broker without CreateTopics (a bare one for measurements) is taken to have it.
    pub fn create_topic(
        &mut self,
        topic: &str,
        partitions: i32,
        configs: &[(String, String)],
    ) -> Result<(), String> {
        const API: Api = Api::CreateTopics;
        if !self.served.has(API) {
            return Ok(());
        }
        let first = partitions.min(PARTITIONS_AT_ONCE);
        let (body, version) = self.ask(API, |version, correlation| {
            admin::create_topic_request(version, correlation, topic, first, configs)
        })?;
        match admin::create_topic_response(&body, version).map_err(|e| self.nonsense(API, e))? {
            (0, _) => {}
            (code, message) => {
                return Err(format!(
                    "the broker would not create the topic {topic}: {} {message}",
                    error::name(code)
                ));
            }
        }
        let mut so_far = first;
        while so_far < partitions {
            so_far = partitions.min(so_far + PARTITIONS_AT_ONCE);
            self.grow_topic(topic, so_far)?;
        }
        if partitions > first { self.wait_for_partitions(topic, partitions) } else { Ok(()) }
    }

    /// Gives the topic more partitions, `count` in all.
    fn grow_topic(&mut self, topic: &str, count: i32) -> Result<(), String> {
        const API: Api = Api::CreatePartitions;
        let (body, version) = self.ask(API, |version, correlation| {
            admin::create_partitions_request(version, correlation, topic, count)
        })?;
        match admin::create_partitions_response(&body, version).map_err(|e| self.nonsense(API, e))? {
            (0, _) => Ok(()),
            (code, message) => {
                let name = error::name(code);
                Err(format!(
                    "the broker would not give the topic {topic} {count} partitions: {name} {message}"
                ))
            }
        }
    }

    /// Waits until Metadata shows all of a topic's partitions: brokers follow their controller a moment later.
    fn wait_for_partitions(&mut self, topic: &str, count: i32) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.leadership(topic)?.partitions();
            if shown >= usize::try_from(count).unwrap_or(0) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the topic {topic} shows {shown} of its {count} partitions"));
            }
            std::thread::sleep(SETTLING);
        }
    }

    /// Deletes the run's topic.
    pub fn delete_topic(&mut self, topic: &str) -> Result<(), String> {
        const API: Api = Api::DeleteTopics;
        if !self.served.has(API) {
            return Ok(());
        }
        let (body, version) =
            self.ask(API, |version, correlation| admin::delete_topic_request(version, correlation, topic))?;
        match admin::delete_topic_response(&body, version).map_err(|e| self.nonsense(API, e))? {
            0 => Ok(()),
            code => Err(format!("the broker would not delete the topic {topic}: {}", error::name(code))),
        }
    }

    /// Who leads each partition of the topic, once all have leaders.
    pub fn leadership(&mut self, topic: &str) -> Result<Leadership, String> {
        const API: Api = Api::Metadata;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (body, version) =
                self.ask(API, |version, correlation| admin::metadata_request(version, correlation, topic))?;
            let metadata = admin::metadata_response(&body, version).map_err(|e| self.nonsense(API, e))?;
            let worst = metadata.partitions.iter().map(|p| p.error).chain([metadata.error]).find(|&e| e != 0);
            match worst {
                None => return Leadership::new(&metadata),
                Some(code) if error::settling(code) && Instant::now() < deadline => {
                    std::thread::sleep(SETTLING);
                }
                Some(code) => {
                    return Err(format!("the topic {topic} did not become usable: {}", error::name(code)));
                }
            }
        }
    }

    /// The offset behind the last record of each partition. Must be asked of their leader; waits until that has taken
    /// the partitions on (Kafka's Metadata names a leader a moment before the leader itself knows).
    pub fn log_ends(&mut self, topic: &str, partitions: &[i32]) -> Result<Vec<admin::LogEnd>, String> {
        const API: Api = Api::ListOffsets;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (body, version) = self.ask(API, |version, correlation| {
                admin::list_offsets_request(version, correlation, topic, partitions)
            })?;
            let ends = admin::list_offsets_response(&body, version).map_err(|e| self.nonsense(API, e))?;
            if ends.len() != partitions.len() {
                return Err(format!(
                    "asked for the ends of {} partitions, got {}",
                    partitions.len(),
                    ends.len()
                ));
            }
            match ends.iter().find(|end| end.error != 0) {
                None => return Ok(ends),
                Some(end) if error::settling(end.error) && Instant::now() < deadline => {
                    std::thread::sleep(SETTLING);
                }
                Some(end) => {
                    let (partition, name) = (end.partition, error::name(end.error));
                    return Err(format!(
                        "the end of partition {partition} of {topic} is not to be had: {name}"
                    ));
                }
            }
        }
    }

    /// A new producer id.
    pub fn producer_identity(&mut self) -> Result<ProducerIdentity, String> {
        const API: Api = Api::InitProducerId;
        let deadline = Instant::now() + PATIENCE;
        // Kafka answers so while it is still loading its coordinator's state.
        const COORDINATOR_LOADING: [i16; 3] = [14, 15, 16];
        loop {
            let (body, version) = self.ask(API, admin::init_producer_id_request)?;
            match admin::init_producer_id_response(&body, version).map_err(|e| self.nonsense(API, e))? {
                (0, identity) => return Ok(identity),
                (code, _) if COORDINATOR_LOADING.contains(&code) && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                (code, _) => return Err(format!("the broker gave no producer id: {}", error::name(code))),
            }
        }
    }

    /// Makes one request at the agreed version; gives the response's body and that version.
    fn ask(&mut self, api: Api, request: impl FnOnce(i16, i32) -> Vec<u8>) -> Result<(Vec<u8>, i16), String> {
        let version = self.served.agree(api)?;
        self.correlation += 1;
        let frame = request(version, self.correlation);
        let body = self.call(api, api.flexible(version), &frame)?;
        Ok((body, version))
    }

    fn call(&mut self, api: Api, flexible: bool, frame: &[u8]) -> Result<Vec<u8>, String> {
        let response = self
            .exchange(frame)
            .map_err(|e| format!("the broker at {} did not answer {api:?}: {e}", self.address))?;
        let mut header = Reader::new(&response, flexible);
        let correlation = header.i32().and_then(|id| header.end().map(|()| id));
        let correlation = correlation.map_err(|e| self.nonsense(api, e))?;
        if correlation != self.correlation {
            return Err(format!(
                "the broker answered request {correlation} where {} was asked",
                self.correlation
            ));
        }
        Ok(response[header.position()..].to_vec())
    }

    fn exchange(&mut self, frame: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.write_all(frame)?;
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let size = u32::from_be_bytes(size) as usize;
        if size > RESPONSE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the response claims an absurd size"));
        }
        let mut response = vec![0; size];
        self.stream.read_exact(&mut response)?;
        Ok(response)
    }

    fn nonsense(&self, api: Api, error: DecodeError) -> String {
        format!("{api:?} at {}: {error}", self.address)
    }
}

/// The first address that a `HOST:PORT` stands for.
pub fn resolve(address: &str) -> Result<SocketAddr, String> {
    let problem =
        |why: String| format!("`{address}` is no broker address ({why}): give HOST:PORT, as localhost:9092");
    address
        .to_socket_addrs()
        .map_err(|e| problem(e.to_string()))?
        .next()
        .ok_or_else(|| problem("the name has no address".into()))
}
