//! Reading a partition in order: every batch follows the one before, every record is checked.

use crate::check::PartitionCheck;
use crate::codec::batch::{Batch, Record};
use crate::codec::error;
use crate::codec::fetch::{PartitionData, Position};
use crate::stamp::Stamp;

/// How far a partition has been read.
#[derive(Debug)]
pub struct Progress {
    pub position: Position,
    /// The first offset not yet readable, as of the last response.
    pub high_watermark: i64,
    pub check: PartitionCheck,
}

impl Progress {
    /// Nothing is read yet; the first record to read lies at `position`.
    pub fn new(position: Position) -> Self {
        Self { position, high_watermark: 0, check: PartitionCheck::default() }
    }

    /// Goes back to `begin`, to read the same once more: what is known to be damaged stays so, and the rest is forgotten.
    pub fn begin_again(&mut self, begin: Position) {
        let corrupt = self.check.verdict(begin.partition, &[]).corrupt;
        self.position = begin;
        self.check = PartitionCheck::default();
        self.check.corrupt(corrupt);
    }

    /// Whether all that the log is known to hold has been read.
    pub fn at_end(&self) -> bool {
        self.position.offset >= self.high_watermark
    }

    /// Takes in what a response has for this partition and hands each record that carries a stamp to `each`. Gives how
    /// many there were; `None` where the partition's leader is still being settled.
    ///
    /// # Errors
    /// A sentence, where the broker refuses or its batches do not follow one another.
    pub fn take(
        &mut self,
        data: &PartitionData<'_>,
        stamps_in_headers: bool,
        mut each: impl FnMut(&Stamp, &Record<'_>),
    ) -> Result<Option<u64>, String> {
        let partition = self.position.partition;
        if error::settling(data.error) {
            return Ok(None);
        }
        if data.error == error::OFFSET_OUT_OF_RANGE {
            return Err(format!(
                "partition {partition} was read up to offset {}, and the broker says it has none such: what was read \
                 before is gone",
                self.position.offset
            ));
        }
        if data.error != 0 {
            return Err(format!("fetching partition {partition} failed: {}", error::name(data.error)));
        }
        self.high_watermark = data.high_watermark;
        let (mut records, mut read) = (data.records, 0);
        while let Some(batch) = Batch::split_off(&mut records).map_err(|e| format!("Fetch: {e}"))? {
            read += self.batch(&batch, stamps_in_headers, &mut each)?;
        }
        Ok(Some(read))
    }

    fn batch(
        &mut self,
        batch: &Batch<'_>,
        stamps_in_headers: bool,
        each: &mut impl FnMut(&Stamp, &Record<'_>),
    ) -> Result<u64, String> {
        let Position { partition, offset } = self.position;
        if batch.base_offset() != offset {
            return Err(format!(
                "partition {partition} was read from offset {offset}, and a batch at {} came: every batch this run \
                 sent should follow the one before",
                batch.base_offset()
            ));
        }
        if batch.next_offset() <= offset {
            return Err(format!(
                "the batch at offset {offset} of partition {partition} ends before it begins"
            ));
        }
        self.position.offset = batch.next_offset();
        // What is announced may be what is damaged: a broken batch counts as one record at least.
        let announced = u64::try_from(batch.count()).unwrap_or(0).max(1);
        let mut read = 0;
        if batch.intact() && batch.plain() {
            for record in batch.records() {
                let Some(stamp) = Stamp::read(&record, stamps_in_headers) else { continue };
                self.check.arrived(&stamp);
                each(&stamp, &record);
                read += 1;
            }
        }
        self.check.corrupt(announced.saturating_sub(read));
        Ok(read)
    }
}
