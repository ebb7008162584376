//! Writing a response.

use tora_engine::io::Slice;
use tora_engine::types::{PartitionId, Position, TopicId};

use super::Encoding;

/// A place that is written later, when its value is known.
#[derive(Clone, Copy, Debug)]
#[must_use = "the place stays 0 until it is filled"]
pub struct Mark(usize);

/// Where records are stored, by which they are found again ([`Request::ReadStored`]).
///
/// [`Request::ReadStored`]: tora_engine::request::Request::ReadStored
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Their partition.
    pub partition: PartitionId,
    /// Position of the first byte.
    pub at: Position,
}

impl Stored {
    /// The place so many bytes further on.
    #[must_use]
    pub fn plus(self, bytes: usize) -> Self {
        Self { at: self.at.plus(bytes as u64), ..self }
    }
}

/// Records of a message.
#[derive(Clone, Debug)]
pub struct RecordsPart {
    /// The number of written bytes that come before them.
    pub after: usize,
    /// They themselves.
    pub slice: Slice,
    /// Where they are stored.
    pub stored: Stored,
}

/// Writes a message front to back into memory that is used again for the next one. Records are not copied: they are
/// held beside the written bytes, with the place where they belong.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    records: Vec<RecordsPart>,
    records_bytes: usize,
    encoding: Encoding,
}

impl Default for Writer {
    fn default() -> Self {
        Self { bytes: Vec::new(), records: Vec::new(), records_bytes: 0, encoding: Encoding::Classic }
    }
}

impl Writer {
    /// Drops what was written.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
        self.records_bytes = 0;
        self.encoding = Encoding::Classic;
    }

    /// Goes on in another encoding: a body's may differ from its header's.
    pub const fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
    }

    /// An eight-bit number.
    pub fn i8(&mut self, value: i8) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A sixteen-bit number.
    pub fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 32-bit number.
    pub fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 64-bit number.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// A topic's id.
    pub fn topic_id(&mut self, id: TopicId) {
        self.bytes.extend_from_slice(&id.bytes());
    }

    /// A variable-length number.
    pub fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }

    /// A string. One that the encoding cannot hold is cut at the last character that fits.
    pub fn string(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(i16::MAX as usize)];
        match self.encoding {
            Encoding::Classic => self.i16(i16::try_from(text.len()).expect("cut to fit")),
            Encoding::Flexible => self.length(text.len()),
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// A string or null.
    pub fn nullable_string(&mut self, text: Option<&str>) {
        match (text, self.encoding) {
            (Some(text), _) => self.string(text),
            (None, Encoding::Classic) => self.i16(-1),
            (None, Encoding::Flexible) => self.unsigned_varint(0),
        }
    }

    /// Bytes that are copied in.
    pub fn opaque(&mut self, bytes: &[u8]) {
        self.length_or_i32(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// The number of elements of the array that follows.
    pub fn array_len(&mut self, count: usize) {
        self.length_or_i32(count);
    }

    /// An array that is null.
    pub fn null_array(&mut self) {
        match self.encoding {
            Encoding::Classic => self.i32(-1),
            Encoding::Flexible => self.unsigned_varint(0),
        }
    }

    /// Record batches, as they are stored, from `stored` on.
    pub fn records(&mut self, stored: Stored, slices: Vec<Slice>) {
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        self.length_or_i32(bytes);
        let (after, mut stored) = (self.bytes.len(), stored);
        for slice in slices.into_iter().filter(|slice| !slice.is_empty()) {
            let next = stored.plus(slice.len());
            self.records.push(RecordsPart { after, slice, stored });
            stored = next;
        }
        self.records_bytes += bytes;
    }

    /// The records field without records.
    pub fn no_records(&mut self) {
        self.length_or_i32(0);
    }

    /// A structure's end without tagged fields.
    pub fn no_tagged_fields(&mut self) {
        if self.encoding == Encoding::Flexible {
            self.unsigned_varint(0);
        }
    }

    /// A 32-bit number that is known later.
    pub fn i32_later(&mut self) -> Mark {
        let mark = Mark(self.bytes.len());
        self.i32(0);
        mark
    }

    /// Fills the place of a 32-bit number.
    pub fn fill_i32(&mut self, mark: Mark, value: i32) {
        self.bytes[mark.0..mark.0 + size_of::<i32>()].copy_from_slice(&value.to_be_bytes());
    }

    /// Bytes of the message, records included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len() + self.records_bytes
    }

    /// What was written, without the records.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The records, in order.
    #[must_use]
    pub fn records_at(&self) -> &[RecordsPart] {
        &self.records
    }

    fn length_or_i32(&mut self, length: usize) {
        match self.encoding {
            Encoding::Classic => {
                self.i32(i32::try_from(length).expect("responses are limited far below 2 GiB"))
            }
            Encoding::Flexible => self.length(length),
        }
    }

    fn length(&mut self, length: usize) {
        self.unsigned_varint(u32::try_from(length + 1).expect("responses are limited far below 2 GiB"));
    }
}
