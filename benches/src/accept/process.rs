//! A server under measurement: started, timed until it serves, and stopped by its process id.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::os;

/// How long a server may take until it serves.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// How long it may take to stop before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const LISTENING: &str = "listening on ";

/// A running server. Dropping it kills it.
pub struct Server {
    child: Child,
    name: String,
    /// Where it listens.
    pub address: String,
    /// From starting the process to its line `listening on`.
    pub ready_after: Duration,
}

impl Server {
    /// Starts `program`, whose standard error goes to `log`, and waits until it listens.
    pub fn start(program: &Path, arguments: &[String], log: &Path) -> Result<Self, String> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log_file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(|e| format!("cannot write {}: {e}", log.display()))?;
        let begun = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", program.display()))?;
        let output = child.stdout.take().expect("standard output is a pipe, and nobody has taken it");
        let heard = listen_for_address(output);
        let mut server = Self { child, name, address: String::new(), ready_after: Duration::ZERO };
        let (address, at) = match heard.recv_timeout(START_PATIENCE) {
            Ok(heard) => heard,
            Err(silence) => return Err(server.not_ready(silence, log)),
        };
        server.ready_after = at - begun;
        server.address = address;
        Ok(server)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in bytes (VmRSS of proc_pid_status(5)).
    pub fn resident_bytes(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {path}: {e}"))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
            .map(|kib| kib * 1024)
            .ok_or_else(|| format!("{path} has no VmRSS"))
    }

    /// CPU time it has used so far, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64, String> {
        cpu_seconds_of(self.pid())
    }

    /// Bytes it has had read from its disks so far (read_bytes of proc_pid_io(5)).
    pub fn disk_read_bytes(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/io", self.pid());
        let io = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {path}: {e}"))?;
        let line = io.lines().find_map(|line| line.strip_prefix("read_bytes: "));
        line.and_then(|bytes| bytes.trim().parse().ok()).ok_or_else(|| format!("{path} has no read_bytes"))
    }

    fn not_ready(&mut self, silence: RecvTimeoutError, log: &Path) -> String {
        let how = match silence {
            RecvTimeoutError::Timeout => format!("was not ready after {} s", START_PATIENCE.as_secs()),
            RecvTimeoutError::Disconnected => match self.child.wait() {
                Ok(status) => format!("ended before it was ready ({status})"),
                Err(error) => format!("ended before it was ready ({error})"),
            },
        };
        format!("{} {how}; its log is {}", self.name, log.display())
    }

    /// Stops it with SIGTERM and waits.
    pub fn stop(mut self) -> Result<(), String> {
        let problem = |e| format!("cannot stop {}: {e}", self.name);
        os::terminate(&mut self.child).map_err(problem)?;
        let deadline = Instant::now() + STOP_PATIENCE;
        loop {
            match self.child.try_wait().map_err(problem)? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    return Err(format!("{} ended with {status} when it was told to stop", self.name));
                }
                None if Instant::now() > deadline => {
                    return Err(format!(
                        "{} did not stop within {} s of SIGTERM",
                        self.name,
                        STOP_PATIENCE.as_secs()
                    ));
                }
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub fn kill(mut self) -> Result<(), String> {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .map_err(|e| format!("cannot kill {}: {e}", self.name))?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time that a process has used so far, all its threads together (the kernel's workers for its rings are some of
/// them), in seconds (utime and stime of proc_pid_stat(5)).
pub fn cpu_seconds_of(pid: u32) -> Result<f64, String> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {path}: {e}"))?;
    // The program's name, in parentheses, may hold blanks.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let mut fields = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    match (fields.next(), fields.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok((user + system) as f64 / os::ticks_per_second()),
        _ => Err(format!("{path} has no CPU time")),
    }
}

/// Reads the output on a thread, to its end, so that the server never blocks on a full pipe.
fn listen_for_address(output: ChildStdout) -> mpsc::Receiver<(String, Instant)> {
    let (say, hear) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix(LISTENING) {
                // Nobody listens any more once patience has run out.
                let _ = say.send((address.trim().to_owned(), Instant::now()));
            }
        }
    });
    hear
}
