//! The primitive types of the Kafka protocol, written and read.
//!
//! Source: "Protocol Primitive Types" of the Kafka protocol guide; flexible versions and tagged fields are KIP-482.
//! Everything is big-endian. In a flexible version strings and arrays carry an unsigned varint of their length plus
//! one, and every structure ends in tagged fields.

use std::fmt;

/// Why a response could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// The field or structure that was being read.
    pub what: &'static str,
    /// Byte position in the body at which reading stopped.
    pub at: usize,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the broker's response makes no sense at byte {}: {}", self.at, self.what)
    }
}

impl std::error::Error for DecodeError {}

/// Builds one request: a frame with its size in front.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    flexible: bool,
}

impl Writer {
    /// An empty frame whose size is filled in by [`Writer::finish`].
    pub fn new(flexible: bool) -> Self {
        Self { bytes: vec![0; 4], flexible }
    }

    /// The bytes written so far, the size's four included.
    pub fn position(&self) -> usize {
        self.bytes.len()
    }

    /// Switches between the two encodings: a request header starts in the old one.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    pub fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    pub fn bool(&mut self, value: bool) {
        self.i8(i8::from(value));
    }

    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// `STRING` / `COMPACT_STRING`.
    pub fn string(&mut self, value: &str) {
        if self.flexible {
            self.unsigned_varint(length_u32(value.len()) + 1);
        } else {
            let length = i16::try_from(value.len()).expect("names we send are far below 32 KiB");
            self.i16(length);
        }
        self.raw(value.as_bytes());
    }

    /// A null `NULLABLE_STRING` / `COMPACT_NULLABLE_STRING`.
    pub fn null_string(&mut self) {
        if self.flexible {
            self.unsigned_varint(0);
        } else {
            self.i16(-1);
        }
    }

    /// A null `ARRAY` / `COMPACT_ARRAY`.
    pub fn null_array(&mut self) {
        if self.flexible {
            self.unsigned_varint(0);
        } else {
            self.i32(-1);
        }
    }

    /// The length in front of an `ARRAY` / `COMPACT_ARRAY`.
    pub fn array(&mut self, length: usize) {
        self.length(length);
    }

    /// The length in front of `RECORDS` / `COMPACT_RECORDS`; the bytes follow with [`Writer::raw`].
    pub fn records(&mut self, length: usize) {
        self.length(length);
    }

    /// The empty tagged fields that end a structure; nothing in the old encoding.
    pub fn end(&mut self) {
        if self.flexible {
            self.raw(&[0]);
        }
    }

    /// The finished frame, its size filled in.
    pub fn finish(mut self) -> Vec<u8> {
        let size = length_u32(self.bytes.len() - 4);
        self.bytes[..4].copy_from_slice(&size.to_be_bytes());
        self.bytes
    }

    fn length(&mut self, length: usize) {
        let length = length_u32(length);
        if self.flexible {
            self.unsigned_varint(length + 1);
        } else {
            self.raw(&length.to_be_bytes());
        }
    }

    fn unsigned_varint(&mut self, value: u32) {
        put_unsigned_varint(&mut self.bytes, u64::from(value));
    }
}

fn length_u32(length: usize) -> u32 {
    u32::try_from(length).expect("requests are limited to far less than 2 GiB")
}

/// Appends an unsigned base-128 varint (KIP-482, as in Protocol Buffers).
pub fn put_unsigned_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends a zigzag varint, as records use it.
pub fn put_varint(bytes: &mut Vec<u8>, value: i64) {
    put_unsigned_varint(bytes, ((value << 1) ^ (value >> 63)) as u64);
}

/// Reads one response body. Every read is bounds-checked; a length is never trusted beyond the bytes that are there.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    flexible: bool,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], flexible: bool) -> Self {
        Self { bytes, at: 0, flexible }
    }

    /// The bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// An error at the present position.
    pub fn error(&self, what: &'static str) -> DecodeError {
        DecodeError { what, at: self.at }
    }

    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.fixed("an INT8")?))
    }

    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.fixed("an INT16")?))
    }

    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.fixed("an INT32")?))
    }

    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.fixed("an INT64")?))
    }

    pub fn skip(&mut self, length: usize) -> Result<(), DecodeError> {
        self.take(length, "bytes to skip").map(drop)
    }

    /// A string, or `None` for null.
    pub fn string(&mut self) -> Result<Option<&'a str>, DecodeError> {
        let length = if self.flexible {
            self.unsigned_varint()?.checked_sub(1).map(|n| n as usize)
        } else {
            usize::try_from(self.i16()?).ok()
        };
        let Some(length) = length else { return Ok(None) };
        let bytes = self.take(length, "a string")?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| self.error("a string that is not UTF-8"))
    }

    /// The number of elements of an array; null counts as empty. Each element takes at least a byte, so a length
    /// beyond the bytes left is refused here, before anything is reserved for it.
    pub fn array(&mut self) -> Result<usize, DecodeError> {
        let length = self.length()?.unwrap_or(0);
        if length > self.bytes.len() - self.at {
            return Err(self.error("an array longer than the response"));
        }
        Ok(length)
    }

    /// Record bytes; null counts as empty.
    pub fn records(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()?.unwrap_or(0);
        self.take(length, "records")
    }

    /// Skips the tagged fields that end a structure; nothing in the old encoding.
    pub fn end(&mut self) -> Result<(), DecodeError> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            let _tag = self.unsigned_varint()?;
            let length = self.unsigned_varint()?;
            self.skip(length as usize)?;
        }
        Ok(())
    }

    fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok(if self.flexible {
            self.unsigned_varint()?.checked_sub(1).map(|n| n as usize)
        } else {
            usize::try_from(self.i32()?).ok()
        })
    }

    fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed("a varint")?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error("a varint of more than five bytes"))
    }

    fn fixed<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let bytes = self.bytes[self.at..].first_chunk::<N>().ok_or(self.error(what))?;
        self.at += N;
        Ok(*bytes)
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let bytes = self.bytes[self.at..].get(..length).ok_or(self.error(what))?;
        self.at += length;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
