//! Many partitions: how soon a broker is ready after `kill -9` with ten thousand of them, and what they cost it idle.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tora_engine::batch::BatchBuilder;
use tora_engine::types::PartitionId;
use tora_engine::{Config, Engine};

use super::report::Report;
use super::{Setup, data_folder, remove_data};

const PARTITIONS: i32 = 10_000;
/// Records in each of them before the kill.
const RECORDS: i64 = 3;
const READY_SECONDS_MAX: f64 = 3.0;
/// Whatever a server does after its start is over by then, and idle partitions have given back their memory.
const SETTLED_AFTER: Duration = Duration::from_secs(8);
const FILLED: &str = "filled";

/// What the filling process is told.
#[derive(Debug, Args)]
pub struct FillArgs {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// Fills a data folder, says so, and goes on appending until it is killed.
pub fn fill(args: &FillArgs) -> Result<bool, String> {
    let run = || -> Result<(), Box<dyn std::error::Error>> {
        let mut config = Config::new(&args.dir);
        config.shards = 2;
        let engine = Engine::open(config)?;
        let handle = engine.handle();
        let topic = handle.create_topic("partitions", PARTITIONS, &[])?.wait()?.id;
        let mut builder = BatchBuilder::new(1 << 10);
        builder.push(0, None, Some(&[b'.'; 100]))?;
        let batch = builder.finish().ok_or("it has a record")?;
        for round in 0.. {
            if round == RECORDS {
                println!("{FILLED}");
                std::io::stdout().flush()?;
            }
            let pending: Vec<_> = (0..PARTITIONS)
                .map(|index| PartitionId::new(topic, index))
                .map(|partition| handle.when_room(|handle| handle.append(partition, batch)).wait())
                .collect::<Result<_, _>>()?;
            for pending in pending {
                pending.wait()?;
            }
        }
        Ok(())
    };
    run().map(|()| true).map_err(|error| error.to_string())
}

/// Fills ten thousand partitions, kills the process that does under load, and times the server's next start.
pub fn ready(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let folder = setup.folder("partitions")?;
    let filled = Instant::now();
    fill_and_kill(&setup.own, &data_folder(&folder))?;
    let filling = filled.elapsed().as_secs_f64();

    let server = setup.start_tora(&folder, &[])?;
    let ready = server.ready_after.as_secs_f64();
    thread::sleep(SETTLED_AFTER);
    let resident = server.resident_bytes()?;
    server.stop()?;
    remove_data(&folder)?;

    report.check(
        "10,000 partitions: ready after kill -9",
        &format!("< {READY_SECONDS_MAX} s"),
        &format!("{ready:.3} s (filled in {filling:.1} s)"),
        ready < READY_SECONDS_MAX,
    );
    let mib = resident as f64 / f64::from(1 << 20);
    report.check("10,000 partitions: resident when idle", "stated", &format!("{mib:.1} MiB"), true);
    report.detail(
        "partitions",
        json!({ "partitions": PARTITIONS, "ready_seconds": ready, "resident_bytes": resident, "fill_seconds": filling }),
    );
    Ok(())
}

fn fill_and_kill(own: &Path, data: &Path) -> Result<(), String> {
    let problem = |error| format!("cannot fill {}: {error}", data.display());
    let mut filler = Command::new(own)
        .arg("fill-partitions")
        .arg("--dir")
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(problem)?;
    let mut line = String::new();
    let output = filler.stdout.take().expect("standard output is a pipe, and nobody has taken it");
    let heard = BufReader::new(output).read_line(&mut line);
    // In the middle of the next round.
    thread::sleep(Duration::from_millis(200));
    filler.kill().and_then(|()| filler.wait()).map_err(problem)?;
    heard.map_err(problem)?;
    if line.trim() == FILLED { Ok(()) } else { Err(format!("filling {} failed; see above", data.display())) }
}
