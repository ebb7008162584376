//! What the tests with foreign clients share: a running `tora`, the clients, and a look at what is stored.
//!
//! With `TORA_TEST_BOOTSTRAP=HOST:PORT` they run against the broker there instead (tests of Tora's own start and stop
//! are skipped): that is how to tell whether a test or Tora is at fault.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the tests stand outside the seam: real processes, files and sockets"
)]

pub mod stored;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long the broker may take until it serves: a debug build on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// It promises to stop within five seconds; the rest is for a busy machine.
const STOP_PATIENCE: Duration = Duration::from_secs(15);
/// How long a client may take for a test's few records.
const CLIENT_PATIENCE: Duration = Duration::from_secs(90);

/// A folder that is removed with the value.
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder beside what cargo builds: unlike /tmp, that is on a disk.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tora-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("the folder for what cargo builds is writable");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A broker to test: `tora` on a free port and a folder of its own, killed with the value.
pub struct Broker {
    address: String,
    child: Option<Child>,
    settings: Vec<String>,
    folder: Folder,
}

impl Broker {
    /// Starts `tora` on two cores with these properties (`name=value`).
    pub fn start(settings: &[&str]) -> Self {
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let mut broker = Self { address: String::new(), child: None, settings, folder: Folder::new() };
        match std::env::var("TORA_TEST_BOOTSTRAP") {
            Ok(address) => broker.address = address,
            Err(_) => broker.launch(),
        }
        broker
    }

    /// Where it listens, as HOST:PORT.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether it is a `tora` of ours, which can be stopped.
    pub fn is_ours(&self) -> bool {
        self.child.is_some()
    }

    /// Stops it with SIGTERM, as a service manager would, and starts it again on the same data (and another port).
    pub fn restart(&mut self) {
        self.stop();
        self.launch();
    }

    /// Stops it with SIGTERM; it must end in time and without an error.
    pub fn stop(&mut self) {
        let mut child = self.child.take().expect("the test asks for a broker of ours");
        let pid = child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().expect("there is kill(1)");
        assert!(told.success(), "cannot tell process {pid} to stop");
        let status = wait(&mut child, STOP_PATIENCE).unwrap_or_else(|| {
            let _ = child.kill();
            panic!("tora did not stop within {STOP_PATIENCE:?} of SIGTERM\n{}", self.log())
        });
        assert!(status.success(), "tora ended with {status}\n{}", self.log());
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("tora.log")).unwrap_or_default()
    }

    fn launch(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.path().join("tora.log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_tora"));
        // Several brokers run at once; each on the same two cores would only get in the others' way.
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--cores",
            "2",
            "--set",
            "tora.pin=false",
            "--data-dir",
        ]);
        command.arg(self.folder.path().join("data"));
        self.settings.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.expect("the folder is ours"));
        let mut child = command.spawn().expect("cargo has built tora");
        let output = child.stdout.take().expect("it is a pipe, and nobody has taken it");
        self.child = Some(child);
        let (say, hear) = mpsc::channel();
        // Reads to the end, so that the broker never blocks on a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix("listening on ") {
                    let _ = say.send(address.to_owned());
                }
            }
        });
        self.address = hear
            .recv_timeout(START_PATIENCE)
            .unwrap_or_else(|why| panic!("tora did not say where it listens: {why}\n{}", self.log()));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            eprintln!("--- the broker's log:\n{}", self.log());
        }
    }
}

/// Installs a client if need be (see `clients/packages/install.sh`); gives where it is.
pub fn install(client: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/packages/install.sh");
    let output = Command::new(script).arg(client).stderr(Stdio::inherit()).output();
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
    Client::spawn(command, input).finish()
}

/// A client that runs beside the test.
pub struct Client {
    child: Child,
    what: String,
    /// Standard output and error.
    output: mpsc::Receiver<(String, String)>,
}

impl Client {
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

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
