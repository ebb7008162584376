//! Undoing what producers did to their batches.

use std::io::{Error, ErrorKind, Read, Result};

use bytes::Bytes;
use kafka_protocol::records::Compression;

/// What a batch may become at most: a few bytes could otherwise take all memory.
const BYTES_MAX: u64 = 1 << 30;

/// What snappy-java puts before its blocks.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
/// The magic and two version numbers.
const XERIAL_HEADER: usize = 16;

/// The records of a batch as they were before they were compressed.
///
/// # Errors
/// Bytes that the codec does not understand.
pub fn decompress(bytes: &Bytes, codec: Compression) -> Result<Bytes> {
    Ok(match codec {
        Compression::None => bytes.clone(),
        Compression::Gzip => read_all(flate2::read::MultiGzDecoder::new(&bytes[..]))?,
        Compression::Lz4 => read_all(lz4_flex::frame::FrameDecoder::new(&bytes[..]))?,
        Compression::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&bytes[..]);
            read_all(decoder.map_err(|why| Error::new(ErrorKind::InvalidData, why.to_string()))?)?
        }
        Compression::Snappy => snappy(bytes)?,
    })
}

fn read_all(reader: impl Read) -> Result<Bytes> {
    let mut out = Vec::new();
    reader.take(BYTES_MAX).read_to_end(&mut out)?;
    Ok(out.into())
}

/// Either one block, or snappy-java's header and blocks with their lengths.
fn snappy(bytes: &[u8]) -> Result<Bytes> {
    let block = |bytes: &[u8]| snap::raw::Decoder::new().decompress_vec(bytes).map_err(Error::from);
    if !bytes.starts_with(XERIAL_MAGIC) {
        return block(bytes).map(Bytes::from);
    }
    let mut rest = bytes.get(XERIAL_HEADER..).unwrap_or_default();
    let mut out = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (one, after) = after.split_at_checked(length).ok_or(ErrorKind::UnexpectedEof)?;
        out.extend(block(one)?);
        rest = after;
    }
    Ok(out.into())
}
