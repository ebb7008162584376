//! A broker that answers every Produce after a known time, and nothing else: what the load generator's histograms are
//! held against.
//!
//! It speaks ApiVersions 0, Metadata 1 and Produce 3. Each connection is served by a thread that reads requests and one
//! that answers them, so that several can be under way.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

/// The broker; it listens as long as the process lives.
pub struct Stub {
    pub address: SocketAddr,
    /// How long each answered request really took within the stub, in microseconds.
    taken_us: Arc<Mutex<Vec<u64>>>,
}

impl Stub {
    /// Starts it. Request number n of a connection is answered `delay(n)` after it has come.
    pub fn start(delay: fn(u64) -> Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let taken_us = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&taken_us);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, address, delay, &shared));
            }
        });
        Self { address, taken_us }
    }

    /// The times that answered requests really took within the stub, sorted: what an oversleeping timer makes of the
    /// delays is in them.
    pub fn taken_us(&self) -> Vec<u64> {
        let mut taken = self.taken_us.lock().expect("nobody panics while holding it").clone();
        taken.sort_unstable();
        taken
    }
}

/// An answer to be sent, and when.
struct Answer {
    came: Instant,
    due: Instant,
    frame: Vec<u8>,
    timed: bool,
}

fn serve(
    stream: TcpStream,
    address: SocketAddr,
    delay: fn(u64) -> Duration,
    taken_us: &Arc<Mutex<Vec<u64>>>,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = io::BufReader::new(stream.try_clone().ok()?);
    let (say, hear) = mpsc::channel::<Answer>();
    let taken_us = Arc::clone(taken_us);
    let writer = thread::spawn(move || answer(stream, &hear, &taken_us));
    let mut produced = 0;
    loop {
        let mut size = [0; 4];
        if reader.read_exact(&mut size).is_err() {
            break;
        }
        let mut request = vec![0; u32::from_be_bytes(size) as usize];
        if reader.read_exact(&mut request).is_err() {
            break;
        }
        let came = Instant::now();
        let api = i16::from_be_bytes([request[0], request[1]]);
        let mut body = request[4..8].to_vec();
        match api {
            API_VERSIONS => api_versions(&mut body),
            METADATA => metadata(&mut body, &request, address),
            PRODUCE => acknowledge(&mut body, &request),
            other => panic!("the load generator asked for API {other}, which the stub does not announce"),
        }
        let timed = api == PRODUCE;
        let due = if timed { came + delay(produced) } else { came };
        produced += u64::from(timed);
        let frame = [&u32::try_from(body.len()).expect("it is short").to_be_bytes()[..], &body].concat();
        say.send(Answer { came, due, frame, timed }).ok()?;
    }
    drop(say);
    writer.join().ok()
}

/// Sends answers in the order of their requests, each no sooner than it is due.
fn answer(mut stream: TcpStream, hear: &mpsc::Receiver<Answer>, taken_us: &Mutex<Vec<u64>>) {
    for Answer { came, due, frame, timed } in hear {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if timed {
            let us = u64::try_from(came.elapsed().as_micros()).unwrap_or(u64::MAX);
            taken_us.lock().expect("nobody panics while holding it").push(us);
        }
        if stream.write_all(&frame).is_err() {
            return;
        }
    }
}

fn api_versions(body: &mut Vec<u8>) {
    body.extend(0i16.to_be_bytes());
    body.extend(3i32.to_be_bytes());
    for (api, version) in [(PRODUCE, 3i16), (METADATA, 1), (API_VERSIONS, 0)] {
        body.extend(api.to_be_bytes());
        body.extend(version.to_be_bytes());
        body.extend(version.to_be_bytes());
    }
}

/// One node, and the topic asked for with as many partitions as a run has by default.
fn metadata(body: &mut Vec<u8>, request: &[u8], address: SocketAddr) {
    const PARTITIONS: i32 = 4;
    const NODE: i32 = 0;
    let topic = topic(&request[4..], 4);
    body.extend(1i32.to_be_bytes());
    body.extend(NODE.to_be_bytes());
    string(body, &address.ip().to_string());
    body.extend(i32::from(address.port()).to_be_bytes());
    body.extend((-1i16).to_be_bytes()); // no rack
    body.extend(NODE.to_be_bytes()); // the controller
    body.extend(1i32.to_be_bytes());
    body.extend(0i16.to_be_bytes());
    string(body, &topic);
    body.push(0); // not internal
    body.extend(PARTITIONS.to_be_bytes());
    for partition in 0..PARTITIONS {
        body.extend(0i16.to_be_bytes());
        body.extend(partition.to_be_bytes());
        body.extend(NODE.to_be_bytes());
        for _ in ["replicas", "in-sync replicas"] {
            body.extend(1i32.to_be_bytes());
            body.extend(NODE.to_be_bytes());
        }
    }
}

/// Acknowledges the one batch of a Produce request of version 3.
fn acknowledge(body: &mut Vec<u8>, request: &[u8]) {
    // Behind the header: no transactional id (2), acks (2), timeout (4), one topic (4).
    let name = topic(&request[4..], 12);
    let header = 4 + 4 + 2 + client_id_length(&request[4..]);
    let partition_at = header + 12 + 2 + name.len() + 4;
    body.extend(1i32.to_be_bytes());
    string(body, &name);
    body.extend(1i32.to_be_bytes());
    body.extend(&request[partition_at..partition_at + 4]);
    body.extend(0i16.to_be_bytes());
    body.extend(0i64.to_be_bytes()); // base offset
    body.extend((-1i64).to_be_bytes()); // no append time
    body.extend(0i32.to_be_bytes()); // not throttled
}

/// The length of the client id of a header whose correlation id begins at 0.
fn client_id_length(from_correlation: &[u8]) -> usize {
    usize::try_from(i16::from_be_bytes([from_correlation[4], from_correlation[5]])).unwrap_or(0)
}

/// The topic's name, `skipped` bytes behind the header.
fn topic(from_correlation: &[u8], skipped: usize) -> String {
    let at = 4 + 2 + client_id_length(from_correlation) + skipped;
    let length = usize::from(u16::from_be_bytes([from_correlation[at], from_correlation[at + 1]]));
    String::from_utf8(from_correlation[at + 2..at + 2 + length].to_vec()).expect("names are UTF-8")
}

fn string(body: &mut Vec<u8>, text: &str) {
    body.extend(u16::try_from(text.len()).expect("it is short").to_be_bytes());
    body.extend(text.as_bytes());
}
