//! What is measured: workloads, contenders, and the order in which they take turns.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::cell::Cell;
use super::floor;
use super::workloads::{self, Kind, Workload};
use crate::cli::CompareArgs;
use crate::report::figures::Figures;

/// What an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// On the disk.
    Flushed,
    /// The operating system or the device has it.
    Written,
}

impl Contract {
    /// Its name, as everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flushed => "flushed",
            Self::Written => "written",
        }
    }

    /// The topic's config that asks for it, of Tora and of Kafka alike: `flush.messages` and its value.
    pub fn topic_config(self) -> (String, String) {
        let value = match self {
            Self::Flushed => "1",
            Self::Written => "9223372036854775807",
        };
        ("flush.messages".to_owned(), value.to_owned())
    }
}

/// Which of the two brokers, or the yardstick beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Tora,
    Other,
    /// The bare server of `benches/`, which overwrites blocks that were written before.
    Floor,
    /// The same on blocks that never were, as a log that grows has them.
    FreshFloor,
}

impl Side {
    /// Whether it is the yardstick.
    pub const fn is_floor(self) -> bool {
        matches!(self, Self::Floor | Self::FreshFloor)
    }
}

/// A broker with a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contender {
    pub side: Side,
    pub contract: Contract,
}

impl Contender {
    pub const TORA_FLUSHED: Self = Self { side: Side::Tora, contract: Contract::Flushed };
    pub const TORA_WRITTEN: Self = Self { side: Side::Tora, contract: Contract::Written };
    pub const OTHER_FLUSHED: Self = Self { side: Side::Other, contract: Contract::Flushed };
    pub const OTHER_WRITTEN: Self = Self { side: Side::Other, contract: Contract::Written };

    pub const FLOOR_FLUSHED: Self = Self { side: Side::Floor, contract: Contract::Flushed };
    pub const FLOOR_WRITTEN: Self = Self { side: Side::Floor, contract: Contract::Written };
    pub const FRESH_FLOOR: Self = Self { side: Side::FreshFloor, contract: Contract::Flushed };

    /// Both brokers at both contracts, in the order of a round.
    pub const ALL: [Self; 4] =
        [Self::TORA_FLUSHED, Self::OTHER_WRITTEN, Self::TORA_WRITTEN, Self::OTHER_FLUSHED];

    /// The same and the yardstick.
    pub const WITH_FLOOR: [Self; 7] = [
        Self::TORA_FLUSHED,
        Self::OTHER_WRITTEN,
        Self::TORA_WRITTEN,
        Self::OTHER_FLUSHED,
        Self::FLOOR_FLUSHED,
        Self::FRESH_FLOOR,
        Self::FLOOR_WRITTEN,
    ];

    /// Each broker at its own default: for what a contract does not change.
    pub const DEFAULTS: [Self; 2] = [Self::TORA_FLUSHED, Self::OTHER_WRITTEN];

    /// Its place among all, which is its colour.
    pub fn place(self) -> usize {
        Self::WITH_FLOOR.iter().position(|&other| other == self).expect("it is one of them")
    }
}

/// Which contenders are held against one another: Tora's, and the other's.
pub struct Pair {
    pub ours: Contender,
    pub theirs: Contender,
}

impl Pair {
    /// Each broker at its own default first, then both at the same contract.
    pub const ALL: [Self; 3] = [
        Self { ours: Contender::TORA_FLUSHED, theirs: Contender::OTHER_WRITTEN },
        Self { ours: Contender::TORA_WRITTEN, theirs: Contender::OTHER_WRITTEN },
        Self { ours: Contender::TORA_FLUSHED, theirs: Contender::OTHER_FLUSHED },
    ];
}

/// Which cores the broker and the load generator run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Both on all of them, unpinned.
    Shared,
    /// The broker on the first, the load generator on the second.
    Split,
}

impl Layout {
    /// In the order in which they are measured.
    pub const ALL: [Self; 2] = [Self::Shared, Self::Split];
    /// Where the broker is in a split layout, and where the load generator.
    pub const BROKER_CORE: usize = 0;
    pub const GENERATOR_CORE: usize = 1;

    /// Its name, as everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Split => "split",
        }
    }
}

/// The whole comparison.
pub struct Plan {
    pub workloads: Vec<Workload>,
    pub rounds: u32,
    pub duration: Duration,
    pub warmup: Duration,
    /// What is written before it is read back.
    pub fetch_bytes: u64,
    /// What the other broker is called.
    pub other: String,
    /// The program that is the floor; `None` where it is not there.
    pub floor: Option<PathBuf>,
    /// Workloads that were asked for and cannot be measured here, with the reason.
    pub left_out: Vec<(Workload, String)>,
}

impl Plan {
    /// Reads it off the arguments.
    ///
    /// # Errors
    /// A sentence, where nothing would be measured.
    pub fn new(args: &CompareArgs) -> Result<Self, String> {
        let wanted = |workload: &Workload| {
            args.only.iter().any(|text| workload.name.contains(text))
                || args.workloads.iter().any(|name| workload.name == name)
                || (args.only.is_empty() && args.workloads.is_empty() && (workload.quick || !args.quick))
        };
        let all = workloads::all();
        let names = || all.iter().map(|workload| workload.name).collect::<Vec<_>>().join(", ");
        if let Some(unknown) = args.workloads.iter().find(|name| all.iter().all(|w| w.name != **name)) {
            return Err(format!("--workloads {unknown}: no such workload; there are {}", names()));
        }
        let chosen: Vec<_> = all.iter().copied().filter(wanted).collect();
        if chosen.is_empty() {
            return Err(format!("--only {}: no such workload; there are {}", args.only.join(", "), names()));
        }
        let (rounds, millis, warmup, fetch_bytes) =
            if args.quick { (2, 1500, 500, 500_000_000) } else { (3, 3000, 1000, 4_000_000_000) };
        let rounds = args.rounds.unwrap_or(rounds);
        if rounds == 0 {
            return Err("--rounds 0 measures nothing: give at least 1".into());
        }
        let (left_out, workloads): (Vec<_>, Vec<_>) = chosen
            .into_iter()
            .map(|workload| (workload, impossible(&workload, args)))
            .partition(|(_, why)| why.is_some());
        Ok(Self {
            workloads: workloads.into_iter().map(|(workload, _)| workload).collect(),
            rounds,
            duration: args.duration.unwrap_or(Duration::from_millis(millis)),
            warmup: args.warmup.unwrap_or(Duration::from_millis(warmup)),
            fetch_bytes: args.fetch_bytes.unwrap_or(fetch_bytes),
            other: args.peer.as_ref().map_or_else(|| "kafka".to_owned(), |peer| peer.name.clone()),
            floor: floor::find_program(args.floor.as_deref())?,
            left_out: left_out.into_iter().filter_map(|(workload, why)| Some((workload, why?))).collect(),
        })
    }

    /// What a results folder holds: the workloads that have a folder in it, by what its description says of the rest.
    ///
    /// # Errors
    /// A sentence, where there is no comparison in it.
    pub fn of_results(args: &CompareArgs, out: &Path, description: &Value) -> Result<Self, String> {
        let figures = Figures(description);
        let there = |workload: &Workload| out.join(workload.name).is_dir();
        let workloads: Vec<_> = workloads::all().into_iter().filter(there).collect();
        let rounds = figures.number("rounds").unwrap_or(0.0) as u32;
        if rounds == 0 || workloads.is_empty() {
            return Err(format!(
                "{} holds no comparison: there is no workload's folder beside a compare.json",
                out.display()
            ));
        }
        let seconds =
            |path| Duration::try_from_secs_f64(figures.number(path).unwrap_or(0.0)).unwrap_or_default();
        let left_out = figures.at("left_out").as_array().into_iter().flatten().filter_map(|pair| {
            let named = |workload: &Workload| pair[0] == workload.name;
            Some((workloads::all().into_iter().find(named)?, pair[1].as_str()?.to_owned()))
        });
        Ok(Self {
            workloads,
            rounds,
            duration: seconds("duration_seconds"),
            warmup: seconds("warmup_seconds"),
            fetch_bytes: figures.number("fetch_bytes").unwrap_or(0.0) as u64,
            other: figures.text("other").unwrap_or("kafka").to_owned(),
            floor: floor::find_program(args.floor.as_deref())?,
            left_out: left_out.collect(),
        })
    }

    /// Whether what `cell` measures is there.
    pub fn can_run(&self, cell: &Cell) -> bool {
        self.floor.is_some() || !cell.contender.side.is_floor()
    }

    /// What will not be measured, and why.
    pub fn missing(&self) -> Vec<String> {
        let with_floor = |workload: &Workload| workload.contenders.iter().any(|c| c.side.is_floor());
        let left_out =
            self.left_out.iter().map(|(workload, why)| format!("{} is left out: {why}", workload.name));
        let floor = (self.floor.is_none() && self.workloads.iter().any(with_floor))
            .then(|| format!("the floor is {}", floor::MISSING));
        left_out.chain(floor).collect()
    }

    /// Every measurement, in the order in which they are made: layout by layout, round by round, in each round workload
    /// by workload, and in each workload contender by contender, backwards in every second round so that nobody always
    /// comes after the same one.
    pub fn cells(&self, out: &Path) -> Vec<Cell> {
        let mut cells = Vec::new();
        for layout in Layout::ALL {
            for round in 1..=self.rounds {
                let due = |w: &&Workload| w.layout == layout && round <= w.rounds;
                for &workload in self.workloads.iter().filter(due) {
                    let mut turn = workload.contenders.to_vec();
                    if round % 2 == 0 {
                        turn.reverse();
                    }
                    let cell = |contender| Cell::new(self, out, workload, contender, round);
                    cells.extend(turn.into_iter().map(cell));
                }
            }
        }
        cells
    }

    /// At most how many rounds.
    pub fn rounds_in_words(&self) -> String {
        if self.rounds == 1 { "one round".into() } else { format!("up to {} rounds", self.rounds) }
    }

    /// How long `workload` is measured.
    pub fn duration_of(&self, workload: Workload) -> Duration {
        self.duration.mul_f64(workload.times)
    }

    /// What a broker is called.
    pub fn broker_name(&self, side: Side) -> &str {
        match side {
            Side::Tora => "tora",
            Side::Other => &self.other,
            Side::Floor => "floor",
            Side::FreshFloor => "fresh floor",
        }
    }

    /// What a contender is called.
    pub fn name(&self, contender: Contender) -> String {
        format!("{} {}", self.broker_name(contender.side), contender.contract.name())
    }
}

/// Why a workload cannot be measured on this machine, or with this peer.
fn impossible(workload: &Workload, args: &CompareArgs) -> Option<String> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let ours_to_start = matches!(workload.kind, Kind::Start | Kind::Recovery { .. });
    if args.peer.is_some() && ours_to_start {
        return Some("a peer is not ours to start and to kill".into());
    }
    if args.peer.is_some() && workload.layout == Layout::Split {
        return Some("a peer is not ours to bind to a core".into());
    }
    if args.peer.is_some() && matches!(workload.kind, Kind::Tool(_)) {
        return Some("Kafka's tools come with Kafka, which a peer stands in for".into());
    }
    if workload.layout == Layout::Split && processors < 2 {
        return Some("there is one core only".into());
    }
    None
}

#[cfg(test)]
mod tests;
