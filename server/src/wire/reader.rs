//! Reading a request where it lies.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use tora_engine::io::Slice;
use tora_engine::types::TopicId;

use super::Encoding;
use crate::limits::ELEMENTS_PER_REQUEST_MAX;

/// A request that cannot be read: what was expected, and where it was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What was being read.
    pub what: &'static str,
    /// At which byte of the message's part that was being read.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no valid {} at byte {}", self.what, self.at)
    }
}

/// Reads a message front to back. No length that it reads is trusted: each is checked against what is there, before
/// anything is reserved or skipped.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// The same bytes, where parts of them may be shared.
    shared: Option<&'a Slice>,
    at: usize,
    encoding: Encoding,
    /// Elements of arrays that the message may still have.
    elements: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from the start.
    #[must_use]
    pub const fn new(bytes: &'a [u8], encoding: Encoding) -> Self {
        Self { bytes, shared: None, at: 0, encoding, elements: ELEMENTS_PER_REQUEST_MAX }
    }

    /// Reads `message` from `at` on; positions count from its start.
    #[must_use]
    pub fn of(message: &'a Slice, at: usize, encoding: Encoding) -> Self {
        Self { shared: Some(message), at, ..Self::new(message, encoding) }
    }

    /// Goes on in another encoding: a body's may differ from its header's.
    pub const fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
    }

    /// Bytes read so far.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// An eight-bit number.
    ///
    /// # Errors
    /// Where the message ends before it.
    pub fn i8(&mut self) -> Result<i8, Malformed> {
        Ok(i8::from_be_bytes(self.array("int8")?))
    }

    /// A sixteen-bit number.
    ///
    /// # Errors
    /// As [`Reader::i8`].
    pub fn i16(&mut self) -> Result<i16, Malformed> {
        Ok(i16::from_be_bytes(self.array("int16")?))
    }

    /// A 32-bit number.
    ///
    /// # Errors
    /// As [`Reader::i8`].
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array("int32")?))
    }

    /// A 64-bit number.
    ///
    /// # Errors
    /// As [`Reader::i8`].
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array("int64")?))
    }

    /// A truth value: any byte but 0 is true.
    ///
    /// # Errors
    /// As [`Reader::i8`].
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.i8()? != 0)
    }

    /// A topic's id.
    ///
    /// # Errors
    /// As [`Reader::i8`].
    pub fn topic_id(&mut self) -> Result<TopicId, Malformed> {
        Ok(TopicId::new(self.array("uuid")?))
    }

    /// A variable-length number of at most 32 bits.
    ///
    /// # Errors
    /// Where it is longer, or the message ends within it.
    pub fn unsigned_varint(&mut self) -> Result<u32, Malformed> {
        let start = self.at;
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array("varint")?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed { what: "varint", at: start })
    }

    /// A string that must be there.
    ///
    /// # Errors
    /// Where it is null, not UTF-8, or longer than the message.
    pub fn string(&mut self) -> Result<&'a str, Malformed> {
        let at = self.at;
        self.nullable_string()?.ok_or(Malformed { what: "string", at })
    }

    /// A string or null.
    ///
    /// # Errors
    /// Where it is not UTF-8, or longer than the message.
    pub fn nullable_string(&mut self) -> Result<Option<&'a str>, Malformed> {
        let at = self.at;
        let length = match self.encoding {
            Encoding::Classic => i64::from(self.i16()?),
            Encoding::Flexible => i64::from(self.unsigned_varint()?) - 1,
        };
        let Some(range) = self.range(length, "string", at)? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&self.bytes[range]);
        text.map(Some).map_err(|_| Malformed { what: "UTF-8 string", at })
    }

    /// A string with a length of two bytes, in whichever encoding: the client's id in request headers never became
    /// compact.
    ///
    /// # Errors
    /// As [`Reader::nullable_string`].
    pub fn classic_nullable_string(&mut self) -> Result<Option<&'a str>, Malformed> {
        let encoding = std::mem::replace(&mut self.encoding, Encoding::Classic);
        let read = self.nullable_string();
        self.encoding = encoding;
        read
    }

    /// Bytes or null, shared without a copy where the message is a [`Slice`].
    ///
    /// # Errors
    /// Where they are longer than the message.
    pub fn nullable_bytes(&mut self) -> Result<Option<Slice>, Malformed> {
        let at = self.at;
        let length = match self.encoding {
            Encoding::Classic => i64::from(self.i32()?),
            Encoding::Flexible => i64::from(self.unsigned_varint()?) - 1,
        };
        let range = self.range(length, "bytes", at)?;
        Ok(range.map(|range| match self.shared {
            Some(message) => message.slice(range),
            None => Slice::copy_from(&self.bytes[range]),
        }))
    }

    /// Bytes that must be there, copied.
    ///
    /// # Errors
    /// Where they are null or longer than the message.
    pub fn opaque(&mut self) -> Result<Arc<[u8]>, Malformed> {
        let at = self.at;
        let length = match self.encoding {
            Encoding::Classic => i64::from(self.i32()?),
            Encoding::Flexible => i64::from(self.unsigned_varint()?) - 1,
        };
        let range = self.range(length, "bytes", at)?.ok_or(Malformed { what: "bytes", at })?;
        Ok(Arc::from(&self.bytes[range]))
    }

    /// The whole message, what was read of it included.
    #[must_use]
    pub const fn message(&self) -> &'a [u8] {
        self.bytes
    }

    /// The number of elements of an array that must be there. It is never more than there are bytes left, since no
    /// element takes none, nor than a request may have in all.
    ///
    /// # Errors
    /// Where it is null or longer than the message.
    pub fn array_len(&mut self) -> Result<usize, Malformed> {
        let at = self.at;
        self.nullable_array_len()?.ok_or(Malformed { what: "array", at })
    }

    /// The number of elements of an array, or `None` for null.
    ///
    /// # Errors
    /// Where it is longer than the message.
    pub fn nullable_array_len(&mut self) -> Result<Option<usize>, Malformed> {
        let at = self.at;
        let length = match self.encoding {
            Encoding::Classic => i64::from(self.i32()?),
            Encoding::Flexible => i64::from(self.unsigned_varint()?) - 1,
        };
        if length == -1 {
            return Ok(None);
        }
        match usize::try_from(length) {
            Ok(length) if length <= self.remaining().min(self.elements) => {
                self.elements -= length;
                Ok(Some(length))
            }
            _ => Err(Malformed { what: "array length", at }),
        }
    }

    /// The tagged fields that end a structure, each handed to `field` as its tag and its content; none in the classic
    /// encoding.
    ///
    /// # Errors
    /// Where they are longer than the message, or `field` refuses one.
    pub fn tagged_fields(
        &mut self,
        mut field: impl FnMut(u32, &mut Reader<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if self.encoding == Encoding::Classic {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            let tag = self.unsigned_varint()?;
            let at = self.at;
            let length = i64::from(self.unsigned_varint()?);
            let range = self.range(length, "tagged field", at)?.unwrap_or_default();
            field(tag, &mut Reader::new(&self.bytes[range], self.encoding))?;
        }
        Ok(())
    }

    /// Skips the tagged fields that end a structure.
    ///
    /// # Errors
    /// As [`Reader::tagged_fields`].
    pub fn skip_tagged_fields(&mut self) -> Result<(), Malformed> {
        self.tagged_fields(|_, _| Ok(()))
    }

    /// Checks that the message ends here. Only tests do: a client may know fields that this version has not.
    ///
    /// # Errors
    /// Where bytes are left.
    #[cfg(test)]
    pub fn end(&self) -> Result<(), Malformed> {
        if self.remaining() == 0 { Ok(()) } else { Err(Malformed { what: "end of message", at: self.at }) }
    }

    const fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let found = self.bytes[self.at..].first_chunk().ok_or(Malformed { what, at: self.at })?;
        self.at += N;
        Ok(*found)
    }

    /// The next `length` bytes; `None` for a length of −1.
    fn range(
        &mut self,
        length: i64,
        what: &'static str,
        at: usize,
    ) -> Result<Option<Range<usize>>, Malformed> {
        if length == -1 {
            return Ok(None);
        }
        match usize::try_from(length) {
            Ok(length) if length <= self.remaining() => {
                let start = self.at;
                self.at += length;
                Ok(Some(start..self.at))
            }
            _ => Err(Malformed { what, at }),
        }
    }
}
