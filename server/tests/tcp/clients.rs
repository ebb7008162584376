//! Foreign clients against a running `tora`.
//!
//! With `TORA_TEST_BOOTSTRAP=HOST:PORT` they run against the broker there instead (tests of Tora's own start and stop
//! are skipped): that is how to tell whether a test or Tora is at fault.

mod examples;
mod java;
mod java_admin;
mod java_perf;
mod java_records;
mod kafkajs;
mod kcat;
mod python;
mod rdkafka;
mod restart;
mod subscribers;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::Server;
use crate::support::process::{skipped, wait};

/// How long a client may take for a test's few records.
const CLIENT_PATIENCE: Duration = Duration::from_secs(90);

/// The folder of `install.sh` and of the programs that drive clients.
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tcp/clients/packages");

/// A broker to test.
pub enum Broker {
    /// A `tora` of the test's own.
    Ours(Server),
    /// The one at this address.
    Other(String),
}

impl Broker {
    /// Starts `tora` with these properties (`name=value`), unless there is another broker to test.
    pub fn start(settings: &[&str]) -> Self {
        match std::env::var("TORA_TEST_BOOTSTRAP") {
            Ok(address) => Self::Other(address),
            Err(_) => Self::Ours(Server::start(settings)),
        }
    }

    /// Kills it without a warning and starts it again where it was, with its data; another's broker goes on as it is.
    pub fn killed_and_started(self, settings: &[&str]) -> Self {
        let Self::Ours(server) = self else {
            skipped("what a kill does to clients", "the broker is not ours");
            return self;
        };
        let address = server.address.clone();
        Self::Ours(Server::start_at(&address, server.kill(), settings))
    }

    /// Where it listens, as HOST:PORT.
    pub fn address(&self) -> &str {
        match self {
            Self::Ours(server) => &server.address,
            Self::Other(address) => address,
        }
    }

    /// Whether it is a `tora` of ours.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }
}

/// Installs a client if need be (see `packages/install.sh`); gives where it is.
pub fn install(client: &str) -> PathBuf {
    let output =
        Command::new(Path::new(PACKAGES).join("install.sh")).arg(client).stderr(Stdio::inherit()).output();
    let output = output.expect("install.sh is part of the repository");
    assert!(output.status.success(), "{client} cannot be installed");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

/// A topic name that no other test uses, whatever the broker.
pub fn topic(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Runs a client to its end with `input`; it must succeed in time. Gives its standard output.
pub fn run(command: &mut Command, input: &str) -> String {
    Program::spawn(command, input).finish()
}

/// A client's program that runs beside the test.
pub struct Program {
    child: Child,
    what: String,
    /// Standard output and error.
    output: mpsc::Receiver<(String, String)>,
}

impl Program {
    /// Starts it and gives it `input`.
    pub fn spawn(command: &mut Command, input: &str) -> Self {
        let what = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|why| panic!("{what}: {why}"));
        let mut stdin = child.stdin.take().expect("it is a pipe");
        let (stdout, stderr) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let input = input.to_owned();
        // A client that ends early does not read its input to the end.
        thread::spawn(move || stdin.write_all(input.as_bytes()).is_ok());
        let errors = thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
        let (say, output) = mpsc::channel();
        thread::spawn(move || {
            let text = std::io::read_to_string(stdout).unwrap_or_default();
            let _ = say.send((text, errors.join().unwrap_or_default()));
        });
        Self { child, what, output }
    }

    /// Tells it to end, as Ctrl-C does.
    pub fn interrupt(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &pid]).status().expect("there is kill(1)").success());
    }

    /// Waits for its end; it must succeed in time. Gives its standard output.
    pub fn finish(mut self) -> String {
        let status = wait(&mut self.child, CLIENT_PATIENCE);
        if status.is_none() {
            let _ = self.child.kill();
        }
        let (text, errors) =
            self.output.recv_timeout(CLIENT_PATIENCE).expect("it has ended, so its output has");
        match status {
            Some(status) if status.success() => text,
            Some(status) => panic!("{}: {status}\n{text}\n{errors}", self.what),
            None => panic!("{} did not end within {CLIENT_PATIENCE:?}\n{text}\n{errors}", self.what),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
