//! One connection to one broker.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Buf;
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request};

use super::{Failure, check, text};

/// How long a broker may take to answer: longer than any request here asks it to wait.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How soon it is noticed that an answer is not wanted any more.
const STOP_POLL: Duration = Duration::from_millis(100);

/// The largest response that is taken: a corrupt length must not take all memory.
const RESPONSE_BYTES_MAX: usize = 1 << 30;

/// See the module.
pub struct Connection {
    address: String,
    stream: TcpStream,
    correlation_id: i32,
    /// The versions that the broker serves, by API.
    versions: BTreeMap<i16, (i16, i16)>,
}

impl Connection {
    /// Connects to HOST:PORT and asks what is served there.
    ///
    /// # Errors
    /// Nobody answers there, or not in this protocol.
    pub fn open(address: &str) -> Result<Self, Failure> {
        let stream = connect(address).map_err(|why| {
            format!("{address} cannot be reached: {why} (is a broker listening there? see --bootstrap)")
        })?;
        let prepared = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        prepared.map_err(|why| format!("{address}: {why}"))?;
        let mut connection =
            Self { address: address.to_owned(), stream, correlation_id: 0, versions: BTreeMap::new() };
        // Version 0 is served by every broker there is.
        let served = connection.call_at(0, &ApiVersionsRequest::default())?;
        check(served.error_code, None, address)?;
        let versions = served.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
        connection.versions = versions.collect();
        Ok(connection)
    }

    /// Sends a request in the highest version that both sides know, and waits for its response.
    ///
    /// # Errors
    /// The broker does not serve it, or does not answer.
    pub fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, Failure> {
        self.call_upto(i16::MAX, request)
    }

    /// The same in no higher version than `max`.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn call_upto<R: Request>(&mut self, max: i16, request: &R) -> Result<R::Response, Failure> {
        let version = self.version::<R>(max)?;
        self.call_at(version, request)
    }

    /// The same for what may be answered much later: `None` once `stop` is set. The connection is of no use then, since
    /// the answer is still to come.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn call_until<R: Request>(
        &mut self,
        request: &R,
        stop: &AtomicBool,
    ) -> Result<Option<R::Response>, Failure> {
        let version = self.version::<R>(i16::MAX)?;
        self.send(version, request)?;
        let patience = |stream: &TcpStream, patience| {
            stream.set_read_timeout(Some(patience)).map_err(|why| self.fault::<R>(&why))
        };
        patience(&self.stream, STOP_POLL)?;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            match self.stream.peek(&mut [0]) {
                Ok(_) => break,
                Err(why) if is_a_pause(why.kind()) => {}
                Err(why) => return Err(self.fault::<R>(&why)),
            }
        }
        patience(&self.stream, PATIENCE)?;
        self.receive::<R>(version).map(Some)
    }

    /// The highest version that both sides know, up to `max`.
    fn version<R: Request>(&self, max: i16) -> Result<i16, Failure> {
        let known = <R as Message>::VERSIONS;
        let served = self.versions.get(&R::KEY).copied();
        let version = served.map(|(_, highest)| highest.min(known.max).min(max));
        let version = version
            .filter(|version| *version >= known.min && served.is_some_and(|(lowest, _)| *version >= lowest));
        version.ok_or_else(|| format!("{} does not serve {}", self.address, api_name::<R>()))
    }

    fn call_at<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response, Failure> {
        self.send(version, request)?;
        self.receive::<R>(version)
    }

    fn send<R: Request>(&mut self, version: i16, request: &R) -> Result<(), Failure> {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(text("tora")));
        let mut frame = vec![0; 4];
        header.encode(&mut frame, R::header_version(version)).map_err(|why| self.fault::<R>(&why))?;
        request.encode(&mut frame, version).map_err(|why| self.fault::<R>(&why))?;
        let length =
            i32::try_from(frame.len() - 4).map_err(|_| self.fault::<R>(&"the request is too large"))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).map_err(|why| self.fault::<R>(&why))
    }

    fn receive<R: Request>(&mut self, version: i16) -> Result<R::Response, Failure> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(|why| self.unanswered::<R>(&why))?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > RESPONSE_BYTES_MAX {
            return Err(self.fault::<R>(&"what answers there does not speak the Kafka protocol"));
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).map_err(|why| self.unanswered::<R>(&why))?;
        let mut bytes = bytes::Bytes::from(bytes);
        let answered = bytes.try_get_i32().map_err(|why| self.fault::<R>(&why))?;
        if answered != self.correlation_id {
            return Err(self.fault::<R>(&"the answer is to another request"));
        }
        if R::Response::header_version(version) >= 1 {
            // No header has had a tagged field yet; an empty list is one byte.
            bytes.try_get_u8().map_err(|why| self.fault::<R>(&why))?;
        }
        R::Response::decode(&mut bytes, version).map_err(|why| self.fault::<R>(&why))
    }

    fn fault<R>(&self, why: &dyn std::fmt::Display) -> Failure {
        format!("{} of {}: {why}", api_name::<R>(), self.address)
    }

    fn unanswered<R>(&self, why: &std::io::Error) -> Failure {
        match why.kind() {
            ErrorKind::UnexpectedEof => {
                self.fault::<R>(&"the broker has closed the connection; did it stop?")
            }
            kind if is_a_pause(kind) => {
                let waited = PATIENCE.as_secs();
                self.fault::<R>(&format!("the broker has not answered within {waited} s"))
            }
            _ => self.fault::<R>(why),
        }
    }
}

/// Whether a read has merely waited long enough.
fn is_a_pause(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn connect(address: &str) -> Result<TcpStream, String> {
    let mut last = "the name has no address".to_owned();
    for address in address.to_socket_addrs().map_err(|why| why.to_string())? {
        match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(why) => last = why.to_string(),
        }
    }
    Err(last)
}

/// `DescribeGroups` from the request's type.
fn api_name<R>() -> &'static str {
    let name = std::any::type_name::<R>();
    let name = name.rsplit("::").next().unwrap_or(name);
    name.strip_suffix("Request").unwrap_or(name)
}
