//! The servers that `tora-benches runtimes` compares: each answers rightly before it is measured.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const RUNTIMES: [&str; 3] = ["own-ring", "tokio-uring", "epoll"];
const BLOCK_BYTES: usize = 4096;
/// A server that answers nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills it and removes its folder.
struct Server {
    child: Child,
    address: String,
    folder: PathBuf,
}

impl Server {
    fn start(runtime: &str, test: &str, more: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{runtime}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the target folder can be written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tora-benches"))
            .args(["serve-runtime", "--runtime", runtime, "--folder"])
            .arg(&folder)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was built for this test");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it says something");
        let address = line.strip_prefix("listening on ").expect("it says where it listens").trim().to_owned();
        Self { child, address, folder }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_nodelay(true).expect("it is connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is connected");
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A body that tells where in which frame each of its bytes was.
fn body(number: u64, bytes: usize) -> Vec<u8> {
    let mut body = number.to_be_bytes().to_vec();
    body.extend((8..bytes).map(|at| ((at as u64 * 31 + number) % 251) as u8));
    body
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len()).expect("it is short").to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

fn expect_answer(stream: &mut TcpStream, number: u64) {
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer comes");
    let length: [u8; 4] = answer[..4].try_into().expect("four bytes");
    assert_eq!(u32::from_be_bytes(length), 8);
    let answered: [u8; 8] = answer[4..].try_into().expect("eight bytes");
    assert_eq!(u64::from_be_bytes(answered), number, "answers come in the order of the frames");
}

fn expect_end(stream: &mut TcpStream) {
    // Closed in order, or reset because something was not read.
    match stream.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        other => panic!("the connection goes on: {other:?}"),
    }
}

#[test]
fn frames_are_answered_in_order_however_they_are_split() {
    for runtime in RUNTIMES {
        let server = Server::start(runtime, "split", &[]);
        let mut stream = server.connect();
        let sizes = [8, 200, 65_536, 9, 4096, 65_535, 200];
        let frames: Vec<u8> =
            sizes.iter().enumerate().flat_map(|(number, size)| frame(&body(number as u64, *size))).collect();
        // Whole, in pieces that fit nothing, and so that the first frames come byte by byte.
        stream.write_all(&frames).expect("it reads");
        (0..7).for_each(|number| expect_answer(&mut stream, number));
        for piece in frames.chunks(10_007) {
            stream.write_all(piece).expect("it reads");
        }
        (0..7).for_each(|number| expect_answer(&mut stream, number));
        for byte in &frames[..220] {
            stream.write_all(&[*byte]).expect("it reads");
        }
        stream.write_all(&frames[220..]).expect("it reads");
        (0..7).for_each(|number| expect_answer(&mut stream, number));
    }
}

#[test]
fn many_connections_are_served_beside_each_other() {
    for runtime in RUNTIMES {
        let server = Server::start(runtime, "many", &[]);
        let mut streams: Vec<_> = (0..70).map(|_| server.connect()).collect();
        for round in 0..3 {
            for (connection, stream) in streams.iter_mut().enumerate() {
                for frame_of in 0..5 {
                    let number = (connection as u64) << 32 | (round * 5 + frame_of);
                    stream.write_all(&frame(&body(number, 200))).expect("it reads");
                }
            }
            for (connection, stream) in streams.iter_mut().enumerate() {
                for frame_of in 0..5 {
                    expect_answer(stream, (connection as u64) << 32 | (round * 5 + frame_of));
                }
            }
        }
    }
}

#[test]
fn more_is_taken_than_the_buffers_hold() {
    for runtime in RUNTIMES {
        let server = Server::start(runtime, "more", &[]);
        let stream = server.connect();
        let mut reading = stream.try_clone().expect("it is connected");
        // The answers alone are more than any buffer on the way, and are read late.
        let count = 600_000_u64;
        let writing = std::thread::spawn(move || {
            let mut stream = stream;
            for first in (0..count).step_by(1000) {
                let frames: Vec<u8> =
                    (first..first + 1000).flat_map(|number| frame(&number.to_be_bytes())).collect();
                stream.write_all(&frames).expect("it reads");
            }
        });
        std::thread::sleep(Duration::from_millis(300));
        let mut answers = BufReader::with_capacity(1 << 20, &mut reading);
        for number in 0..count {
            let mut answer = [0; 12];
            answers.read_exact(&mut answer).expect("an answer comes");
            assert_eq!(answer[4..], number.to_be_bytes(), "answers come in the order of the frames");
        }
        writing.join().expect("all was taken");
    }
}

#[test]
fn frames_are_on_the_disk_when_they_are_answered() {
    for (runtime, contract) in
        RUNTIMES.iter().flat_map(|runtime| [(runtime, "flushed"), (runtime, "durable")])
    {
        let server = Server::start(runtime, contract, &["--disk", contract]);
        let mut stream = server.connect();
        let sizes = [200, 8, BLOCK_BYTES, 200, 1000];
        for (number, size) in sizes.iter().enumerate() {
            stream.write_all(&frame(&body(number as u64, *size))).expect("it reads");
        }
        (0..5).for_each(|number| expect_answer(&mut stream, number));
        let written = fs::read(server.folder.join("blocks.dat")).expect("the scratch file is there");
        for (number, (block, size)) in written.chunks(BLOCK_BYTES).zip(sizes).enumerate() {
            assert_eq!(&block[..size], body(number as u64, size), "{runtime}: block {number}");
            assert!(block[size..].iter().all(|byte| *byte == 0), "{runtime}: zeros behind the frame");
        }
        assert!(written[sizes.len() * BLOCK_BYTES..].iter().all(|byte| *byte == 0), "{runtime}: no more");
    }
}

#[test]
fn what_is_no_frame_ends_its_connection_alone() {
    for runtime in RUNTIMES {
        let server = Server::start(runtime, "bad", &[]);
        let (mut good, mut bad) = (server.connect(), server.connect());
        bad.write_all(&[0xff; 8]).expect("it reads");
        expect_end(&mut bad);
        good.write_all(&frame(&body(1, 200))).expect("it reads");
        expect_answer(&mut good, 1);

        let storing = Server::start(runtime, "large", &["--disk", "flushed"]);
        let mut too_large = storing.connect();
        too_large.write_all(&frame(&body(1, BLOCK_BYTES + 1))).expect("it reads");
        expect_end(&mut too_large);
    }
}

#[test]
fn sigterm_ends_a_server_that_has_connections() {
    for runtime in RUNTIMES {
        let mut server = Server::start(runtime, "stop", &[]);
        let mut stream = server.connect();
        stream.write_all(&frame(&body(1, 200))).expect("it reads");
        expect_answer(&mut stream, 1);
        let told = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status();
        assert!(told.expect("kill(1) is there").success());
        assert!(server.child.wait().expect("it is a child").success(), "{runtime}");
        expect_end(&mut stream);
    }
}
