//! From a partition of `__consumer_offsets` to its groups.

use std::collections::BTreeMap;

use super::group::Group;
use super::message::Name;
use super::offsets::Offsets;
use super::record::{self, Key, StoredGroup};
use super::{Coordinator, Now, Settings};
use crate::wire::Malformed;

/// Takes a partition's records in order, and gives the coordinator that wrote them.
#[derive(Debug, Default)]
pub struct Loader {
    groups: BTreeMap<Name, (Option<StoredGroup>, Offsets)>,
    bytes: u64,
}

impl Loader {
    /// The next record. One that cannot be read is refused and changes nothing.
    ///
    /// # Errors
    /// What cannot be read of it.
    pub fn replay(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), Malformed> {
        let size = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        self.bytes += size as u64;
        let Some(key) = key else { return Ok(()) };
        match record::read_key(key)? {
            Key::Offset(group, key) => {
                let committed = value.map(record::read_offset).transpose()?;
                self.groups.entry(group).or_default().1.replay(key, committed);
            }
            Key::Group(group) => {
                self.groups.entry(group).or_default().0 = value.map(record::read_group).transpose()?;
            }
            Key::Other(_) => {}
        }
        Ok(())
    }

    /// Everything was read.
    #[must_use]
    pub fn finish(self, settings: Settings, now: Now) -> Coordinator {
        let mut coordinator = Coordinator::new(settings, now);
        coordinator.compaction.grown_by(self.bytes);
        for (name, (stored, offsets)) in self.groups {
            let group = match stored {
                Some(stored) => Group::restored(Name::clone(&name), stored, offsets, now),
                None if offsets.is_empty() => continue,
                None => Group { offsets, ..Group::new(Name::clone(&name), now) },
            };
            if let Some(at) = group.wake_at {
                coordinator.timers.insert((at, Name::clone(&name)));
            }
            coordinator.groups.insert(name, group);
        }
        coordinator
    }
}
