//! The commands of an order book, and how they stand in the journal.

/// Which side of the book an order is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Wants to have.
    Buy,
    /// Wants to be rid of.
    Sell,
}

/// What somebody wants of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A limit order.
    Place {
        /// Its number.
        order: u64,
        /// Its side.
        side: Side,
        /// The worst price it takes.
        price: u32,
        /// How many.
        quantity: u32,
    },
    /// Takes back what is left of an order.
    Cancel {
        /// Its number.
        order: u64,
    },
}

/// Bytes of every command in the journal: kind, order, price, quantity, all little-endian.
pub const COMMAND_BYTES: usize = 17;

const BUY: u8 = 0;
const SELL: u8 = 1;
const CANCEL: u8 = 2;

impl Command {
    /// As it stands in the journal.
    pub fn encode(self) -> [u8; COMMAND_BYTES] {
        let (kind, order, price, quantity) = match self {
            Self::Place { order, side: Side::Buy, price, quantity } => (BUY, order, price, quantity),
            Self::Place { order, side: Side::Sell, price, quantity } => (SELL, order, price, quantity),
            Self::Cancel { order } => (CANCEL, order, 0, 0),
        };
        let mut bytes = [0; COMMAND_BYTES];
        bytes[0] = kind;
        bytes[1..9].copy_from_slice(&order.to_le_bytes());
        bytes[9..13].copy_from_slice(&price.to_le_bytes());
        bytes[13..].copy_from_slice(&quantity.to_le_bytes());
        bytes
    }

    /// What [`Self::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; COMMAND_BYTES] = bytes.try_into().ok()?;
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let order = u64::from_le_bytes(bytes[1..9].try_into().expect("eight bytes"));
        let side = match bytes[0] {
            BUY => Side::Buy,
            SELL => Side::Sell,
            CANCEL => return Some(Self::Cancel { order }),
            _ => return None,
        };
        Some(Self::Place { order, side, price: number(9), quantity: number(13) })
    }

    /// The command with this number of a made-up day: the same one each time, so that a run goes on where the one before
    /// ended.
    pub fn made_up(number: u64) -> Self {
        let random = scramble(number);
        let part = |shift: u32, below: u64| u32::try_from((random >> shift) % below).expect("a small number");
        if number > 0 && random.is_multiple_of(5) {
            return Self::Cancel { order: number - 1 - u64::from(part(8, 100)).min(number - 1) };
        }
        let side = if random & (1 << 40) == 0 { Side::Buy } else { Side::Sell };
        Self::Place { order: number, side, price: 9_950 + part(16, 101), quantity: 1 + part(32, 50) }
    }
}

/// A random-looking number for each number (SplitMix64).
pub fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
