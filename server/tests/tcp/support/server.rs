//! A server process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::process::wait;
use crate::support::{Client, Folder};

const TORA: &str = env!("CARGO_BIN_EXE_tora");

/// How long it may take until it serves: a debug build on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// It promises to stop within five seconds; the rest is for a busy machine.
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// Whatever port is free.
const ANY_PORT: &str = "127.0.0.1:0";

/// `tora serve` on a free port, on two cores, with `data` and `log` in the folder.
pub fn tora_serve(folder: &Folder) -> Command {
    prepare(Command::new(TORA), folder, ANY_PORT)
}

/// The same, started by another program, whose last argument is the program to start.
pub fn tora_serve_by(mut starter: Command, folder: &Folder) -> Command {
    starter.arg(TORA);
    prepare(starter, folder, ANY_PORT)
}

fn prepare(mut command: Command, folder: &Folder, address: &str) -> Command {
    // Several servers run at once; each on the same two cores would only get in the others' way.
    command.args(["serve", "--listen", address, "--cores", "2", "--set", "tora.pin=false"]);
    // The batches that tests make are of 2023, and would be deleted while a longer test runs.
    command.args(["--set", "log.retention.hours=-1"]);
    command.arg("--data-dir").arg(folder.join("data"));
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.expect("the folder is writable"));
    command
}

/// Runs what [`tora_serve`] has prepared, which must not start, and returns what it says.
pub fn refused(mut command: Command, folder: &Folder) -> String {
    let output = command.output().expect("cargo has built tora");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(output.stdout, b"", "nothing is said to listen");
    fs::read_to_string(folder.join("log")).expect("it has a log")
}

/// Fails the test unless all of these stand in the text.
pub fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

/// A running server, killed with the value.
pub struct Server {
    /// The process.
    pub process: Child,
    /// Where it listens, as HOST:PORT.
    pub address: String,
    /// Where its data and its log are; `None` once it was handed on.
    folder: Option<Folder>,
}

impl Server {
    /// Starts one in a folder of its own, with these properties (`name=value`), and waits until it serves.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_in(Folder::new(), settings)
    }

    /// Starts one in a folder where one may have been before.
    pub fn start_in(folder: Folder, settings: &[&str]) -> Self {
        Self::start_at(ANY_PORT, folder, settings)
    }

    /// The same at an address, HOST:PORT, where one may have been before.
    pub fn start_at(address: &str, folder: Folder, settings: &[&str]) -> Self {
        let mut command = prepare(Command::new(TORA), &folder, address);
        for setting in settings {
            command.args(["--set", setting]);
        }
        Self::run(command, folder)
    }

    /// The memory that it holds just now.
    pub fn resident_bytes(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("proc_pid_status(5)");
        let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib << 10
    }

    /// Starts what [`tora_serve`] has prepared.
    pub fn run(mut command: Command, folder: Folder) -> Self {
        let mut process = command.spawn().expect("cargo has built tora");
        let out = process.stdout.take().expect("it is piped");
        let mut server = Self { process, address: String::new(), folder: Some(folder) };
        let (say, hear) = mpsc::channel();
        // Reads to the end, so that the server never waits for a reader.
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix("listening on ") {
                    let _ = say.send(address.to_owned());
                }
            }
        });
        server.address = hear.recv_timeout(START_PATIENCE).unwrap_or_else(|why| {
            panic!("it did not say where it listens: {why}; its log:\n{}", server.log())
        });
        server
    }

    /// Sends it a signal and waits for its end.
    pub fn signal(&mut self, signal: &str) -> ExitStatus {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().expect("there is kill(1)");
        assert!(sent.success(), "{signal} cannot be sent to process {pid}");
        wait(&mut self.process, STOP_PATIENCE)
            .unwrap_or_else(|| panic!("it did not end within {STOP_PATIENCE:?} of {signal}:\n{}", self.log()))
    }

    /// Stops it as a service manager would; it must end without an error. Hands out its folder.
    pub fn stop(mut self) -> Folder {
        let status = self.signal("TERM");
        assert!(status.success(), "it ended with {status}");
        self.into_folder()
    }

    /// Kills it without a warning. Hands out its folder.
    pub fn kill(mut self) -> Folder {
        self.process.kill().expect("it is our child");
        self.process.wait().expect("it ends");
        self.into_folder()
    }

    /// Hands out the folder of one that has ended.
    pub fn into_folder(mut self) -> Folder {
        self.folder.take().expect("it is handed on once")
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(&self.address)
    }

    /// Where its data and its log are.
    pub fn folder(&self) -> &Folder {
        self.folder.as_ref().expect("it is handed on with the value only")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() && self.folder.is_some() {
            eprintln!("--- the server's log:\n{}", self.log());
        }
    }
}
