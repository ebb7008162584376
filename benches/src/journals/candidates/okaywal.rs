//! okaywal: an entry a record; threads that commit at the same time share an fdatasync.

use std::io::Read;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use okaywal::{Configuration, LogPosition, LogVoid, WriteAheadLog};

use super::Journal;
use crate::journals::measure::{Latencies, Records, Until, record};
use crate::journals::{Failure, IN_FLIGHT};

/// It hands full segments back to its user and recycles them. One that holds everything keeps it readable.
const SEGMENT_BYTES: u32 = 256 << 20;

pub struct OkayWal {
    wal: WriteAheadLog,
    /// It finds nothing by number: where records are is for the caller to keep.
    places: Vec<LogPosition>,
}

impl OkayWal {
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let wal = Configuration::default_for(folder)
            .preallocate_bytes(SEGMENT_BYTES)
            .checkpoint_after_bytes(u64::from(SEGMENT_BYTES))
            .open(LogVoid)?;
        Ok(Self { wal, places: Vec::new() })
    }
}

fn append(wal: &WriteAheadLog, record: &[u8]) -> Result<LogPosition, Failure> {
    let mut entry = wal.begin_entry()?;
    let place = entry.write_chunk(record)?.position;
    entry.commit()?;
    Ok(place)
}

impl Journal for OkayWal {
    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.places.push(append(&self.wal, record)?);
        Ok(())
    }

    fn append_many(&mut self, records: &mut Records, until: Until) -> Result<Latencies, Failure> {
        let next = AtomicU64::new(records.made());
        let all = Mutex::new((Latencies::start(), Vec::new()));
        let work = || -> Result<(), Failure> {
            let (mut latencies, mut places) = (Latencies::start(), Vec::new());
            while until.goes_on() {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let begun = Instant::now();
                places.push((number, append(&self.wal, &record(number))?));
                latencies.record(begun.elapsed());
            }
            let mut all = all.lock().map_err(|_| "a thread panicked")?;
            all.0.add(&latencies);
            all.1.extend(places);
            Ok(())
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..IN_FLIGHT).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
        })?;
        let (latencies, mut places) = all.into_inner().map_err(|_| "a thread panicked")?;
        let latencies = latencies.stop();
        places.sort_unstable_by_key(|place: &(u64, LogPosition)| place.0);
        for (number, place) in places {
            records.note(number);
            self.places.push(place);
        }
        Ok(latencies)
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let mut record = Vec::new();
        for &place in &self.places {
            record.clear();
            self.wal.read_at(place)?.read_to_end(&mut record)?;
            visit(&record);
        }
        Ok(())
    }
}
