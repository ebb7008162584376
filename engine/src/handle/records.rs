//! Records on their way into a batch.

use crate::batch::{BatchBuilder, BatchError, Header};
use crate::io::Slice;

/// A record to append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Milliseconds since the Unix epoch; `None` for now.
    pub timestamp: Option<i64>,
    /// The key, if it has one.
    pub key: Option<&'a [u8]>,
    /// The value, if it has one.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: &'a [Header<'a>],
}

impl<'a> RecordRef<'a> {
    /// A record of now with a value alone.
    #[must_use]
    pub const fn of_value(value: &'a [u8]) -> Self {
        Self { timestamp: None, key: None, value: Some(value), headers: &[] }
    }

    /// A record of now with a key and a value.
    #[must_use]
    pub const fn new(key: &'a [u8], value: &'a [u8]) -> Self {
        Self { timestamp: None, key: Some(key), value: Some(value), headers: &[] }
    }
}

/// One batch of all records. How large it may be is the topic's affair, which the engine checks; here it only has to
/// be a batch.
pub(super) fn build<'a>(
    records: impl IntoIterator<Item = RecordRef<'a>>,
    now_ms: i64,
) -> Result<Slice, BatchError> {
    let mut builder = BatchBuilder::new(i32::MAX as usize);
    for record in records {
        let timestamp = record.timestamp.unwrap_or(now_ms);
        builder.push_with_headers(timestamp, record.key, record.value, record.headers)?;
    }
    builder.take().map(Slice::from_vec).ok_or(BatchError::Empty)
}
