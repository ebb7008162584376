//! What a client may append.

use super::error::BatchError;
use super::header::{BatchHeader, TimestampType};
use super::read::{CrcCheck, examine};

/// Checks the records of one partition in a Produce request (versions 3 and later): exactly one batch of at most
/// `size_max` bytes, whole, undamaged, and made as a client may make it.
///
/// The rules are those of Kafka's `LogValidator.validateBatch` and of its `UnifiedLog`. Records are not decoded: what a
/// producer wrote inside its checksum is its own affair, and consumers find it as it was sent.
///
/// # Errors
/// The first rule that is broken; [`BatchError::kind`] gives the client's error.
pub fn validate_produce(bytes: &[u8], size_max: usize) -> Result<BatchHeader, BatchError> {
    if bytes.is_empty() {
        return Err(BatchError::Empty);
    }
    let header = examine(bytes, size_max, CrcCheck::Full)?;
    let first = header.total_size();
    if first != bytes.len() {
        return Err(BatchError::MoreThanOneBatch { first, total: bytes.len() });
    }
    check_client(&header)?;
    Ok(header)
}

fn check_client(header: &BatchHeader) -> Result<(), BatchError> {
    if header.base_offset.value() != 0 {
        return Err(BatchError::BaseOffset { base_offset: header.base_offset.value() });
    }
    if header.is_control() {
        return Err(BatchError::Control);
    }
    if header.is_transactional() {
        return Err(BatchError::Transactional);
    }
    if header.timestamp_type() == TimestampType::LogAppendTime {
        return Err(BatchError::LogAppendTime);
    }
    if header.is_idempotent() && (header.producer_epoch < 0 || header.base_sequence < 0) {
        return Err(BatchError::Producer {
            producer_id: header.producer_id.value(),
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
        });
    }
    Ok(())
}
