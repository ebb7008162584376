//! The broker under test: a `tora` of ours, which is started, restarted and ended here, or somebody else's.

use std::path::Path;
use std::time::Duration;

use crate::admin::Admin;
use crate::broker::{DataDir, Launch, Tora};
use crate::cli::BrokerArgs;
use crate::disk::Volume;
use crate::durability::Durability;
use crate::page_cache;
use crate::probe::{self, DiskProbe};
use crate::progress::Progress;
use crate::summary::BrokerReport;

/// The broker under test, and what is ours of it.
pub struct Subject {
    address: String,
    pid: Option<u32>,
    /// Ours: how to start it, and the process while it runs. Declared before its folder, so that it is stopped first.
    own: Option<(Launch, Option<Tora>)>,
    /// Removed at the end.
    _data_dir: Option<DataDir>,
    volume: Option<Volume>,
    /// How long each start took.
    ready_after: Vec<Duration>,
}

impl Subject {
    /// Starts a `tora` of ours, or takes the broker that `args` name, whose process is `pid`.
    ///
    /// # Errors
    /// A sentence that says what to do, where it does not start.
    pub fn start(
        args: &BrokerArgs,
        pid: Option<u32>,
        out: &Path,
        started_at: &str,
        progress: &Progress,
    ) -> Result<Self, String> {
        let volume_of = |folder: &Path| {
            Volume::below(folder)
                .map_err(|e| format!("cannot tell which disk holds {}: {e}", folder.display()))
        };
        if let Some(bootstrap) = &args.bootstrap {
            if args.data_dir.is_none() {
                progress.say("note: without --data-dir the broker's disk is unknown, and nobody stops the run before it is full");
            }
            return Ok(Self {
                address: bootstrap.clone(),
                pid,
                own: None,
                _data_dir: None,
                volume: args.data_dir.as_deref().map(volume_of).transpose()?,
                ready_after: Vec::new(),
            });
        }
        let program = args.tora.clone().map_or_else(Launch::find_program, Ok)?;
        let parent = args.data_dir.clone().unwrap_or_else(|| out.to_path_buf());
        let folder = format!("data-{started_at}-{}", std::process::id());
        let data_dir = DataDir::create(parent.join(folder), args.keep_data)?;
        let volume = volume_of(data_dir.path())?;
        let launch = Launch {
            program,
            data_dir: data_dir.path().to_path_buf(),
            cores: args.cores,
            settings: args.set.clone(),
            bound_to: None,
            log: out.join("tora.log"),
        };
        let tora = launch.start()?;
        Ok(Self {
            address: tora.address().to_owned(),
            pid: Some(tora.pid()),
            ready_after: vec![tora.ready_after()],
            own: Some((launch, Some(tora))),
            _data_dir: Some(data_dir),
            volume: Some(volume),
        })
    }

    /// The disk's own times, while the broker has nothing to do.
    pub fn probe(&self, out: &Path, progress: &Progress) -> Option<DiskProbe> {
        let volume = self.volume.as_ref().filter(|volume| !volume.is_memory())?;
        progress.say("measuring the disk itself: 4 KiB written and flushed");
        match probe::measure(&volume.folder, out) {
            Ok(probe) => Some(probe),
            Err(error) => {
                progress.say(&format!(
                    "the disk itself cannot be measured in {}: {error}",
                    volume.folder.display()
                ));
                None
            }
        }
    }

    /// Bytes a second of the disk's own sequential read.
    pub fn read_probe(&self, bytes: u64, progress: &Progress) -> Option<f64> {
        let volume = self.volume.as_ref().filter(|volume| !volume.is_memory())?;
        progress.say("measuring the disk itself: read front to back");
        match probe::sequential_read(&volume.folder, bytes) {
            Ok(speed) => Some(speed),
            Err(error) => {
                progress.say(&format!("the disk's own read cannot be measured: {error}"));
                None
            }
        }
    }

    /// Drops what the operating system caches of the broker's files.
    pub fn drop_page_cache(&self) -> Result<(), String> {
        let Some(volume) = &self.volume else { return Ok(()) };
        let folder = &volume.folder;
        page_cache::drop_below(folder)
            .map_err(|e| format!("cannot drop what is cached of {}: {e}", folder.display()))
    }

    /// What it is, for the summary.
    pub fn describe(&self) -> BrokerReport {
        match &self.own {
            Some((launch, _)) => BrokerReport::Tora {
                version: launch.version(),
                cores: launch.cores,
                settings: launch.settings.clone(),
                ready_after_ms: self.ready_after.iter().map(|ready| ready.as_secs_f64() * 1e3).collect(),
            },
            None => BrokerReport::Foreign { bootstrap: self.address.clone(), pid: self.pid },
        }
    }

    /// What its acknowledgements mean, as far as can be known; of a broker of somebody else's it may be `stated`.
    pub fn durability(&self, args: &BrokerArgs, stated: Option<&str>) -> Durability {
        let volume = self.volume.as_ref();
        match &self.own {
            Some((launch, _)) => Durability::of_tora(&launch.settings, &args.topic_config, volume),
            None => Durability::of_foreign(stated, &args.topic_config, volume),
        }
    }

    /// Restarts a broker of ours on the same data, so that nothing of it is in its memory.
    pub fn restart(&mut self, progress: &Progress) -> Result<(), String> {
        let Some((launch, running)) = &mut self.own else { return Ok(()) };
        progress.say("restarting tora");
        if let Some(tora) = running.take() {
            tora.stop()?;
        }
        let tora = launch.start()?;
        self.runs(tora);
        Ok(())
    }

    /// Kills a broker of ours (SIGKILL) and starts it again on the same data; gives how long that took.
    ///
    /// # Errors
    /// A sentence, where it does not start, or where the broker is not ours to kill.
    pub fn kill_and_start(&mut self) -> Result<Duration, String> {
        let Some((launch, running)) = &mut self.own else {
            return Err("a broker given by --bootstrap is not killed".into());
        };
        if let Some(tora) = running.take() {
            tora.kill()?;
        }
        let tora = launch.start()?;
        let ready_after = tora.ready_after();
        self.runs(tora);
        Ok(ready_after)
    }

    /// Notes a broker of ours that has just been started.
    fn runs(&mut self, tora: Tora) {
        self.address = tora.address().to_owned();
        self.pid = Some(tora.pid());
        self.ready_after.push(tora.ready_after());
        if let Some((_, running)) = &mut self.own {
            *running = Some(tora);
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process, where that is known.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Below its data, where that is known.
    pub fn volume(&self) -> Option<&Volume> {
        self.volume.as_ref()
    }

    /// Stops a broker of ours; of a foreign one the topic is deleted.
    pub fn end(mut self, topic: &str, progress: &Progress) -> Result<(), String> {
        match &mut self.own {
            Some((_, running)) => running.take().map_or(Ok(()), Tora::stop),
            None if topic.is_empty() => Ok(()),
            None => {
                if let Err(why) =
                    Admin::connect(&self.address).and_then(|mut admin| admin.delete_topic(topic))
                {
                    progress.say(&format!("the topic {topic} is left behind: {why}"));
                }
                Ok(())
            }
        }
    }
}
