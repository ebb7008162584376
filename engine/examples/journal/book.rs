//! An order book: what stands in it depends on the commands it was given and their order, and on nothing else.

use std::collections::{BTreeMap, VecDeque};

use super::command::{Command, Side, scramble};

/// An order that waits in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Its number.
    pub order: u64,
    /// What is left of it.
    pub quantity: u32,
}

/// The book, with price and time priority.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    bids: BTreeMap<u32, VecDeque<Resting>>,
    asks: BTreeMap<u32, VecDeque<Resting>>,
    /// Where the orders that rest are.
    places: BTreeMap<u64, (Side, u32)>,
    /// Commands applied so far: the offset of the next one in the journal.
    applied: u64,
    placed: u64,
    traded: u64,
    cancelled: u64,
    digest: u64,
}

impl Book {
    /// Commands applied so far.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Units traded so far.
    pub fn traded(&self) -> u64 {
        self.traded
    }

    /// Orders that rest.
    pub fn resting(&self) -> usize {
        self.places.len()
    }

    /// Tells two books apart that were not given the same commands in the same order.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Does what is asked. An order that is not there any more cannot be cancelled, which is no error.
    pub fn apply(&mut self, command: Command) {
        match command {
            Command::Place { order, side, price, quantity } => self.place(order, side, price, quantity),
            Command::Cancel { order } => self.cancel(order),
        }
        self.applied += 1;
        let state = self.traded ^ self.cancelled.rotate_left(16) ^ self.placed.rotate_left(32);
        let command = u64::from_le_bytes(command.encode()[1..9].try_into().expect("eight bytes"));
        self.digest = scramble(self.digest ^ state ^ command.rotate_left(48));
    }

    fn place(&mut self, order: u64, side: Side, price: u32, mut quantity: u32) {
        self.placed += u64::from(quantity);
        while quantity > 0 {
            let best = match side {
                Side::Buy => self.asks.first_entry().filter(|level| *level.key() <= price),
                Side::Sell => self.bids.last_entry().filter(|level| *level.key() >= price),
            };
            let Some(mut level) = best else { break };
            let first = level.get_mut().front_mut().expect("a level without orders is removed");
            let traded = quantity.min(first.quantity);
            quantity -= traded;
            first.quantity -= traded;
            self.traded += u64::from(traded);
            if first.quantity == 0 {
                self.places.remove(&first.order);
                level.get_mut().pop_front();
            }
            if level.get().is_empty() {
                level.remove();
            }
        }
        if quantity > 0 {
            self.rest(Resting { order, quantity }, side, price);
        }
    }

    fn rest(&mut self, resting: Resting, side: Side, price: u32) {
        let levels = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        levels.entry(price).or_default().push_back(resting);
        self.places.insert(resting.order, (side, price));
    }

    fn cancel(&mut self, order: u64) {
        let Some((side, price)) = self.places.remove(&order) else { return };
        let levels = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let level = levels.get_mut(&price).expect("an order rests at its price");
        let at =
            level.iter().position(|resting| resting.order == order).expect("an order rests at its price");
        self.cancelled += u64::from(level.remove(at).expect("it was just found").quantity);
        if level.is_empty() {
            levels.remove(&price);
        }
    }

    /// What must hold whatever the commands were.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), String> {
        if let (Some((bid, _)), Some((ask, _))) = (self.bids.last_key_value(), self.asks.first_key_value())
            && bid >= ask
        {
            return Err(format!("the best bid, {bid}, would trade with the best ask, {ask}"));
        }
        let levels = || self.bids.values().chain(self.asks.values());
        if levels().any(|level| level.is_empty() || level.iter().any(|resting| resting.quantity == 0)) {
            return Err("nothing rests somewhere where something should".into());
        }
        let orders = levels().map(VecDeque::len).sum::<usize>();
        if orders != self.places.len() {
            return Err(format!("{orders} orders rest, {} are known", self.places.len()));
        }
        let resting: u64 = levels().flatten().map(|resting| u64::from(resting.quantity)).sum();
        // Each trade takes as much from both sides.
        let accounted = resting + self.cancelled + 2 * self.traded;
        if accounted != self.placed {
            return Err(format!("{} units were placed, {accounted} are accounted for", self.placed));
        }
        Ok(())
    }

    /// The whole book, for a snapshot.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [self.applied, self.placed, self.traded, self.cancelled, self.digest] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        // As the commands that would bring them there: nothing that rests trades with anything else that does.
        for (side, levels) in [(Side::Buy, &self.bids), (Side::Sell, &self.asks)] {
            for (&price, level) in levels {
                for &Resting { order, quantity } in level {
                    bytes.extend_from_slice(&Command::Place { order, side, price, quantity }.encode());
                }
            }
        }
        bytes
    }

    /// What [`Self::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        const NUMBERS: usize = 5;
        let (numbers, orders) = bytes.split_at_checked(NUMBERS * 8)?;
        let number =
            |at: usize| u64::from_le_bytes(numbers[at * 8..at * 8 + 8].try_into().expect("eight bytes"));
        let mut book = Self {
            applied: number(0),
            placed: number(1),
            traded: number(2),
            cancelled: number(3),
            digest: number(4),
            ..Self::default()
        };
        for order in orders.chunks(super::command::COMMAND_BYTES) {
            let Command::Place { order, side, price, quantity } = Command::decode(order)? else {
                return None;
            };
            book.rest(Resting { order, quantity }, side, price);
        }
        Some(book)
    }
}
