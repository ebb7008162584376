//! Cutting a stream into frames: a length of four bytes, and that many bytes of request.

use std::fmt;

/// Bytes of a frame's length.
pub const LENGTH_BYTES: usize = 4;

/// The shortest request: key, version and correlation id.
const REQUEST_BYTES_MIN: usize = 8;

/// What a stream begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A whole frame of this many bytes, its length included.
    Whole(usize),
    /// A part of a frame that has this many bytes in all, as far as is known: at least [`LENGTH_BYTES`].
    Part(usize),
}

/// A length that no request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLength {
    /// Negative, or too short to hold a request's header.
    NoRequest(i32),
    /// Longer than `socket.request.max.bytes`.
    TooLong {
        /// What the frame announces.
        length: i32,
        /// What is allowed.
        limit: usize,
    },
}

impl fmt::Display for BadLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRequest(length) => {
                write!(f, "a frame of {length} bytes holds no request; is this a Kafka client?")
            }
            Self::TooLong { length, limit } => {
                write!(f, "a request of {length} bytes is longer than socket.request.max.bytes={limit}")
            }
        }
    }
}

/// Looks at what a stream begins with. A frame that is refused is refused by its length, before its bytes are there.
///
/// # Errors
/// A length that is no request's.
pub fn cut(bytes: &[u8], limit: usize) -> Result<Cut, BadLength> {
    let Some(length) = bytes.first_chunk() else {
        return Ok(Cut::Part(LENGTH_BYTES));
    };
    let length = i32::from_be_bytes(*length);
    let request = usize::try_from(length).map_err(|_| BadLength::NoRequest(length))?;
    if request < REQUEST_BYTES_MIN {
        return Err(BadLength::NoRequest(length));
    }
    if request > limit {
        return Err(BadLength::TooLong { length, limit });
    }
    let frame = LENGTH_BYTES + request;
    Ok(if bytes.len() < frame { Cut::Part(frame) } else { Cut::Whole(frame) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_with_its_last_byte() {
        let frame = [0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        for end in 0..LENGTH_BYTES {
            assert_eq!(cut(&frame[..end], 100), Ok(Cut::Part(LENGTH_BYTES)));
        }
        for end in LENGTH_BYTES..frame.len() {
            assert_eq!(cut(&frame[..end], 100), Ok(Cut::Part(13)));
        }
        assert_eq!(cut(&frame, 100), Ok(Cut::Whole(13)));
        assert_eq!(cut(&[&frame[..], &[1, 2]].concat(), 100), Ok(Cut::Whole(13)));
    }

    #[test]
    fn lengths_of_no_request_are_refused_at_once() {
        assert_eq!(cut(&(-1_i32).to_be_bytes(), 100), Err(BadLength::NoRequest(-1)));
        assert_eq!(cut(&7_i32.to_be_bytes(), 100), Err(BadLength::NoRequest(7)));
        assert_eq!(cut(&100_i32.to_be_bytes(), 100), Ok(Cut::Part(104)));
        assert_eq!(cut(&101_i32.to_be_bytes(), 100), Err(BadLength::TooLong { length: 101, limit: 100 }));
        assert_eq!(cut(b"GET / HTTP/1.1", 100), Err(BadLength::TooLong { length: 0x4745_5420, limit: 100 }));
    }
}
