//! The client, one and the same for all servers: one thread and the floor's ring, so that it costs as little as it can.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use super::frames::{self, ANSWER_BYTES, LENGTH_BYTES};
use super::work::Load;
use crate::floor::{Buffer, Memory, Purpose, Ring};
use crate::journals::Latencies;

/// What one run brought.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Frames that were answered.
    pub frames: u64,
    /// In so long.
    pub took: Duration,
    /// From sending each to its answer, where each was waited for.
    pub latencies: Option<Latencies>,
}

/// The connections to one server.
pub struct Client {
    ring: Ring,
    load: Load,
    connections: Vec<Connection>,
}

struct Connection {
    socket: TcpStream,
    /// The frames of a batch, numbered from `first_number` on; absent while they are being sent.
    batch: Option<Vec<u8>>,
    first_number: u64,
    /// Which frame of a batch is answered next.
    next: u64,
    /// Answers, the first of them perhaps in part; absent while the kernel has it.
    input: Option<Buffer>,
    filled: usize,
    in_flight: usize,
    sent_at: Instant,
}

impl Client {
    /// Connects, and sends nothing yet.
    ///
    /// # Errors
    /// The system's.
    pub fn connect(address: &str, load: Load) -> io::Result<Self> {
        let connections = (0..load.connections).map(|number| Connection::new(address, number, load));
        Ok(Self { ring: Ring::new()?, load, connections: connections.collect::<io::Result<_>>()? })
    }

    /// Keeps the load under way for `duration`, and waits until all of it is answered. Answers that come after the time
    /// do not count.
    ///
    /// # Errors
    /// The system's, and `InvalidData` for an answer that is wrong or out of order.
    pub fn run(&mut self, duration: Duration) -> io::Result<Answered> {
        let mut latencies = (self.load.batch == 1).then(Latencies::start);
        let begun = Instant::now();
        for number in 0..self.connections.len() {
            self.receive(number);
            self.send(number);
        }
        let mut completions = Vec::new();
        let (mut frames, mut took) = (0, None);
        while self.connections.iter().any(Connection::is_busy) {
            self.ring.turn(&mut completions)?;
            let now = Instant::now();
            if took.is_none() && now - begun >= duration {
                took = Some(now - begun);
            }
            for completion in completions.drain(..) {
                let (number, answered) = self.complete(completion)?;
                if took.is_none() {
                    frames += answered;
                    if let Some(latencies) = latencies.as_mut().filter(|_| answered > 0) {
                        latencies.record(now - self.connections[number].sent_at);
                    }
                    self.send(number);
                }
            }
        }
        let took = took.unwrap_or_else(|| begun.elapsed());
        Ok(Answered { frames, took, latencies: latencies.map(Latencies::stop) })
    }

    /// Ends the connections, and the receives that are under way on them.
    ///
    /// # Errors
    /// The system's.
    pub fn close(mut self) -> io::Result<()> {
        let mut completions = Vec::new();
        for connection in &self.connections {
            connection.socket.shutdown(Shutdown::Both)?;
        }
        while self.connections.iter().any(|connection| connection.input.is_none()) {
            self.ring.turn(&mut completions)?;
            for completion in completions.drain(..) {
                if let (Purpose::Receive(number), Memory::Buffer(buffer)) =
                    (completion.purpose, completion.memory)
                {
                    self.connections[number].input = Some(buffer);
                }
            }
        }
        Ok(())
    }

    /// Sends a connection's next batch, if that may be under way.
    fn send(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        if connection.in_flight + self.load.batch > self.load.batch * self.load.batches_in_flight {
            return;
        }
        let Some(batch) = connection.batch.take() else { return };
        connection.in_flight += self.load.batch;
        connection.sent_at = Instant::now();
        self.ring.send(number, connection.socket.as_raw_fd(), batch, 0);
    }

    fn receive(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        if let Some(input) = connection.input.take() {
            let room = connection.filled..input.len();
            self.ring.receive(number, connection.socket.as_raw_fd(), input, room);
        }
    }

    /// Takes what an operation brought; says on which connection, and how many frames were answered.
    fn complete(&mut self, completion: crate::floor::Completion) -> io::Result<(usize, u64)> {
        let result = usize::try_from(completion.result)
            .map_err(|_| io::Error::from_raw_os_error(-completion.result))?;
        match (completion.purpose, completion.memory) {
            (Purpose::Send(number), Memory::Bytes(batch)) => {
                if result != batch.len() {
                    return Err(gone());
                }
                self.connections[number].batch = Some(batch);
                Ok((number, 0))
            }
            (Purpose::Receive(number), Memory::Buffer(input)) => {
                if result == 0 {
                    return Err(gone());
                }
                let answered = self.connections[number].received(input, result, self.load.batch)?;
                self.receive(number);
                Ok((number, answered))
            }
            (purpose, _) => unreachable!("{purpose:?} was not submitted"),
        }
    }
}

impl Connection {
    fn new(address: &str, number: usize, load: Load) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        // Told apart from those of other connections.
        let first_number = (number as u64) << 32;
        let mut batch = Vec::with_capacity(load.batch * (LENGTH_BYTES + load.body_bytes));
        for frame in 0..load.batch as u64 {
            frames::push_frame(&mut batch, first_number + frame, load.body_bytes);
        }
        // Answers to as much as may be under way, so that one receive can bring all of them.
        let input = Buffer::new(load.batch * load.batches_in_flight * ANSWER_BYTES + ANSWER_BYTES);
        Ok(Self {
            socket,
            batch: Some(batch),
            first_number,
            next: 0,
            input: Some(input),
            filled: 0,
            in_flight: 0,
            sent_at: Instant::now(),
        })
    }

    fn is_busy(&self) -> bool {
        self.in_flight > 0 || self.batch.is_none()
    }

    /// Checks the answers in what was received; says how many there were.
    fn received(&mut self, mut input: Buffer, count: usize, batch: usize) -> io::Result<u64> {
        self.filled += count;
        let mut answered = 0;
        for answer in input[..self.filled].chunks_exact(ANSWER_BYTES) {
            if *answer != frames::answer(self.first_number + self.next) {
                return Err(io::Error::new(
                    ErrorKind::InvalidData,
                    format!(
                        "the answer to frame {} is {answer:02x?}: wrong, or out of order",
                        self.first_number + self.next
                    ),
                ));
            }
            self.next = if self.next + 1 == batch as u64 { 0 } else { self.next + 1 };
            answered += 1;
        }
        if answered > self.in_flight {
            return Err(io::Error::new(ErrorKind::InvalidData, "more answers than frames"));
        }
        self.in_flight -= answered;
        let whole = answered * ANSWER_BYTES;
        input.copy_within(whole..self.filled, 0);
        self.filled -= whole;
        self.input = Some(input);
        Ok(answered as u64)
    }
}

fn gone() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the server has closed a connection")
}

#[cfg(test)]
mod tests;
