//! The floor: the bare server of `benches/` (`tora-benches floor`), the yardstick of how fast produce could be at all.
//!
//! It has no settings by topic and forgets everything at its end, so that each measurement has one of its own.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::contest::Broker;
use super::plan::{Contender, Contract, Side};
use crate::broker::DataDir;
use crate::sys;

/// The program that has it, beside this one.
const PROGRAM: &str = "tora-benches";
/// How long it may take to write its file once, before it listens.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to end after SIGTERM.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// What it prints once it serves.
const LISTENING: &str = "listening on ";
/// A file that is written over and over.
const FILE_GIB: u64 = 1;

/// What to do where it is not there.
pub const MISSING: &str =
    "not run: `cargo build --release -p tora-benches` builds it; then the same command again";

/// The program that `given` names, or the one beside this program's own file, if it is there.
///
/// # Errors
/// A sentence, where the named file is not there.
pub fn find_program(given: Option<&Path>) -> Result<Option<PathBuf>, String> {
    if let Some(program) = given {
        let why = || format!("--floor {}: there is no such file", program.display());
        return if program.is_file() { Ok(Some(program.to_path_buf())) } else { Err(why()) };
    }
    let own = std::env::current_exe().map_err(|e| format!("cannot tell where tora-load itself lies: {e}"))?;
    Ok(Some(own.with_file_name(PROGRAM)).filter(|program| program.is_file()))
}

/// The size of a contender's file, in GiB, for a load that lasts `time`.
pub fn file_gib(contender: Contender, time: Duration) -> u64 {
    /// Blocks that were never written must not be written a second time, however fast the disk is.
    const BYTES_PER_SECOND: f64 = 1.2e9;
    if contender.side == Side::FreshFloor {
        ((time.as_secs_f64() * BYTES_PER_SECOND) as u64 >> 30) + 1
    } else {
        FILE_GIB
    }
}

/// A running floor. Dropping it ends it, and removes its folder.
pub struct Floor {
    child: Child,
    address: String,
    folder: DataDir,
}

impl Floor {
    /// Starts it as `contender`, its file of `gib` in `folder`, and waits until it serves.
    ///
    /// # Errors
    /// A sentence with where its log is.
    pub fn start(
        program: &Path,
        contender: Contender,
        gib: u64,
        folder: DataDir,
        log: &Path,
    ) -> Result<Self, String> {
        let cannot = |e: io::Error| format!("cannot start {}: {e}", program.display());
        let output = File::options().create(true).append(true).open(log).map_err(cannot)?;
        let mut command = Command::new(program);
        command.args(["floor", "--listen", "127.0.0.1:0", "--file"]).arg(folder.path().join("floor.dat"));
        command.arg("--file-gib").arg(gib.to_string());
        command.arg(match contender.contract {
            Contract::Flushed => "--flush",
            Contract::Written => "--no-flush",
        });
        if contender.side == Side::FreshFloor {
            command.arg("--fresh");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(output);
        sys::bind_to_parent(&mut command);
        let child = command.spawn().map_err(cannot)?;
        let mut floor = Self { child, address: String::new(), folder };
        floor.address = floor.wait(log)?;
        Ok(floor)
    }

    fn wait(&mut self, log: &Path) -> Result<String, String> {
        let stdout = self.child.stdout.take().expect("standard output is a pipe, and nobody has taken it");
        let (say, hear) = mpsc::channel();
        // Reads on to the end, so that the child never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix(LISTENING) {
                    let _ = say.send(address.trim().to_owned());
                }
            }
        });
        hear.recv_timeout(START_PATIENCE).map_err(|_| {
            let seconds = START_PATIENCE.as_secs();
            format!("the floor did not listen within {seconds} s, or ended: see {}", log.display())
        })
    }

    /// As measurements need it.
    pub fn broker(&self) -> Broker {
        Broker {
            address: self.address.clone(),
            pid: Some(self.child.id()),
            folder: Some(self.folder.path().to_path_buf()),
        }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        if sys::end(&mut self.child, STOP_PATIENCE).is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
