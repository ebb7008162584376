//! Variable-length numbers as records use them: zigzag, seven bits a byte, the lowest first (protobuf's `sint`).

use super::error::RecordFault;

/// Bytes of the longest 32-bit number.
const VARINT_SIZE_MAX: usize = 5;
/// Bytes of the longest 64-bit number.
const VARLONG_SIZE_MAX: usize = 10;

/// Takes a 32-bit number off the front of `rest`.
pub(super) fn read_i32(rest: &mut &[u8]) -> Result<i32, RecordFault> {
    let value = read(rest, VARINT_SIZE_MAX)?;
    let value = u32::try_from(value).map_err(|_| RecordFault::Varint)?;
    Ok((value >> 1) as i32 ^ -((value & 1) as i32))
}

/// Takes a 64-bit number off the front of `rest`.
pub(super) fn read_i64(rest: &mut &[u8]) -> Result<i64, RecordFault> {
    let value = read(rest, VARLONG_SIZE_MAX)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Appends a number; 32-bit ones are written the same way.
pub(super) fn write(out: &mut Vec<u8>, value: i64) {
    let mut bits = zigzag(value);
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// Bytes that [`write`] appends for `value`.
pub(super) fn size(value: i64) -> usize {
    let bits = u64::BITS - zigzag(value).leading_zeros();
    bits.max(1).div_ceil(7) as usize
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn read(rest: &mut &[u8], size_max: usize) -> Result<u64, RecordFault> {
    let mut value = 0u64;
    for (index, &byte) in rest.iter().take(size_max).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * index as u32;
        if bits.leading_zeros() < shift {
            return Err(RecordFault::Varint);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Ok(value);
        }
    }
    Err(if rest.len() < size_max { RecordFault::Short } else { RecordFault::Varint })
}
