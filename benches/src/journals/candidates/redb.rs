//! redb: a table with the record's number as its key; a commit is durable by default.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::Commits;
use crate::journals::{Failure, RECORD_BYTES};

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("journal");

pub struct Redb {
    database: Database,
    next: u64,
}

impl Redb {
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        Ok(Self { database: Database::create(folder.join("journal.redb"))?, next: 0 })
    }
}

impl Commits for Redb {
    fn commit(&mut self, records: &[[u8; RECORD_BYTES]]) -> Result<(), Failure> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for record in records {
                table.insert(self.next, record.as_slice())?;
                self.next += 1;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let transaction = self.database.begin_read()?;
        for entry in transaction.open_table(TABLE)?.iter()? {
            visit(entry?.1.value());
        }
        Ok(())
    }
}
