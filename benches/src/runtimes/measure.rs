//! The rounds: the servers in turn do the same work for the same client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::client::{Answered, Client};
use super::servers::Runtime;
use super::work::Work;
use crate::accept::process::{Server, cpu_seconds_of};

/// Connections, buffers and the caches are warm by then.
const WARM_UP: Duration = Duration::from_millis(300);

/// What is measured, and where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// This program, which is the servers' as well.
    pub program: PathBuf,
    /// For scratch files and the servers' logs.
    pub folder: PathBuf,
    /// In the order of the first round; every other round goes backwards.
    pub runtimes: Vec<Runtime>,
    /// One after the other, all their rounds.
    pub works: Vec<Work>,
    /// Interleaved rounds.
    pub rounds: u32,
    /// Of each server's turn in a round.
    pub duration: Duration,
    /// The core of the servers' loops.
    pub server_core: usize,
}

/// One server's turn.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Whose.
    pub runtime: Runtime,
    /// Answered frames per second.
    pub frames_per_second: f64,
    /// CPU time of the server's process for each, all its threads together, in microseconds.
    pub server_cpu_us: f64,
    /// Cores that the server kept busy on average.
    pub server_cores: f64,
    /// Cores that the client kept busy on average: near 1 it is the bottleneck, since it has one thread.
    pub client_cores: f64,
    /// Latencies in microseconds at the median and the 99th percentile, where each answer was waited for.
    pub latency_us: Option<[f64; 2]>,
}

/// All turns of one kind of work.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The work.
    pub work: Work,
    /// In the order in which they were taken.
    pub turns: Vec<Turn>,
}

/// Measures one kind of work.
///
/// # Errors
/// A server that does not start, fails or answers wrongly.
pub fn measure(plan: &Plan, work: Work) -> Result<Measured, String> {
    let mut turns = Vec::new();
    for round in 0..plan.rounds {
        let mut order = plan.runtimes.clone();
        if round % 2 == 1 {
            order.reverse();
        }
        for runtime in order {
            let turn = turn(plan, work, runtime)
                .map_err(|why| format!("{} serving {}: {why}", runtime.name(), work.name()))?;
            println!(
                "# {} {}/{} {}: {:.0} frames/s, {:.2} CPU-µs each, client at {:.0} %",
                work.name(),
                round + 1,
                plan.rounds,
                runtime.name(),
                turn.frames_per_second,
                turn.server_cpu_us,
                100.0 * turn.client_cores
            );
            turns.push(turn);
        }
    }
    Ok(Measured { work, turns })
}

fn turn(plan: &Plan, work: Work, runtime: Runtime) -> Result<Turn, String> {
    let server = Server::start(&plan.program, &arguments(plan, work, runtime), &log(&plan.folder, runtime))?;
    let turn = drive(&server, plan, work, runtime);
    server.stop()?;
    turn
}

fn drive(server: &Server, plan: &Plan, work: Work, runtime: Runtime) -> Result<Turn, String> {
    let problem = |error: std::io::Error| error.to_string();
    let own_cpu = || cpu_seconds_of(std::process::id());
    let mut client = Client::connect(&server.address, work.load()).map_err(problem)?;
    client.run(WARM_UP).map_err(problem)?;
    let (server_before, own_before) = (server.cpu_seconds()?, own_cpu()?);
    let answered = client.run(plan.duration).map_err(problem)?;
    let (server_cpu, own_cpu) = (server.cpu_seconds()? - server_before, own_cpu()? - own_before);
    client.close().map_err(problem)?;
    Ok(of(runtime, &answered, server_cpu, own_cpu))
}

fn of(runtime: Runtime, answered: &Answered, server_cpu: f64, client_cpu: f64) -> Turn {
    let (frames, seconds) = (answered.frames.max(1) as f64, answered.took.as_secs_f64());
    Turn {
        runtime,
        frames_per_second: answered.frames as f64 / seconds,
        server_cpu_us: server_cpu * 1e6 / frames,
        server_cores: server_cpu / seconds,
        client_cores: client_cpu / seconds,
        latency_us: answered.latencies.as_ref().map(|all| [all.micros(0.5), all.micros(0.99)]),
    }
}

fn arguments(plan: &Plan, work: Work, runtime: Runtime) -> Vec<String> {
    let core = plan.server_core.to_string();
    let folder = plan.folder.to_string_lossy();
    let mut arguments =
        vec!["serve-runtime", "--runtime", runtime.name(), "--core", &core, "--folder", &folder];
    if let Some(contract) = work.disk() {
        arguments.extend(["--disk", contract.name()]);
    }
    arguments.into_iter().map(str::to_owned).collect()
}

fn log(folder: &Path, runtime: Runtime) -> PathBuf {
    folder.join(format!("{}.log", runtime.name()))
}
