//! The catalog: which topics there are, with their ids and settings, and which producer ids may be handed out.
//!
//! It is a state machine fed by an ordered log of [`Change`]s. One shard decides: it makes a change out of a wish
//! (`plan_…`), writes it to the log, and once it is durable applies it; every shard then gets the outcome. Opening a
//! data folder applies the whole log again. One change is on its way at a time, so that what was planned is still true
//! when it is applied.
//!
//! A topic goes in two steps: `TopicDeleted` makes it unknown at once and frees its name; its id stays behind as a
//! tombstone until its files are gone and `TopicPurged` says so. What a crash leaves between the two is found again
//! among the tombstones.
//!
//! Deliberately absent: Kafka refuses a topic whose name differs from another's only in `.` and `_`, because its metrics
//! cannot tell them apart. Nothing here derives names from names, so both may exist.
#![forbid(unsafe_code)]

mod edit;
mod producer_ids;
mod record;
mod settings;
mod state;
mod topic;

pub use edit::{SettingChange, SettingChangeKind, SettingsEdit};
pub use producer_ids::ProducerIdPool;
pub use record::{Change, DecodeError};
pub use settings::{SettingFault, TopicConfig};
pub use state::{Catalog, Contradiction, Effect, Refused};
pub use topic::{NameFault, Topic, TopicName};

#[cfg(test)]
mod tests;
