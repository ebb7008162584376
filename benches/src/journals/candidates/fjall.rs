//! fjall: a keyspace with the record's number as its key, each commit synced.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::Commits;
use crate::journals::{Failure, RECORD_BYTES};

pub struct Fjall {
    database: Database,
    keyspace: Keyspace,
    next: u64,
}

impl Fjall {
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let database = Database::builder(folder.join("db")).open()?;
        let keyspace = database.keyspace("journal", KeyspaceCreateOptions::default)?;
        Ok(Self { database, keyspace, next: 0 })
    }
}

impl Commits for Fjall {
    fn commit(&mut self, records: &[[u8; RECORD_BYTES]]) -> Result<(), Failure> {
        // fdatasync: what it needs least for a commit that survives a power cut.
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for record in records {
            batch.insert(&self.keyspace, self.next.to_be_bytes(), record.as_slice());
            self.next += 1;
        }
        Ok(batch.commit()?)
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        for entry in self.keyspace.iter() {
            visit(&entry.value()?);
        }
        Ok(())
    }
}
