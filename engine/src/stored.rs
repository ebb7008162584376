//! What our own files and blocks have in common: a magic word, a version, fields in little-endian, and a CRC-32C.
//!
//! | at | bytes | field |
//! | --: | --: | --- |
//! | 0 | 8 | magic: says what this is |
//! | 8 | 4 | version |
//! | 12 | | the fields |
//! | end − 4 | 4 | CRC-32C of everything before it |
//!
//! This frame stays the same in every version, so that an older program can tell a newer version from damage.
#![forbid(unsafe_code)]

use std::fmt;

/// Bytes before the fields.
const FIELDS: usize = 12;
/// Bytes of the checksum.
const CRC_SIZE: usize = 4;

/// Why stored bytes cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredError {
    /// They end too early.
    Short,
    /// They do not begin with the magic word.
    Magic,
    /// They are not the bytes that the checksum was computed over.
    Checksum {
        /// The checksum that is stored.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// A newer program wrote them.
    Version {
        /// Their version.
        found: u32,
        /// The version that this program reads.
        known: u32,
    },
    /// A field cannot have this value, or contradicts another one.
    Field(&'static str),
}

impl fmt::Display for StoredError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("it ends too early"),
            Self::Magic => f.write_str("its first eight bytes do not name its kind"),
            Self::Checksum { stored, computed } => {
                write!(f, "its checksum is {stored:#010x}, but its bytes give {computed:#010x}")
            }
            Self::Version { found, known } => write!(
                f,
                "it has format version {found}, and this program reads version {known}: open it with the program \
                 that wrote it"
            ),
            Self::Field(name) => write!(f, "its field '{name}' has a value that is never written"),
        }
    }
}

impl std::error::Error for StoredError {}

/// Writes a frame front to back.
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Begins a frame.
    pub(crate) fn new(magic: &[u8; 8], version: u32) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(magic);
        bytes.extend_from_slice(&version.to_le_bytes());
        Self { bytes }
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Ends the frame with its checksum.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let crc = crc_fast::crc32_iscsi(&self.bytes);
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        self.bytes
    }
}

/// Reads a frame front to back.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Checks the frame that `frame` exactly is.
    pub(crate) fn new(frame: &'a [u8], magic: &[u8; 8], version: u32) -> Result<Self, StoredError> {
        if frame.len() < FIELDS + CRC_SIZE {
            return Err(StoredError::Short);
        }
        if !frame.starts_with(magic) {
            return Err(StoredError::Magic);
        }
        let (body, crc) = frame.split_last_chunk::<CRC_SIZE>().ok_or(StoredError::Short)?;
        let (stored, computed) = (u32::from_le_bytes(*crc), crc_fast::crc32_iscsi(body));
        if stored != computed {
            return Err(StoredError::Checksum { stored, computed });
        }
        let mut reader = Self { rest: &body[magic.len()..] };
        let found = reader.u32()?;
        if found != version {
            return Err(StoredError::Version { found, known: version });
        }
        Ok(reader)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, StoredError> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, StoredError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, StoredError> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StoredError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], StoredError> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(StoredError::Short)?;
        self.rest = rest;
        Ok(*field)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], StoredError> {
        let (field, rest) = self.rest.split_at_checked(count).ok_or(StoredError::Short)?;
        self.rest = rest;
        Ok(field)
    }

    /// Bytes of fields not read yet.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Checks that every field was read.
    pub(crate) fn finish(self) -> Result<(), StoredError> {
        if self.rest.is_empty() { Ok(()) } else { Err(StoredError::Field("length")) }
    }
}
