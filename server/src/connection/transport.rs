//! How bytes reach a connection's client: a queue of slices, one gathered send under way, and the way to the end of the
//! socket. This is the plain transport; one that encrypts would stand in its place.

use tora_engine::io::{Returned, Slice, Socket};

use super::outgoing::{Outgoing, Piece};
use crate::wire::Stored;

/// How far a connection's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Both directions are ended, so that operations under way complete.
    ShuttingDown,
    /// The socket is being closed.
    Closing,
}

/// What has to be submitted to bring a connection to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndStep {
    /// End both directions.
    Shutdown,
    /// Close the socket.
    Close,
    /// Nothing now: operations are under way.
    Wait,
}

/// A connection's socket.
#[derive(Debug)]
pub struct Transport {
    socket: Socket,
    state: State,
    /// Operations that have not completed.
    under_way: u32,
    receiving: bool,
    /// Bytes of the send under way.
    sending: Option<usize>,
    outgoing: Outgoing,
    /// Whether what is sent next was asked for again.
    fetching: bool,
    /// The last send's list, to be filled again.
    spare: Vec<Slice>,
}

impl Transport {
    /// The plain transport on a connected socket.
    #[must_use]
    pub fn new(socket: Socket) -> Self {
        Self {
            socket,
            state: State::Open,
            under_way: 0,
            receiving: false,
            sending: None,
            outgoing: Outgoing::default(),
            fetching: false,
            spare: Vec::new(),
        }
    }

    /// Queues a piece of a response behind those that are queued.
    pub fn queue(&mut self, piece: Piece) {
        self.outgoing.push(piece);
    }

    /// Starts a send of about `bytes_max` bytes at most: the slices to submit, or `None` while one is under way or there
    /// is nothing in memory to send.
    pub fn begin_send(&mut self, bytes_max: usize) -> Option<Vec<Slice>> {
        if self.sending.is_some() || self.state != State::Open {
            return None;
        }
        let mut slices = std::mem::take(&mut self.spare);
        let bytes = self.outgoing.take(bytes_max, &mut slices);
        if bytes == 0 {
            self.spare = slices;
            return None;
        }
        self.sending = Some(bytes);
        self.under_way += 1;
        Some(slices)
    }

    /// What has to be asked for again before more can be sent, from now on being asked for; `None` where nothing has, or
    /// it was asked for.
    pub fn begin_fetch(&mut self) -> Option<(Stored, usize)> {
        if self.fetching || self.sending.is_some() || self.state != State::Open {
            return None;
        }
        let missing = self.outgoing.missing()?;
        self.fetching = true;
        Some(missing)
    }

    /// The first bytes of what was asked for again have come.
    pub fn fetched(&mut self, slices: Vec<Slice>) {
        assert!(std::mem::take(&mut self.fetching), "it was asked for");
        self.outgoing.came(slices);
    }

    /// Lets go of the records that wait behind the send under way.
    pub fn let_go(&mut self) {
        self.outgoing.let_go();
    }

    /// Takes a send's completion: what did not go out goes out next.
    pub fn sent(&mut self, count: usize, returned: Returned) {
        let bytes = self.sending.take().expect("a send was under way");
        self.under_way -= 1;
        assert!(count <= bytes, "no more goes out than was there");
        let Returned::Slices(mut slices) = returned else {
            assert!(count == bytes, "a send that ends short hands its slices back");
            return;
        };
        let mut gone = count;
        let whole = slices.iter().take_while(|slice| {
            let all_of_it = slice.len() <= gone;
            gone -= if all_of_it { slice.len() } else { 0 };
            all_of_it
        });
        let left = whole.count();
        if let Some(slice) = slices.get_mut(left) {
            slice.skip(gone);
        }
        self.outgoing.put_back(slices.drain(left..));
        slices.clear();
        self.spare = slices;
    }

    /// Counts a receive that starts.
    pub fn begin_receive(&mut self) {
        assert!(!self.receiving && self.state == State::Open);
        self.receiving = true;
        self.under_way += 1;
    }

    /// Counts a receive that ended.
    pub fn received(&mut self) {
        assert!(self.receiving, "a receive was under way");
        self.receiving = false;
        self.under_way -= 1;
    }

    /// Bytes of the send under way.
    #[must_use]
    pub const fn sending_bytes(&self) -> usize {
        match self.sending {
            Some(bytes) => bytes,
            None => 0,
        }
    }

    /// The next step to the end of the connection, taken as it is said.
    pub fn end(&mut self) -> EndStep {
        match self.state {
            State::Open if self.under_way > 0 => {
                self.state = State::ShuttingDown;
                self.under_way += 1;
                EndStep::Shutdown
            }
            State::Open | State::ShuttingDown if self.under_way == 0 => {
                self.state = State::Closing;
                EndStep::Close
            }
            _ => EndStep::Wait,
        }
    }

    /// Counts a shutdown that ended.
    pub fn shut_down(&mut self) {
        assert!(self.state == State::ShuttingDown);
        self.under_way -= 1;
    }

    /// The socket.
    #[must_use]
    pub const fn socket(&self) -> Socket {
        self.socket
    }

    /// Whether the connection is not on its way to its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether a receive is under way.
    #[must_use]
    pub const fn is_receiving(&self) -> bool {
        self.receiving
    }

    /// Bytes that wait to be sent, those of the send under way included.
    #[must_use]
    pub fn outgoing_bytes(&self) -> usize {
        self.outgoing.bytes() + self.sending.unwrap_or(0)
    }

    /// Bytes of records that wait in memory and may be let go of.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.outgoing.held()
    }
}

#[cfg(test)]
mod tests {
    use tora_engine::io::SEND_SLICES_MAX;

    use super::*;

    fn piece(bytes: &[u8]) -> Piece {
        Piece::Held { bytes: Slice::copy_from(bytes), stored: None }
    }

    fn sent_bytes(slices: &[Slice]) -> Vec<u8> {
        slices.iter().flat_map(|slice| slice.to_vec()).collect()
    }

    fn with_queue(parts: &[&[u8]]) -> Transport {
        let mut transport = Transport::new(Socket(-1));
        for part in parts {
            transport.queue(piece(part));
        }
        transport
    }

    #[test]
    fn a_short_send_goes_on_where_it_ended() {
        let parts: [&[u8]; 3] = [b"abc", b"defg", b"hi"];
        for short in 0..=9 {
            let mut transport = with_queue(&parts);
            let slices = transport.begin_send(usize::MAX).expect("something to send");
            assert!(transport.begin_send(usize::MAX).is_none(), "one send at a time");
            transport.queue(piece(b"jk"));
            transport.sent(short, Returned::Slices(slices));
            assert_eq!(transport.outgoing_bytes(), 11 - short);
            let rest = transport.begin_send(usize::MAX).expect("more to send");
            assert_eq!(sent_bytes(&rest), b"abcdefghijk"[short..]);
            transport.sent(11 - short, Returned::Slices(rest));
            assert!(transport.begin_send(usize::MAX).is_none());
            assert_eq!(transport.outgoing_bytes(), 0);
        }
    }

    #[test]
    fn more_slices_than_a_send_may_carry_go_in_several() {
        let mut transport = with_queue(&[&b"x"[..]; SEND_SLICES_MAX + 5]);
        assert_eq!(transport.begin_send(usize::MAX).map(|slices| slices.len()), Some(SEND_SLICES_MAX));
        transport.sent(SEND_SLICES_MAX, Returned::Nothing);
        assert_eq!(transport.begin_send(usize::MAX).map(|slices| slices.len()), Some(5));
    }

    #[test]
    fn the_socket_is_closed_when_nothing_is_under_way() {
        let mut transport = with_queue(&[b"a"]);
        transport.begin_receive();
        let slices = transport.begin_send(usize::MAX).expect("something to send");
        assert_eq!(transport.end(), EndStep::Shutdown);
        assert_eq!(transport.end(), EndStep::Wait);
        transport.received();
        transport.sent(0, Returned::Slices(slices));
        assert!(transport.begin_send(usize::MAX).is_none(), "nothing is sent any more");
        assert_eq!(transport.end(), EndStep::Wait);
        transport.shut_down();
        assert_eq!(transport.end(), EndStep::Close);
        assert_eq!(transport.end(), EndStep::Wait);
    }

    #[test]
    fn an_idle_socket_is_closed_at_once() {
        assert_eq!(with_queue(&[]).end(), EndStep::Close);
    }
}
