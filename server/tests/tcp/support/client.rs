//! A client whose codec is not the server's.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// Nothing here takes this long; a test that would wait for ever fails instead.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a server.
pub struct Client {
    /// Its socket.
    pub stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    /// A new one, to HOST:PORT.
    pub fn connect(address: &str) -> Self {
        Self::try_connect(address).expect("it listens")
    }

    /// A new one, if the server is there.
    pub fn try_connect(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout is no problem");
        stream.set_nodelay(true).expect("a fresh connection");
        Some(Self { stream, correlation_id: 0 })
    }

    /// Sends a request and waits for its response.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.try_call(version, request).expect("the server answers")
    }

    /// The same; `None` if the server is gone.
    pub fn try_call<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        let correlation_id = self.send(version, request)?;
        self.try_response::<R>(version, correlation_id)
    }

    /// Sends a request and gives its correlation id; `None` if the server is gone.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> Option<i32> {
        let frame = self.frame(version, request);
        self.stream.write_all(&frame).ok()?;
        Some(self.correlation_id)
    }

    /// A request as it is sent, with the next correlation id.
    pub fn frame<R: Request>(&mut self, version: i16, request: &R) -> Vec<u8> {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("a test")));
        let mut bytes = vec![0; 4];
        header.encode(&mut bytes, R::header_version(version)).expect("a header");
        request.encode(&mut bytes, version).expect("a request of this version");
        let length = i32::try_from(bytes.len() - 4).expect("short").to_be_bytes();
        bytes[..4].copy_from_slice(&length);
        bytes
    }

    /// Reads the response that must come next.
    pub fn response<R: Request>(&mut self, version: i16, correlation_id: i32) -> R::Response {
        self.try_response::<R>(version, correlation_id).expect("a response")
    }

    /// The same; `None` if the server is gone.
    pub fn try_response<R: Request>(&mut self, version: i16, correlation_id: i32) -> Option<R::Response> {
        let bytes = self.read_frame()?;
        let header = R::Response::header_version(version);
        let mut bytes = Bytes::from(bytes);
        let id = i32::from_be_bytes(*bytes.split_to(4).first_chunk().expect("four bytes"));
        assert_eq!(id, correlation_id, "responses come in the order of the requests");
        if header >= 1 {
            assert_eq!(bytes.split_to(1)[0], 0, "no tagged fields in the header");
        }
        let response = R::Response::decode(&mut bytes, version).expect("a response of this version");
        assert!(bytes.is_empty(), "{} bytes too many", bytes.len());
        Some(response)
    }

    /// The next frame, its length left out; `None` if the connection has ended, be it in the middle of a frame.
    pub fn read_frame(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock) => {
                panic!("no response within {PATIENCE:?}")
            }
            Err(_) => return None,
        }
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).ok()?;
        Some(frame)
    }
}
