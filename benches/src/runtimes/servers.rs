//! The servers: one a process, `serve-runtime`, which `runtimes` starts and stops.
//!
//! All do the same for a connection: receive what is there, cut the frames in it, answer them in order, and send the
//! answers of one receive together. Where frames are written first, a connection's frames are written one after the
//! other, those of all connections beside each other.

mod epoll;
mod own_ring;
mod tokio_ring;

use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;

use clap::{Args, ValueEnum};

use super::disk::{self, Contract};
use crate::os;

/// What a server is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// The engine's reactor with a service of its own: what Tora runs on
    OwnRing,
    /// tokio-uring, its ring with COOP_TASKRUN
    TokioUring,
    /// tokio on epoll, current-thread; files by its pool of threads
    Epoll,
}

impl Runtime {
    /// Its name on the command line and in the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OwnRing => "own-ring",
            Self::TokioUring => "tokio-uring",
            Self::Epoll => "epoll",
        }
    }
}

/// What a server is told.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// What it is built on
    #[arg(long, value_name = "RUNTIME")]
    runtime: Runtime,

    /// Write each frame so before it is answered (default: answer at once)
    #[arg(long, value_name = "CONTRACT")]
    disk: Option<Contract>,

    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Core of the loop; threads that wait for the disk run where they may
    #[arg(long, value_name = "N")]
    core: Option<usize>,

    /// A folder for the scratch file, on the disk to be measured
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
}

/// What frames are written to.
#[derive(Debug)]
struct Disk {
    path: PathBuf,
    contract: Contract,
}

impl Disk {
    fn open(&self) -> io::Result<File> {
        disk::open(&self.path, self.contract)
    }
}

/// Serves until SIGTERM or SIGINT; prints `listening on HOST:PORT` once it does.
///
/// # Errors
/// What it could not begin with.
pub fn serve(args: &ServeArgs) -> Result<bool, String> {
    let runtime = args.runtime;
    run(args).map(|()| true).map_err(|error| format!("the {} server: {error}", runtime.name()))
}

fn run(args: &ServeArgs) -> io::Result<()> {
    let signals = os::stop_signals()?;
    if let Some(core) = args.core {
        os::pin_to_core(core)?;
    }
    let disk = args.disk.map(|contract| prepare(&args.folder, contract)).transpose()?;
    match args.runtime {
        Runtime::OwnRing => {
            let (engine, address) = own_ring::start(args.listen, &args.folder, disk)?;
            println!("listening on {address}");
            wait_for(signals)?;
            engine.close();
        }
        Runtime::TokioUring => beside(tokio_ring::serve, args.listen, disk, signals)?,
        Runtime::Epoll => beside(epoll::serve, args.listen, disk, signals)?,
    }
    Ok(())
}

fn prepare(folder: &Path, contract: Contract) -> io::Result<Disk> {
    let path = folder.join("blocks.dat");
    disk::make(&path)?;
    let disk = Disk { path, contract };
    // Fails here, and not in the middle, where the file system has no O_DIRECT.
    disk.open()?;
    Ok(disk)
}

/// Serves on another thread until this one is told to stop, which then ends the process with whatever runs in it.
fn beside(
    serve: fn(TcpListener, Option<Disk>) -> io::Result<()>,
    listen: SocketAddr,
    disk: Option<Disk>,
    signals: OwnedFd,
) -> io::Result<()> {
    let listener = TcpListener::bind(listen)?;
    println!("listening on {}", listener.local_addr()?);
    thread::spawn(move || {
        if let Err(error) = serve(listener, disk) {
            eprintln!("tora-benches: serving has failed: {error}");
            std::process::exit(2);
        }
    });
    wait_for(signals)
}

fn wait_for(signals: OwnedFd) -> io::Result<()> {
    // The size of signalfd_siginfo (signalfd(2)).
    File::from(signals).read_exact(&mut [0; 128])
}

/// Says why a connection ended that its client did not end.
fn lost(error: &io::Error) {
    eprintln!("tora-benches: a connection is closed: {error}");
}
