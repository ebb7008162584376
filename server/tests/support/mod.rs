//! What the tests that run `tora` over TCP share: a server process of their own, and a client whose codec is not the
//! server's.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// Nothing here takes this long; a test that would wait for ever fails instead.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder beside what cargo builds (unlike /tmp, that is on a disk), removed with the value.
pub struct Folder(PathBuf);

impl Folder {
    /// A new, empty one.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tora-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the folder for what cargo builds is writable");
        Self(path)
    }

    /// The path of `name` in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `tora serve` on a free port, on two cores, with `data` and `log` in the folder.
pub fn tora_serve(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tora"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--cores", "2", "--set", "tora.pin=false"]);
    command.arg("--data-dir").arg(folder.join("data"));
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.expect("the folder is writable"));
    command
}

/// A running server, ended with the value.
pub struct Server {
    pub process: Child,
    pub address: String,
    pub folder: Folder,
}

impl Server {
    /// Starts one in a folder of its own and waits until it serves.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_in(Folder::new(), settings)
    }

    /// Starts one in a folder where one may have been before.
    pub fn start_in(folder: Folder, settings: &[&str]) -> Self {
        let mut command = tora_serve(&folder);
        for setting in settings {
            command.args(["--set", setting]);
        }
        Self::run(command, folder)
    }

    /// Starts what [`tora_serve`] has prepared.
    pub fn run(mut command: Command, folder: Folder) -> Self {
        let mut process = command.spawn().expect("cargo has built tora");
        let mut line = String::new();
        let out = process.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("its output is text");
        let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        let address = line.trim().strip_prefix("listening on ");
        let address =
            address.unwrap_or_else(|| panic!("{line:?} is no address; its log:\n{}", log())).to_owned();
        Self { process, address, folder }
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout is no problem");
        stream.set_nodelay(true).expect("a fresh connection");
        Client { stream, correlation_id: 0 }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection to a server.
pub struct Client {
    pub stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    /// Sends a request and waits for its response.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let frame = self.frame(version, request);
        self.stream.write_all(&frame).expect("the server reads");
        self.response::<R>(version, self.correlation_id)
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
        let bytes = self.read_frame().expect("a response");
        let header = R::Response::header_version(version);
        let mut bytes = bytes::Bytes::from(bytes);
        let id = i32::from_be_bytes(*bytes.split_to(4).first_chunk().expect("four bytes"));
        assert_eq!(id, correlation_id, "responses come in the order of the requests");
        if header >= 1 {
            assert_eq!(bytes.split_to(1)[0], 0, "no tagged fields in the header");
        }
        let response = R::Response::decode(&mut bytes, version).expect("a response of this version");
        assert!(bytes.is_empty(), "{} bytes too many", bytes.len());
        response
    }

    /// The next frame, its length left out; `None` if the server has closed the connection.
    pub fn read_frame(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => {
                panic!("no response within {PATIENCE:?}")
            }
            Err(_) => return None,
        }
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).expect("the rest of the frame");
        Some(frame)
    }
}
