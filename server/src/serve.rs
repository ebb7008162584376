//! `tora serve`: from the settings to a running server and to its end.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use signal_hook::consts::{SIGINT, SIGTERM};
use tora_engine::Engine;
use tora_engine::io::{Socket, raise_descriptors_max, socket};
use tora_engine::placement::CATALOG_SHARD;

use crate::cli::Serve;
use crate::config::{HostPort, Settings, file};
use crate::limits;
use crate::service::{Common, Server, groups};

/// How soon a signal is noticed.
const SIGNAL_POLL: Duration = Duration::from_millis(50);

/// Serves until it is told to stop.
///
/// # Errors
/// What stands against it, and what to do.
pub fn serve(flags: &Serve) -> Result<(), String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| format!("signals cannot be handled: {error}"))?;
    }
    let settings = settings(flags)?;
    let address = settings
        .listen
        .resolve()
        .map_err(|error| format!("the address {} cannot be found: {error}", settings.listen))?;
    let (listener, bound) = listen(address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => format!(
            "{address} is in use by another process: stop that one, or choose another port with --listen HOST:PORT"
        ),
        _ => format!("listening on {address} failed: {error}"),
    })?;
    let advertised = match &settings.advertised {
        Some(advertised) => advertised.clone(),
        None => HostPort { host: settings.listen.host.clone(), port: bound.port() },
    };
    let cores = usize::from(settings.engine.shards);
    let common = Arc::new(Common {
        advertised,
        inboxes: (0..cores).map(|_| ArrayQueue::new(limits::INBOX_CONNECTIONS)).collect(),
        group_mail: groups::queues(cores),
        connections: AtomicU32::new(0),
        settings,
    });
    // Connections and segment files are this process's only use of them.
    raise_descriptors_max();
    let engine = Engine::open_with(common.settings.engine.clone(), |id| {
        Server::new(id, Arc::clone(&common), (id == CATALOG_SHARD).then_some(listener))
    })
    .map_err(|error| error.to_string())?;
    let mut out = io::stdout().lock();
    // Whoever started the server may wait for this line, or not read it at all.
    let _ = writeln!(out, "listening on {bound}").and_then(|()| out.flush());
    drop(out);
    let mut failed = false;
    while !stop.load(Ordering::Relaxed) && !failed {
        failed = engine.wait_for_failure(SIGNAL_POLL);
    }
    engine.close();
    if failed { Err("a core has failed; the reason is logged above".to_owned()) } else { Ok(()) }
}

/// Listens. A server that was killed lets go of its port only once the kernel has taken down its rings, a moment after its
/// end: whoever starts it again at once need not know.
#[expect(clippy::disallowed_methods, reason = "before any shard runs")]
fn listen(address: SocketAddr) -> io::Result<(Socket, SocketAddr)> {
    let mut tries = limits::LISTEN_TRIES;
    loop {
        tries -= 1;
        match socket::listen(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && tries > 0 => {
                std::thread::sleep(Duration::from_millis(limits::LISTEN_RETRY_MS));
            }
            result => return result,
        }
    }
}

/// Defaults, then the file, then flags, then `--set`.
fn settings(flags: &Serve) -> Result<Settings, String> {
    let mut settings = Settings::default();
    let mut set = |name: &str, value: &str, place: &str| {
        settings.set(name, value, place).map_err(|error| error.to_string())
    };
    if let Some(path) = &flags.config {
        #[expect(clippy::disallowed_methods, reason = "before any shard runs")]
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("the configuration {} cannot be read: {error}", path.display()))?;
        for line in file::parse(&text) {
            set(&line.name, &line.value, &format!("{}:{}", path.display(), line.number))?;
        }
    }
    if let Some(listen) = &flags.listen {
        set("listeners", listen, "--listen")?;
    }
    if let Some(data_dir) = &flags.data_dir {
        set("log.dirs", &data_dir.to_string_lossy(), "--data-dir")?;
    }
    if let Some(cores) = flags.cores {
        set("tora.cores", &cores.to_string(), "--cores")?;
    }
    for pair in &flags.set {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| format!("--set {pair}: write it as KEY=VALUE"))?;
        set(name.trim(), value, "--set")?;
    }
    settings.check().map_err(|error| error.to_string())?;
    Ok(settings)
}
