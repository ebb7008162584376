//! The journal: a topic of one partition that holds every command, and another with snapshots of the book.

use tora_engine::error::Error as EngineError;
use tora_engine::handle::{Appender, PendingRecord, RecordRef, for_each_record};
use tora_engine::types::{Offset, PartitionId};
use tora_engine::{Config, Engine, Handle};

use super::Failure;
use super::book::Book;
use super::command::Command;

const COMMANDS: &str = "commands";
const SNAPSHOTS: &str = "snapshots";

/// An open journal.
pub struct Journal {
    engine: Engine,
    handle: Handle,
    commands: PartitionId,
    snapshots: PartitionId,
    appender: Appender,
}

impl Journal {
    /// Opens, or makes, the journal in a folder.
    pub fn open(folder: &std::path::Path) -> Result<Self, Failure> {
        let engine = Engine::open(Config::new(folder))?;
        let handle = engine.handle();
        let commands = find_or_create(&handle, COMMANDS)?;
        let snapshots = find_or_create(&handle, SNAPSHOTS)?;
        let appender = handle.appender(commands)?.wait()?;
        Ok(Self { engine, handle, commands, snapshots, appender })
    }

    /// Appends a command. Once the answer is there, no power cut takes it back, and only then may it take effect.
    pub fn append(&self, command: Command) -> Result<PendingRecord, EngineError> {
        self.appender.append_blocking(RecordRef::of_value(&command.encode()))
    }

    /// The book as the journal has it: the last snapshot, and every command after it. `visit` sees the book after each.
    pub fn recover(&self, mut visit: impl FnMut(&Book)) -> Result<Book, Failure> {
        let mut book = self.last_snapshot()?.unwrap_or_default();
        let end = self.handle.describe(self.commands)?.wait()?.high_watermark;
        let mut tail = self.handle.tail(self.commands, Offset::new(i64::try_from(book.applied())?));
        while book.applied() < u64::try_from(end.value())? {
            let run = tail.next_blocking().ok_or("the journal ended early")??;
            run.try_for_each(|record| -> Result<(), Failure> {
                let command = record.value.and_then(Command::decode);
                book.apply(
                    command.ok_or_else(|| format!("the record at offset {} is no command", record.offset))?,
                );
                visit(&book);
                Ok(())
            })?;
        }
        Ok(book)
    }

    /// Keeps the book as it is, so that the next start need not read what came before. Answers when it is durable.
    pub fn snapshot(&self, book: &Book) -> Result<(), Failure> {
        let bytes = book.encode();
        self.handle.append_records(self.snapshots, [RecordRef::of_value(&bytes)])?.wait()?;
        Ok(())
    }

    fn last_snapshot(&self) -> Result<Option<Book>, Failure> {
        let end = self.handle.describe(self.snapshots)?.wait()?.high_watermark;
        if end == Offset::ZERO {
            return Ok(None);
        }
        let last = end.plus(-1);
        let read = self.handle.read(self.snapshots, last, 1)?.wait()?;
        let mut book = None;
        for_each_record(&read, last, |record| book = record.value.and_then(Book::decode))?;
        book.map(Some).ok_or_else(|| "the last snapshot is none".into())
    }

    /// How many commands the journal holds.
    pub fn len(&self) -> Result<u64, Failure> {
        Ok(u64::try_from(self.handle.describe(self.commands)?.wait()?.high_watermark.value())?)
    }

    /// Frees the folder.
    pub fn close(self) {
        self.engine.close();
    }
}

fn find_or_create(handle: &Handle, name: &str) -> Result<PartitionId, EngineError> {
    let topic = match handle.find_topic(name)?.wait()? {
        Some(topic) => topic,
        None => handle.create_topic(name, 1, &[])?.wait()?,
    };
    Ok(PartitionId::new(topic.id, 0))
}
