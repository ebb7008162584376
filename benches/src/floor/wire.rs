//! Kafka's primitive types, read from a frame and appended to a response.
//!
//! Source: "Protocol Primitive Types" of Apache Kafka's protocol guide; compact types are those of KIP-482.

/// A request that breaks off, or contradicts itself: its connection is closed.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// What every reading function returns.
pub type Read<T> = Result<T, Malformed>;

/// A position in a frame.
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(Malformed)?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// INT16.
    pub fn int16(&mut self) -> Read<i16> {
        self.array().map(i16::from_be_bytes)
    }

    /// INT32.
    pub fn int32(&mut self) -> Read<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// UUID.
    pub fn uuid(&mut self) -> Read<[u8; 16]> {
        self.array()
    }

    /// UNSIGNED_VARINT, of at most 32 bits.
    pub fn unsigned_varint(&mut self) -> Read<u32> {
        let mut value = 0u32;
        for shift in (0..32).step_by(7) {
            let [byte] = self.array()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// STRING or NULLABLE_STRING, or their compact forms.
    pub fn string(&mut self, compact: bool) -> Read<Option<&'a [u8]>> {
        let length = if compact { self.compact_length()? } else { i64::from(self.int16()?) };
        self.nullable(length)
    }

    /// BYTES or RECORDS, or their compact forms.
    pub fn bytes(&mut self, compact: bool) -> Read<Option<&'a [u8]>> {
        let length = self.length(compact)?;
        self.nullable(length)
    }

    /// The number of elements of an ARRAY or COMPACT_ARRAY; −1 for null.
    pub fn length(&mut self, compact: bool) -> Read<i64> {
        if compact { self.compact_length() } else { Ok(i64::from(self.int32()?)) }
    }

    /// Skips a structure's tagged fields, where its version has them.
    pub fn tags(&mut self, flexible: bool) -> Read<()> {
        if flexible {
            for _ in 0..self.unsigned_varint()? {
                self.unsigned_varint()?;
                let size = self.unsigned_varint()?;
                self.take(size as usize)?;
            }
        }
        Ok(())
    }

    fn compact_length(&mut self) -> Read<i64> {
        Ok(i64::from(self.unsigned_varint()?) - 1)
    }

    fn nullable(&mut self, length: i64) -> Read<Option<&'a [u8]>> {
        match usize::try_from(length) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }
}

/// A response under construction at the end of a connection's outgoing bytes.
pub struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
    flexible: bool,
}

impl<'a> Writer<'a> {
    /// Starts a response: room for the frame's length, then the header (v1 when `flexible_header`). `flexible` says
    /// how strings and arrays of the body look.
    pub fn response(bytes: &'a mut Vec<u8>, correlation: i32, flexible_header: bool, flexible: bool) -> Self {
        let start = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        let mut writer = Self { bytes, start, flexible };
        writer.int32(correlation);
        if flexible_header {
            writer.bytes.push(0);
        }
        writer
    }

    /// Sets the frame's length.
    pub fn finish(self) {
        let length = i32::try_from(self.bytes.len() - self.start - 4).expect("responses are small");
        self.bytes[self.start..self.start + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// BOOLEAN.
    pub fn boolean(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// INT16.
    pub fn int16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// INT32.
    pub fn int32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// INT64.
    pub fn int64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// Bytes as they are: a UUID, say.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A string, or null, in the body's form.
    pub fn string(&mut self, value: Option<&[u8]>) {
        match (self.flexible, value) {
            (true, None) => self.unsigned_varint(0),
            (true, Some(text)) => self.unsigned_varint(text.len() as u32 + 1),
            (false, None) => self.int16(-1),
            (false, Some(text)) => self.int16(text.len() as i16),
        }
        self.raw(value.unwrap_or_default());
    }

    /// The number of elements of an array, in the body's form.
    pub fn length(&mut self, count: usize) {
        if self.flexible { self.unsigned_varint(count as u32 + 1) } else { self.int32(count as i32) }
    }

    /// No tagged fields, where the body has them.
    pub fn tags(&mut self) {
        if self.flexible {
            self.bytes.push(0);
        }
    }

    fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}
