//! nano-wal: records in one segment, each append durable.

use std::path::Path;
use std::time::Duration;

use nano_wal::{EntryRef, Wal, WalOptions, WriteEntry};

use super::Commits;
use crate::journals::{Failure, RECORD_BYTES};

/// Its clock is the caller's; one time, one segment.
const NOW_MS: i64 = 1_700_000_000_000;

pub struct NanoWal {
    wal: Wal,
    /// It finds nothing by number: where records are is for the caller to keep.
    places: Vec<EntryRef>,
}

impl NanoWal {
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let hour = Duration::from_secs(3600);
        let wal = Wal::new(folder, "journal", WalOptions { retention: hour, segment_duration: hour })?;
        Ok(Self { wal, places: Vec::new() })
    }
}

impl Commits for NanoWal {
    fn commit(&mut self, records: &[[u8; RECORD_BYTES]]) -> Result<(), Failure> {
        let entries: Vec<_> =
            records.iter().map(|record| WriteEntry { header: None, content: record }).collect();
        self.places.extend(self.wal.append_batch(&entries, NOW_MS, true)?);
        Ok(())
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        use nano_wal::{ReadDescriptor, read_batch};
        let segment = self.wal.ensure_segment(NOW_MS)?;
        // It reads neighbours together, up to 512 of them.
        for places in self.places.chunks(512) {
            let wanted: Vec<_> = places
                .iter()
                .map(|place| ReadDescriptor {
                    read_fd: segment.read_fd().clone(),
                    file_offset: place.file_offset,
                    byte_size: place.byte_size,
                })
                .collect();
            for record in read_batch(&wanted)? {
                visit(&record.content);
            }
        }
        Ok(())
    }
}
