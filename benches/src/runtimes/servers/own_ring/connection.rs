//! One connection's state: what is received, what is to be sent, and the block on its way to the disk. Memory in the
//! kernel's hands is absent here.

use std::io;
use std::mem;

use tora_engine::io::{BLOCK_SIZE, ChunkMut, Pool, Slice, Socket};

use crate::runtimes::disk;
use crate::runtimes::frames::{self, RECEIVE_BYTES};

/// What a connection can do now.
pub enum Step {
    /// Nothing until an operation ends.
    Wait,
    /// Receive into this.
    Receive(ChunkMut),
    /// Send this.
    Send(Vec<Slice>),
    /// Write this block, and flush it if need be.
    Write(Slice),
    /// Close the socket: nothing is in flight any more.
    Close,
}

/// See the module.
pub struct Connection {
    socket: Socket,
    /// What is being received into; absent while the kernel has it.
    input: Option<ChunkMut>,
    /// Where the first frame that is not handled begins in it.
    start: usize,
    /// The next input: a chunk is filled front to back, so that a partial frame moves to another one.
    next_input: ChunkMut,
    /// Answers that are to be sent.
    answers: ChunkMut,
    /// Answers that are being sent, or none.
    leaving: ChunkMut,
    sending: bool,
    /// What a short send has left, to be sent before anything else.
    unsent: Option<Slice>,
    block: ChunkMut,
    /// The frame that is answered when its block is stored.
    storing: Option<u64>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The client has gone, or is sent away.
    Ending,
    Closed,
}

impl Connection {
    /// A connection that has received nothing yet.
    pub fn new(socket: Socket) -> Self {
        // An answer is never longer than its frame, so that the answers to all of an input fit.
        let chunk = || Pool::heap(RECEIVE_BYTES);
        Self {
            socket,
            input: Some(chunk()),
            start: 0,
            next_input: chunk(),
            answers: chunk(),
            leaving: chunk(),
            sending: false,
            unsent: None,
            block: Pool::heap(BLOCK_SIZE),
            storing: None,
            state: State::Open,
        }
    }

    /// Its socket.
    pub fn socket(&self) -> Socket {
        self.socket
    }

    /// The next thing to start; to be asked until it is [`Step::Wait`] or [`Step::Close`].
    ///
    /// # Errors
    /// `InvalidData` where the client sends what is no frame.
    pub fn next_step(&mut self, storing: bool) -> io::Result<Step> {
        if self.state != State::Open {
            return Ok(self.ending());
        }
        if let Some(block) = self.handle_frames(storing)? {
            return Ok(Step::Write(block));
        }
        if let Some(slices) = self.begin_send() {
            return Ok(Step::Send(slices));
        }
        // With the next input's answers there would be more than there is room for.
        let may_receive = self.storing.is_none() && self.answers.is_empty();
        match self.input.take_if(|_| may_receive) {
            Some(input) => Ok(Step::Receive(self.with_room(input))),
            None => Ok(Step::Wait),
        }
    }

    fn ending(&mut self) -> Step {
        let idle = self.input.is_some() && self.storing.is_none() && !self.sending;
        if idle && self.state == State::Ending {
            self.state = State::Closed;
            return Step::Close;
        }
        Step::Wait
    }

    /// Answers the frames that are there, up to one that has to be stored first.
    fn handle_frames(&mut self, storing: bool) -> io::Result<Option<Slice>> {
        let Some(input) = self.input.as_ref().filter(|_| self.storing.is_none()) else { return Ok(None) };
        while let Some(body) = frames::cut(&input[self.start..])? {
            let (body, end) = (&input[self.start..][body.clone()], body.end);
            let number = frames::number(body);
            if storing {
                disk::check(body)?;
                assert!(self.block.try_reset(), "one block is on its way at a time");
                self.block.push(body);
                self.block.push(&[0; BLOCK_SIZE]);
                self.storing = Some(number);
                self.start += end;
                return Ok(Some(self.block.filled()));
            }
            push(&mut self.answers, number);
            self.start += end;
        }
        Ok(None)
    }

    fn begin_send(&mut self) -> Option<Vec<Slice>> {
        if self.sending {
            return None;
        }
        let next = match self.unsent.take() {
            Some(rest) => rest,
            // Answers that are stored one by one leave together with the last of what was received.
            None if self.answers.is_empty() || self.storing.is_some() => return None,
            None => {
                mem::swap(&mut self.answers, &mut self.leaving);
                assert!(self.answers.try_reset(), "what was sent before has left");
                self.leaving.filled()
            }
        };
        self.sending = true;
        Some(vec![next])
    }

    /// The input, or another one with its partial frame at the front, so that the rest of it fits.
    fn with_room(&mut self, mut input: ChunkMut) -> ChunkMut {
        if self.start == input.len() && input.try_reset() {
            self.start = 0;
        } else if !frames::fits_behind(self.start) {
            assert!(self.next_input.try_reset(), "frames are copied, not shared");
            self.next_input.push(&input[self.start..]);
            mem::swap(&mut self.next_input, &mut input);
            self.start = 0;
        }
        input
    }

    /// `count` bytes more are in the chunk; none when the client has gone.
    pub fn received(&mut self, mut chunk: ChunkMut, count: usize) {
        chunk.advance(count);
        self.input = Some(chunk);
        if count == 0 {
            self.end();
        }
    }

    /// The first `count` bytes of the slices have left.
    pub fn sent(&mut self, slices: Vec<Slice>, count: usize) {
        self.sending = false;
        let [slice] = <[Slice; 1]>::try_from(slices).expect("one slice was sent");
        self.unsent = (count < slice.len()).then(|| slice.slice(count..slice.len()));
    }

    /// The block is on the disk.
    pub fn stored(&mut self) {
        push(&mut self.answers, self.storing.take().expect("one was on its way"));
    }

    /// A send, or else a write or flush, has failed: the connection is of no use.
    pub fn failed(&mut self, send: bool) {
        if send {
            self.sending = false;
        } else {
            self.storing = None;
        }
        self.end();
    }

    /// Begins to end. What is in flight comes back first; the receive does so when the client goes.
    pub fn end(&mut self) {
        self.state = State::Ending;
    }
}

fn push(answers: &mut ChunkMut, number: u64) {
    let pushed = answers.push(&frames::answer(number));
    assert_eq!(pushed, frames::ANSWER_BYTES, "there is room for the answers to all of an input");
}
