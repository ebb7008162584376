//! What is said of a folder, and what a start then makes of it.

use super::*;
use crate::batch::{self, BatchBuilder};
use crate::catalog::Change;
use crate::io::{OpenMode, with_file};
use crate::log::segment::SegmentHeader;
use crate::open::{LoadError, load};
use crate::sim::{Faults, SimFs, SimWorld};
use crate::types::{Offset, Position, TopicId};

/// A folder that was opened once and holds nothing but a catalog's log.
struct Stopped {
    fs: SimFs,
    _world: SimWorld,
}

fn data() -> &'static Path {
    Path::new("/data")
}

fn topic() -> TopicId {
    TopicId::from_random(7, 8)
}

/// A batch of the catalog's log with these changes, from the folder's first opening.
fn changes(base: i64, values: &[Vec<u8>]) -> Vec<u8> {
    changes_of(base, values, 0)
}

/// The same from a later one.
fn changes_of(base: i64, values: &[Vec<u8>], epoch: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1 << 20);
    for value in values {
        builder.push(5, None, Some(value)).expect("far below the limit");
    }
    let mut bytes = builder.finish().expect("it has records").to_vec();
    batch::stamp(&mut bytes, Offset::new(base), LeaderEpoch::new(epoch));
    bytes
}

fn encoded(change: &Change) -> Vec<u8> {
    let mut value = Vec::new();
    change.encode(&mut value);
    value
}

/// The change that makes a topic of one partition.
fn created(name: &str) -> Vec<u8> {
    let name = name.to_owned();
    encoded(&Change::TopicCreated { id: topic(), name, partitions: 1, configs: Vec::new() })
}

impl Stopped {
    fn with_catalog(batches: &[Vec<u8>]) -> Self {
        let world = SimWorld::new(1, Faults::none());
        let stopped = Self { fs: world.fs(), _world: world };
        assert!(stopped.start().is_ok(), "it is new");
        let header = SegmentHeader {
            partition: CATALOG_PARTITION,
            base_offset: Offset::ZERO,
            base_position: Position::ZERO,
            unflushed_max: 1 << 20,
        };
        let file = segment::prepare(&stopped.fs, data(), &header, 1 << 16, true).expect("no faults");
        stopped.fs.close(file);
        with_file(&stopped.fs, &segment::path(data(), &header), OpenMode::ReadWrite, |file| {
            stopped.fs.write_at(file, HEADER_SIZE, &batches.concat())?;
            stopped.fs.sync(file)
        })
        .expect("no faults");
        stopped
    }

    fn start(&self) -> Result<(), LoadError> {
        let (loaded, _) = load(&self.fs, &Config::new(data()), 0, TopicId::from_random(1, 2))?;
        self.fs.unlock_folder(loaded.lock);
        Ok(())
    }

    /// What is wrong with the catalog's log, and its topic's name.
    fn verified(&self) -> (Vec<Damage>, Option<String>) {
        let folder = Folder::open(self.fs.clone(), data()).expect("nobody has it open");
        let catalog = folder.verify(CATALOG_PARTITION, &mut |_| {});
        let name = folder.catalog.topic(topic()).map(|topic| topic.name.as_str().to_owned());
        (catalog.damages, name)
    }
}

#[test]
fn a_catalog_that_this_program_can_follow_is_sound() {
    let stopped = Stopped::with_catalog(&[changes(0, &[created("events")])]);
    assert_eq!(stopped.verified(), (Vec::new(), Some("events".to_owned())));
    stopped.start().expect("it is sound");
}

#[test]
fn an_intact_change_that_a_start_cannot_apply_refuses_the_folder() {
    let unknown = vec![1, 99, 0, 0];
    let contradiction = encoded(&Change::TopicPurged { id: topic() });
    for change in [[unknown], [contradiction]] {
        let first = changes(0, &[created("events")]);
        let at = HEADER_SIZE + first.len() as u64;
        let stopped = Stopped::with_catalog(&[first, changes(1, &change), changes(2, &change)]);
        let (damages, name) = stopped.verified();
        let places: Vec<_> = damages.iter().map(|damage| (damage.offset, damage.start)).collect();
        assert_eq!(places, [(at, AtStart::RefusesFolder)], "{damages:?}");
        assert!(damages[0].why.contains("the batch is intact"), "{damages:?}");
        assert_eq!(name.as_deref(), Some("events"), "what comes before it is known");
        let refused = stopped.start();
        assert!(matches!(refused, Err(LoadError::Catalog(_))), "{refused:?}");
    }
}

#[test]
fn a_segment_of_the_catalog_that_cannot_be_read_is_damage_and_the_rest_is_read() {
    let stopped = Stopped::with_catalog(&[changes(0, &[created("events")])]);
    let unreadable = segment::folder(data(), CATALOG_PARTITION).join(segment::file_name(Offset::new(1)));
    stopped.fs.create_folder(&unreadable).expect("no faults");
    let (damages, name) = stopped.verified();
    let places: Vec<_> = damages.iter().map(|damage| (damage.file.clone(), damage.start)).collect();
    assert_eq!(places, [(unreadable, AtStart::RefusesFolder)], "{damages:?}");
    assert_eq!(name.as_deref(), Some("events"));
    let refused = stopped.start();
    assert!(matches!(refused, Err(LoadError::Recovery(_))), "{refused:?}");
}

#[test]
fn epochs_are_compared_with_that_of_the_next_start() {
    for (epoch, refuses) in [(1, false), (2, true)] {
        let stopped = Stopped::with_catalog(&[changes_of(0, &[created("events")], epoch)]);
        let (damages, _) = stopped.verified();
        let starts: Vec<_> = damages.iter().map(|damage| damage.start).collect();
        let expected: &[AtStart] = if refuses { &[AtStart::RefusesFolder] } else { &[] };
        assert_eq!(starts, expected, "{damages:?}");
        let started = stopped.start();
        assert_eq!(started.is_err(), refuses, "{started:?}");
    }
}
