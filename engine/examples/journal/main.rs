//! A service that keeps its journal in an embedded engine: an order book.
//!
//! `cargo run --release --example journal -p tora-engine -- --help`
//!
//! Every command is appended to the journal and takes effect when it is on the disk, in the order of the journal. On
//! start the book is rebuilt from the last snapshot and the commands after it. Kill it whenever you like: what it has
//! acknowledged is there again.
#![expect(
    clippy::disallowed_methods,
    reason = "the seam is the engine's; an embedding service uses std as it likes"
)]

mod book;
mod command;
mod journal;

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use hdrhistogram::Histogram;
use tora_engine::handle::PendingRecord;

use book::Book;
use command::Command;
use journal::Journal;

const HELP: &str = "\
Keeps an order book whose commands stand in a journal before they take effect; prints how long each took to be on the disk.

  --dir DIR          the data folder; kept afterwards (default: a temporary one in the current directory)
  --commands N       commands to take (200000)
  --in-flight N      commands under way at once (64)
  --rate N           commands per second (0: as fast as they go)
  --snapshot N       a snapshot after so many commands (0: none) (100000)
  --say              print each command's number once it is acknowledged, with a digest of the book after it; and, while
                     the journal is read on start, the same for every command there
";

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    if env::args().any(|arg| arg == "--help" || arg == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match Options::parse(env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("journal: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let temporary = options.dir.is_none();
    let folder =
        options.dir.clone().unwrap_or_else(|| PathBuf::from(format!("tora-journal-{}", process::id())));
    let begun = Instant::now();
    let journal = Journal::open(&folder)?;
    let recovered = journal.recover(|book| options.say("recovered", book))?;
    recovered.check()?;
    println!(
        "{} commands in the journal, {} orders rest; ready after {:.1} ms, and what must hold holds",
        recovered.applied(),
        recovered.resting(),
        begun.elapsed().as_secs_f64() * 1e3
    );
    assert_eq!(recovered.applied(), journal.len()?, "every command was applied once");

    let book = Service { options, journal: &journal, book: recovered, under_way: VecDeque::new() }.work()?;
    book.check()?;
    println!("{} commands, {} units traded, {} orders rest", book.applied(), book.traded(), book.resting());

    // What a start would find must be what the service has in memory.
    let again = journal.recover(|_| ())?;
    if again != book {
        return Err("the journal tells another story than the book".into());
    }
    journal.close();
    if temporary {
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// A command on its way to the disk.
struct UnderWay {
    command: Command,
    sent: Instant,
    pending: PendingRecord,
}

struct Service<'a> {
    options: &'a Options,
    journal: &'a Journal,
    book: Book,
    under_way: VecDeque<UnderWay>,
}

impl Service<'_> {
    fn work(mut self) -> Result<Book, Failure> {
        // Up to a minute in nanoseconds, to three digits.
        let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3)?;
        let (begun, first) = (Instant::now(), self.book.applied());
        for number in first..first + self.options.commands {
            self.wait_for_turn(begun, number - first);
            if self.under_way.len() == self.options.in_flight {
                self.take_effect(&mut latencies)?;
            }
            // Whatever is answered already takes effect before anything new comes.
            while self.under_way.front().is_some_and(|first| first.pending.is_ready()) {
                self.take_effect(&mut latencies)?;
            }
            let command = Command::made_up(number);
            let sent = Instant::now();
            let pending = self.journal.append(command)?;
            self.under_way.push_back(UnderWay { command, sent, pending });
        }
        while !self.under_way.is_empty() {
            self.take_effect(&mut latencies)?;
        }
        if !latencies.is_empty() {
            print_latencies(&latencies, begun.elapsed());
        }
        Ok(self.book)
    }

    fn wait_for_turn(&self, begun: Instant, number: u64) {
        if self.options.rate > 0 {
            let due = begun + Duration::from_secs_f64(number as f64 / self.options.rate as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// Waits for the oldest command to be on the disk, then does what it says.
    fn take_effect(&mut self, latencies: &mut Histogram<u64>) -> Result<(), Failure> {
        let UnderWay { command, sent, pending } = self.under_way.pop_front().ok_or("nothing is under way")?;
        let offset = pending.wait()?;
        latencies.saturating_record(u64::try_from(sent.elapsed().as_nanos())?);
        if u64::try_from(offset.value())? != self.book.applied() {
            return Err(format!("somebody else appended to the journal, too: offset {offset}").into());
        }
        self.book.apply(command);
        self.options.say("acknowledged", &self.book);
        if self.options.snapshot > 0 && self.book.applied().is_multiple_of(self.options.snapshot) {
            self.journal.snapshot(&self.book)?;
        }
        Ok(())
    }
}

fn print_latencies(latencies: &Histogram<u64>, took: Duration) {
    println!(
        "{:.0} commands/s; from a command to its being on the disk, µs:",
        latencies.len() as f64 / took.as_secs_f64()
    );
    for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
        println!("  {name:<6} {:>9.1}", latencies.value_at_quantile(quantile) as f64 / 1e3);
    }
    println!("  share of the commands by latency:");
    let longest = 50.0;
    for step in latencies.iter_log(16_000, 2.0) {
        let share = step.count_since_last_iteration() as f64 / latencies.len() as f64;
        if share > 0.0 {
            let bar = "#".repeat((share * longest).ceil() as usize);
            println!("  {:>9.0} {:>6.2} % {bar}", step.value_iterated_to() as f64 / 1e3, share * 100.0);
        }
    }
}

struct Options {
    dir: Option<PathBuf>,
    commands: u64,
    in_flight: usize,
    rate: u64,
    snapshot: u64,
    say: bool,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options =
            Self { dir: None, commands: 200_000, in_flight: 64, rate: 0, snapshot: 100_000, say: false };
        while let Some(name) = args.next() {
            if name == "--say" {
                options.say = true;
                continue;
            }
            let value =
                args.next().ok_or_else(|| format!("{name} needs a value (--help lists the options)"))?;
            let number =
                || value.parse::<u64>().map_err(|_| format!("{name} takes a whole number, not {value}"));
            match name.as_str() {
                "--dir" => options.dir = Some(PathBuf::from(&value)),
                "--commands" => options.commands = number()?,
                "--in-flight" => options.in_flight = usize::try_from(number()?)?.max(1),
                "--rate" => options.rate = number()?,
                "--snapshot" => options.snapshot = number()?,
                _ => return Err(format!("there is no option {name} (--help lists them)").into()),
            }
        }
        Ok(options)
    }

    fn say(&self, what: &str, book: &Book) {
        if self.say {
            let mut out = io::stdout().lock();
            // A reader that is gone does not stop the service.
            let _ = writeln!(out, "{what} {} {:016x}", book.applied(), book.digest());
            let _ = out.flush();
        }
    }
}
