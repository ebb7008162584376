//! A consumer that outlives the broker: it goes on at the offset where it was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::link::Link;
use super::shared::Shared;
use crate::check::Verdict;
use crate::codec::error;
use crate::codec::fetch::{self, Position};
use crate::codec::versions::Api;
use crate::codec::wire::DecodeError;
use crate::reading::Progress;

/// Once the producers are done, records that have not come after this long without any coming are lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause before a connection is made again, or a partition is asked again whose leader is being settled.
const SETTLING: Duration = Duration::from_millis(50);

/// A consumer.
pub struct Consumer {
    shared: Arc<Shared>,
    version: i16,
    partitions: Vec<Progress>,
    correlation: i32,
}

/// Why a connection is given up.
enum Broken {
    Connection,
    Refused(String),
}

impl From<std::io::Error> for Broken {
    fn from(_: std::io::Error) -> Self {
        Self::Connection
    }
}

impl From<DecodeError> for Broken {
    fn from(error: DecodeError) -> Self {
        Self::Refused(format!("Fetch: {error}"))
    }
}

impl Consumer {
    /// A consumer that begins at `positions`.
    pub fn new(shared: Arc<Shared>, version: i16, positions: Vec<Position>) -> Self {
        Self {
            shared,
            version,
            partitions: positions.into_iter().map(Progress::new).collect(),
            correlation: 0,
        }
    }

    /// Consumes until everything acknowledged has come, or nothing comes any more.
    ///
    /// # Errors
    /// A sentence, where the broker does not come back, or what it sends does not follow what it sent before.
    pub fn run(mut self) -> Result<Verdict, String> {
        let mine: Vec<_> = self.partitions.iter().map(|progress| progress.position.partition).collect();
        loop {
            let mut link = self.shared.connect(&mine)?;
            match self.follow(&mut link) {
                Ok(()) => break,
                Err(Broken::Connection) if self.shared.abandoned() => break,
                Err(Broken::Connection) => std::thread::sleep(SETTLING),
                Err(Broken::Refused(why)) => return Err(why),
            }
        }
        let due = self.shared.due().unwrap_or_default();
        let mut sum = Verdict::default();
        for progress in &self.partitions {
            sum += progress.check.verdict(progress.position.partition, &due);
        }
        Ok(sum)
    }

    /// Fetches on one connection for as long as it lasts.
    fn follow(&mut self, link: &mut Link) -> Result<(), Broken> {
        let mut moved = Instant::now();
        let mut due = None;
        loop {
            if self.shared.abandoned() {
                return Ok(());
            }
            let read = self.fetch(link)?;
            if read > 0 {
                moved = Instant::now();
            }
            if due.is_none() {
                due = self.shared.due();
                // Patience begins when there is nothing more to wait for than what is due.
                moved = Instant::now();
            }
            let Some(due) = &due else { continue };
            let all = |progress: &Progress| {
                let mine = due.iter().filter(|due| due.partition == progress.position.partition);
                progress.at_end() && { mine }.all(|due| progress.check.has_all(due.session, due.records))
            };
            if self.partitions.iter().all(all) || moved.elapsed() > PATIENCE {
                return Ok(());
            }
        }
    }

    /// One request and its response; gives how many records came.
    fn fetch(&mut self, link: &mut Link) -> Result<u64, Broken> {
        let positions: Vec<_> = self.partitions.iter().map(|progress| progress.position).collect();
        self.correlation = self.correlation.wrapping_add(1);
        link.send(&fetch::encode(self.version, self.correlation, self.shared.topic(), &positions))?;
        let response = link.receive()?;
        if response.correlation != self.correlation {
            return Err(Broken::Refused("the broker answered a fetch that was not the last made".into()));
        }
        let body = response.body(Api::Fetch.flexible(self.version)).map_err(Broken::Refused)?;
        let (mut read, mut settling) = (0, false);
        let code = fetch::decode(body, self.version, |data| {
            let progress = self.partitions.iter_mut().find(|p| p.position.partition == data.partition);
            let Some(progress) = progress else {
                let why = format!("the broker sent partition {}, which was not asked for", data.partition);
                return Err(Broken::Refused(why));
            };
            match progress.take(&data, false, |_, _| ()).map_err(Broken::Refused)? {
                Some(records) => read += records,
                None => settling = true,
            }
            Ok(())
        })?;
        if code != 0 {
            return Err(Broken::Refused(format!("the broker refused a fetch: {}", error::name(code))));
        }
        if settling {
            std::thread::sleep(SETTLING);
        }
        Ok(read)
    }
}
