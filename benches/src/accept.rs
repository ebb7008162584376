//! `accept`: every figure that has a target, measured in one command.
//!
//! What is compared runs in turn, round by round; a ratio is taken within each round, and the rounds' median counts. It
//! measures time, so it is no test: run it on a machine that does nothing else.

pub mod calm;
mod embedded;
pub mod load;
mod many;
mod part;
pub mod partitions;
pub mod probe;
pub mod process;
mod recovery;
pub mod report;
pub mod rounds;
mod start;
mod steady;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};

use crate::os;
use calm::Calm;
use load::Generator;
use part::Part;
use process::Server;
use report::Report;
pub use report::machine;

/// What to measure, and how long.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// Interleaved rounds of what is compared
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// Measured seconds of each producing run
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    duration: u64,

    /// The parts to measure (default: all of them)
    #[arg(long, value_name = "PART,…", value_delimiter = ',')]
    parts: Vec<Part>,

    /// The server to measure (default: the `tora` built beside this program)
    #[arg(long, value_name = "FILE")]
    tora: Option<PathBuf>,

    /// Where the results and, for the time of each run, the data go (default: results/local/DATE-TIME-accept)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What every part needs.
pub struct Setup {
    own: PathBuf,
    /// The server to measure.
    pub tora: PathBuf,
    /// The load generator.
    pub generator: Generator,
    /// What to wait for before a latency is measured.
    pub calm: Calm,
    /// Interleaved rounds of what is compared.
    pub rounds: u32,
    /// Where results go.
    pub out: PathBuf,
}

/// Runs the parts; true if every target is met.
pub fn run(args: &AcceptArgs) -> Result<bool, String> {
    let parts = if args.parts.is_empty() { Part::value_variants() } else { &args.parts };
    let setup = Setup::new("accept", args.rounds, args.duration, args.tora.as_ref(), args.out.as_ref())?;
    setup.check_room(parts.iter().map(|part| part.disk_bytes()).max().unwrap_or(0))?;
    let mut report = Report::new(&setup.out, std::env::args().collect());
    for part in parts {
        setup.calm_down(&report);
        if let Err(why) = part.measure(&setup, &mut report) {
            report.failed(&format!("{part:?}"), &why);
        }
    }
    report.write().map_err(|e| format!("cannot write the results to {}: {e}", setup.out.display()))?;
    println!("\n{}\nresults in {}", report.table(), setup.out.display());
    Ok(report.passed())
}

impl Setup {
    /// Builds what is measured. Each producing run takes `seconds`; `tora` and `out` are what the command line says.
    pub fn new(
        command: &str,
        rounds: u32,
        seconds: u64,
        tora: Option<&PathBuf>,
        out: Option<&PathBuf>,
    ) -> Result<Self, String> {
        if cfg!(debug_assertions) {
            return Err(format!(
                "measure an optimised build: cargo run --release -p tora-benches -- {command}"
            ));
        }
        let own = std::env::current_exe().map_err(|e| format!("cannot tell where this program lies: {e}"))?;
        build(&root()?)?;
        let out = match out {
            Some(out) => out.clone(),
            None => results_folder(command)?,
        };
        fs::create_dir_all(&out).map_err(|e| format!("cannot make {}: {e}", out.display()))?;
        let generator =
            Generator { program: own.with_file_name("tora-load"), duration: Duration::from_secs(seconds) };
        let tora = tora.cloned().unwrap_or_else(|| own.with_file_name("tora"));
        Ok(Self { own, tora, generator, calm: Calm::default(), rounds, out })
    }

    /// Refuses to begin where the disk is too full for `bytes` more: a run that meets the end of the disk measures
    /// refusals.
    pub fn check_room(&self, bytes: u64) -> Result<(), String> {
        let free = os::free_bytes(&self.out)
            .map_err(|e| format!("cannot tell how full the disk of {} is: {e}", self.out.display()))?;
        if free >= bytes {
            return Ok(());
        }
        let gb = |bytes: u64| bytes as f64 / 1e9;
        Err(format!(
            "the disk of {} has {:.1} GB free, and up to {:.0} GB are needed at a time: make room, name a folder on \
             another disk with --out, or choose other --parts",
            self.out.display(),
            gb(free),
            gb(bytes)
        ))
    }

    /// Waits for the disk to be done with the files that were removed last, and says so if that took a while: it stalls
    /// the writes of whoever is measured next.
    pub fn calm_down(&self, report: &Report) {
        match self.calm.wait(&self.generator.program, &self.out) {
            Ok(None) => {}
            Ok(Some(words)) => report.progress(&words),
            Err(why) => report.progress(&format!("not waited for a calm disk: {why}")),
        }
    }

    /// A folder of its own for one run, inside the results.
    pub fn folder(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.out.join(name);
        fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        Ok(folder)
    }

    /// Tora on two cores with its defaults and `extra` arguments, its data in `folder/data`.
    pub fn start_tora(&self, folder: &Path, extra: &[&str]) -> Result<Server, String> {
        let data = data_folder(folder);
        let data = data.to_string_lossy();
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--data-dir", &data];
        if !extra.contains(&"--cores") {
            arguments.extend(["--cores", "2"]);
        }
        arguments.extend(extra);
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        Server::start(&self.tora, &arguments, &folder.join("tora.log"))
    }

    /// The floor, flushing unless `extra` arguments say otherwise, its file in `folder`.
    fn start_floor(&self, folder: &Path, extra: &[&str]) -> Result<Server, String> {
        let file = folder.join("floor.dat");
        let mut arguments = vec!["floor", "--listen", "127.0.0.1:0", "--file"];
        let file = file.to_string_lossy();
        arguments.push(&file);
        arguments.extend(extra);
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        Server::start(&self.own, &arguments, &folder.join("floor.log"))
    }
}

/// Where a run's Tora keeps its data.
pub fn data_folder(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Removes a run's data: it is large, and the results stay.
pub fn remove_data(folder: &Path) -> Result<(), String> {
    let data = data_folder(folder);
    fs::remove_dir_all(&data).map_err(|e| format!("cannot remove {}: {e}", data.display()))
}

/// Builds `tora` and `tora-load` as this program was built.
fn build(root: &Path) -> Result<(), String> {
    println!("# cargo build --release");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release"])
        .current_dir(root)
        .status()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    if status.success() { Ok(()) } else { Err("the build failed; what it says is above".into()) }
}

/// The folder for the results of `what`, not made yet.
pub fn results_folder(what: &str) -> Result<PathBuf, String> {
    Ok(root()?.join("results/local").join(format!("{}-{what}", stamp())))
}

/// The repository.
fn root() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().map_err(|e| format!("the repository is gone ({}): {e}", root.display()))
}

/// Now, as in `2026-01-31T23-59-59Z`. date(1) knows the calendar.
fn stamp() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%dT%H-%M-%SZ"]).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            since.as_secs().to_string()
        }
    }
}

/// The middle of the numbers, or the mean of the two middle ones; none of none.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<_> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The median of the rounds' ratios: what swings from one round to the next swings for both.
pub fn median_ratio(
    over: impl IntoIterator<Item = f64>,
    under: impl IntoIterator<Item = f64>,
) -> Option<f64> {
    median(over.into_iter().zip(under).map(|(over, under)| over / under))
}

#[cfg(test)]
mod tests;
