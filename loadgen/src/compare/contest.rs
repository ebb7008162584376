//! The two brokers, both running while they take turns.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cell::Cell;
use super::kafka::Kafka;
use super::plan::{Contender, Contract, Plan, Side};
use crate::broker::{DataDir, Launch, Tora};
use crate::cli::CompareArgs;
use crate::progress::Progress;
use crate::sys;

/// A running broker, as a measurement needs it.
pub struct Broker {
    /// HOST:PORT.
    pub address: String,
    pub pid: Option<u32>,
    /// Where its data is, if it is ours.
    pub folder: Option<PathBuf>,
}

/// Both brokers. What is ours is ended with the value, and then its data is removed.
pub struct Contest {
    tora: Broker,
    other: Broker,
    version: Option<String>,
    about_other: Value,
    out: PathBuf,
    own_tora: Tora,
    own_kafka: Option<Kafka>,
    // Behind the processes: they are ended first.
    data: Vec<DataDir>,
}

impl Contest {
    /// Starts Tora, and Kafka unless there is a peer.
    ///
    /// # Errors
    /// A sentence that says what to do, where one of them does not start.
    pub fn start(args: &CompareArgs, plan: &Plan, out: &Path, progress: &Progress) -> Result<Self, String> {
        let parent = args.data_dir.clone().unwrap_or_else(|| out.to_path_buf());
        let mut data = Vec::new();
        let mut folder = |name: &str| {
            let dir = DataDir::create(parent.join(format!("data-{name}-{}", std::process::id())), false)?;
            let path = dir.path().canonicalize().map_err(|e| format!("the data folder is gone: {e}"))?;
            data.push(dir);
            Ok::<_, String>(path)
        };
        let tora_folder = folder("tora")?;
        let launch = Launch {
            program: args.tora.clone().map_or_else(Launch::find_program, Ok)?,
            data_dir: tora_folder.clone(),
            cores: args.cores,
            settings: Vec::new(),
            log: out.join("tora.log"),
        };
        let own_tora = launch.start()?;
        let (own_kafka, other, about_other) = if let Some(peer) = &args.peer {
            let other = Broker { address: peer.address.clone(), pid: peer.pid, folder: None };
            (
                None,
                other,
                json!({ "name": peer.name, "address": peer.address, "settings": "not known to tora-load" }),
            )
        } else {
            let libs = Kafka::libs(args.kafka_home.as_deref(), args.cache.as_deref(), progress)?;
            let kafka_folder = folder("kafka")?;
            progress.say("starting Apache Kafka");
            let kafka = Kafka::start(&libs, &kafka_folder, &out.join("kafka.log"))?;
            let other = Broker {
                address: kafka.address().to_owned(),
                pid: Some(kafka.pid()),
                folder: Some(kafka_folder),
            };
            let about = kafka.describe();
            (Some(kafka), other, about)
        };
        let tora = Broker {
            address: own_tora.address().to_owned(),
            pid: Some(own_tora.pid()),
            folder: Some(tora_folder),
        };
        progress.say(&format!("tora at {}, {} at {}", tora.address, plan.other, other.address));
        let version = launch.version();
        Ok(Self { tora, other, version, about_other, out: out.to_path_buf(), own_tora, own_kafka, data })
    }

    /// The broker behind a contender.
    pub fn broker(&self, contender: Contender) -> &Broker {
        match contender.side {
            Side::Tora => &self.tora,
            Side::Other => &self.other,
        }
    }

    /// What is compared, for the results.
    pub fn describe(&self) -> Value {
        json!({
            "tora": { "name": "tora", "version": self.version, "settings": "defaults; flush.messages by topic" },
            "other": self.about_other,
        })
    }

    /// Runs each broker for a while without counting it: a JVM compiles what it runs often.
    ///
    /// # Errors
    /// A sentence, where one of them cannot be driven at all.
    pub fn warm_up(&self, plan: &Plan, progress: &Progress) -> Result<(), String> {
        /// Of a measurement's time: nine seconds in a quick comparison, half a minute in a whole one.
        const TIMES: u32 = 3;
        let long = Plan {
            duration: plan.duration * TIMES,
            other: plan.other.clone(),
            workloads: Vec::new(),
            ..*plan
        };
        for side in [Side::Other, Side::Tora] {
            progress.say(&format!("warming up {}", plan.broker_name(side)));
            let contender = Contender { side, contract: Contract::Written };
            let cell = Cell::new(&long, &self.out.join("warm-up"), plan.workloads[0], contender, 0);
            cell.measure(self.broker(contender), &long)?;
        }
        Ok(())
    }

    /// Waits until everything written so far is on the disk.
    ///
    /// # Errors
    /// A sentence, where one of the brokers is gone.
    pub fn settle(&self) -> Result<(), String> {
        for folder in self.data.iter().map(DataDir::path) {
            sys::sync_filesystem(folder)
                .map_err(|e| format!("cannot write out the caches of {}: {e}", folder.display()))?;
        }
        Ok(())
    }

    /// Ends what is ours.
    ///
    /// # Errors
    /// A sentence, where a broker did not end well.
    pub fn end(self) -> Result<(), String> {
        let Self { own_tora, own_kafka, data, .. } = self;
        let ended = own_tora.stop();
        let kafka_ended = own_kafka.map_or(Ok(()), Kafka::stop);
        drop(data);
        ended.and(kafka_ended)
    }
}
