//! The broker under test: our own, started and stopped here, or a foreign one that only has an address.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::sys;

/// How long `tora` may take to say that it listens: recovery of a large log included.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to stop after SIGTERM before it is killed; it promises five seconds.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// What it prints once it serves.
const LISTENING: &str = "listening on ";

/// How to start `tora`.
#[derive(Debug, Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub data_dir: PathBuf,
    pub cores: u32,
    /// `--set` pairs.
    pub settings: Vec<(String, String)>,
    /// The one core that the process is to run on; `None` where it may use all.
    pub bound_to: Option<usize>,
    /// Where its standard error goes.
    pub log: PathBuf,
}

impl Launch {
    /// The `tora` beside this program's own file.
    ///
    /// # Errors
    /// A sentence with the command that builds it, where it is not there.
    pub fn find_program() -> Result<PathBuf, String> {
        let own =
            std::env::current_exe().map_err(|e| format!("cannot tell where tora-load itself lies: {e}"))?;
        let program = own.with_file_name("tora");
        if program.is_file() {
            return Ok(program);
        }
        Err(format!(
            "there is no `tora` beside tora-load ({}): run `cargo build --release` first, or give --bootstrap to \
             measure a running broker",
            program.display()
        ))
    }

    /// What it says its version is.
    pub fn version(&self) -> Option<String> {
        let output = Command::new(&self.program).arg("--version").stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim().strip_prefix("tora ").unwrap_or(text.trim()).to_owned())
            .filter(|text| !text.is_empty())
    }

    /// Starts it on a port of the loopback interface that the system gives it and waits until it serves.
    pub fn start(&self) -> Result<Tora, String> {
        let cannot = |e: io::Error| format!("cannot start {}: {e}", self.program.display());
        let log = File::options().create(true).append(true).open(&self.log).map_err(cannot)?;
        let mut command = Command::new(&self.program);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(&self.data_dir).arg("--cores").arg(self.cores.to_string());
        for (key, value) in &self.settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        sys::bind_to_parent(&mut command);
        if let Some(core) = self.bound_to {
            sys::bind_to_core(&mut command, core);
        }
        let begun = Instant::now();
        let child = command.spawn().map_err(cannot)?;
        let mut tora = Tora { child, address: String::new(), ready_after: Duration::ZERO };
        tora.address = self.wait_until_listening(&mut tora.child)?;
        tora.ready_after = begun.elapsed();
        Ok(tora)
    }

    fn wait_until_listening(&self, child: &mut Child) -> Result<String, String> {
        let stdout = child.stdout.take().expect("standard output is a pipe, and nobody has taken it");
        let (say, hear) = mpsc::channel();
        // Reads on to the end, so that the child never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix(LISTENING) {
                    let _ = say.send(address.trim().to_owned());
                }
            }
        });
        match hear.recv_timeout(START_PATIENCE) {
            Ok(address) => Ok(address),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(format!(
                "tora did not get ready within {} s{}",
                START_PATIENCE.as_secs(),
                self.last_words()
            )),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = child.wait().map(|status| status.to_string()).unwrap_or_default();
                Err(format!("tora ended before it was ready ({status}){}", self.last_words()))
            }
        }
    }

    /// The end of its log, to be appended to a sentence.
    fn last_words(&self) -> String {
        const LINES: usize = 8;
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(LINES).collect();
        if lines.is_empty() {
            return String::new();
        }
        let lines: Vec<_> = lines.into_iter().rev().collect();
        format!("; it says:\n  {}", lines.join("\n  "))
    }
}

/// A running `tora` of ours. Dropping it stops it.
#[derive(Debug)]
pub struct Tora {
    child: Child,
    address: String,
    ready_after: Duration,
}

impl Tora {
    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// From starting the process to its readiness.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Stops it with SIGTERM and waits for its end.
    ///
    /// # Errors
    /// A sentence, where it ended with an error or had to be killed.
    pub fn stop(mut self) -> Result<(), String> {
        self.end()
    }

    /// Kills it with SIGKILL: it gets no chance to finish anything.
    ///
    /// # Errors
    /// A sentence, where it had ended by itself before.
    pub fn kill(mut self) -> Result<(), String> {
        let pid = self.child.id();
        let problem = |e: io::Error| format!("cannot kill tora (pid {pid}): {e}");
        if let Some(status) = self.child.try_wait().map_err(problem)? {
            return Err(format!(
                "tora had ended by itself before it was to be killed ({status}): see its log"
            ));
        }
        self.child.kill().map_err(problem)?;
        self.child.wait().map(drop).map_err(problem)
    }

    fn end(&mut self) -> Result<(), String> {
        let pid = self.child.id();
        let problem = |e: io::Error| format!("cannot stop tora (pid {pid}): {e}");
        match sys::end(&mut self.child, STOP_PATIENCE).map_err(problem)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("tora ended with an error ({status}): see its log")),
            None => Err(format!(
                "tora did not stop within {} s of SIGTERM and was killed",
                STOP_PATIENCE.as_secs()
            )),
        }
    }
}

impl Drop for Tora {
    fn drop(&mut self) {
        // After `stop` the child is reaped, and this finds nothing to do.
        let _ = self.end();
    }
}

/// A folder that is removed at the end of the run, unless it is to be kept.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    keep: bool,
}

impl DataDir {
    /// Makes the folder, which must not exist: nothing of anybody else's is ever removed.
    pub fn create(path: PathBuf, keep: bool) -> Result<Self, String> {
        let cannot = |e: io::Error| format!("cannot make the data folder {}: {e}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(cannot)?;
        }
        fs::create_dir(&path).map_err(cannot)?;
        Ok(Self { path, keep })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            eprintln!("tora-load: cannot remove the data folder {}: {error}", self.path.display());
        }
    }
}
