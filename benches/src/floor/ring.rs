//! The ring: operations go in with the memory they need, completions bring it back.
//!
//! Whatever the kernel may read or write is owned by the ring from submission to completion, so a caller cannot free
//! or touch it in between. That makes every function here safe to call.

use std::io;
use std::mem;
use std::ops::Range;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use super::buffer::Buffer;

/// Operations that may be in flight at once. The completion queue is made twice as large, so it cannot overflow.
const OPERATIONS_MAX: u32 = 4096;

/// What an operation was for. The numbers are the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A connection arrives; completes again and again.
    Accept,
    /// Bytes arrive on a connection.
    Receive(usize),
    /// Responses leave on a connection.
    Send(usize),
    /// A part of a log goes to its file.
    Write {
        /// The log's number.
        log: usize,
        /// The write's, within the log.
        id: u64,
    },
    /// A log's file is flushed.
    Flush(usize),
    /// A signal arrives.
    Signal,
}

/// The memory an operation held.
pub enum Memory {
    /// None.
    Nothing,
    /// A block-aligned buffer.
    Buffer(Buffer),
    /// Encoded responses.
    Bytes(Vec<u8>),
    /// A connection that arrived.
    Socket(OwnedFd),
}

/// The end (or, for accepting, one result) of an operation.
pub struct Completion {
    /// What it was for.
    pub purpose: Purpose,
    /// The system call's result, or a negative errno.
    pub result: i32,
    /// The memory it held.
    pub memory: Memory,
    /// Whether this was the operation's last completion.
    pub last: bool,
}

struct Slot {
    purpose: Purpose,
    memory: Memory,
}

/// One core's ring.
pub struct Ring {
    uring: IoUring,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
}

impl Ring {
    /// A ring for the calling thread, which must be the one to use it.
    pub fn new() -> io::Result<Self> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(2 * OPERATIONS_MAX)
            .build(OPERATIONS_MAX / 4)?;
        Ok(Self { uring, slots: Vec::new(), free: Vec::new() })
    }

    /// Registers write buffers; each then carries its index. They must live until the ring is dropped, which holds
    /// for the logs' pool.
    pub fn register(&mut self, buffers: &mut [Buffer]) -> io::Result<()> {
        let ranges: Vec<libc::iovec> = buffers
            .iter_mut()
            .map(|b| libc::iovec { iov_base: b.as_mut_ptr().cast(), iov_len: b.len() })
            .collect();
        // SAFETY: registering pins the pages themselves; the kernel reads them only for a write that names them, and
        // such a write owns its `Buffer` until it completes.
        unsafe { self.uring.submitter().register_buffers(&ranges)? };
        for (index, buffer) in buffers.iter_mut().enumerate() {
            buffer.set_registered(u16::try_from(index).expect("the pool has fewer than 65,536 buffers"));
        }
        Ok(())
    }

    /// Accepts connections until the listener fails.
    pub fn accept(&mut self, listener: RawFd) {
        let entry = opcode::AcceptMulti::new(types::Fd(listener)).flags(libc::SOCK_CLOEXEC).build();
        self.push(Purpose::Accept, Memory::Nothing, entry);
    }

    /// Receives at least one byte into `buffer[range]`.
    pub fn receive(&mut self, connection: usize, socket: RawFd, mut buffer: Buffer, range: Range<usize>) {
        let target = &mut buffer[range];
        let entry = opcode::Recv::new(types::Fd(socket), target.as_mut_ptr(), length(target)).build();
        self.push(Purpose::Receive(connection), Memory::Buffer(buffer), entry);
    }

    /// Sends `bytes[from..]`.
    pub fn send(&mut self, connection: usize, socket: RawFd, bytes: Vec<u8>, from: usize) {
        let source = &bytes[from..];
        let entry = opcode::Send::new(types::Fd(socket), source.as_ptr(), length(source))
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .build();
        self.push(Purpose::Send(connection), Memory::Bytes(bytes), entry);
    }

    /// Writes `buffer[range]` at `position` of the file.
    pub fn write(
        &mut self,
        purpose: Purpose,
        file: RawFd,
        buffer: Buffer,
        range: Range<usize>,
        position: u64,
    ) {
        let source = &buffer[range];
        let entry = match buffer.registered() {
            Some(index) => opcode::WriteFixed::new(types::Fd(file), source.as_ptr(), length(source), index)
                .offset(position)
                .build(),
            None => {
                opcode::Write::new(types::Fd(file), source.as_ptr(), length(source)).offset(position).build()
            }
        };
        self.push(purpose, Memory::Buffer(buffer), entry);
    }

    /// Flushes the file's data. A worker thread of the kernel runs it.
    pub fn flush(&mut self, log: usize, file: RawFd) {
        let entry = opcode::Fsync::new(types::Fd(file)).flags(types::FsyncFlags::DATASYNC).build();
        self.push(Purpose::Flush(log), Memory::Nothing, entry);
    }

    /// Reads one record of a signalfd.
    pub fn wait_for_signal(&mut self, signals: RawFd, mut record: Buffer) {
        let entry = opcode::Read::new(types::Fd(signals), record.as_mut_ptr(), length(&record)).build();
        self.push(Purpose::Signal, Memory::Buffer(record), entry);
    }

    /// Submits everything, waits for at least one completion and appends all there are to `completions`.
    pub fn turn(&mut self, completions: &mut Vec<Completion>) -> io::Result<()> {
        match self.uring.submit_and_wait(1) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            // The kernel asks for completions to be taken first.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            Err(error) => return Err(error),
        }
        for entry in self.uring.completion() {
            let slot = usize::try_from(entry.user_data()).expect("user data is a slot's number");
            completions.push(complete(&mut self.slots, &mut self.free, slot, &entry));
        }
        Ok(())
    }

    fn push(&mut self, purpose: Purpose, memory: Memory, entry: squeue::Entry) {
        let slot = Some(Slot { purpose, memory });
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number] = slot;
                number
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        let entry = entry.user_data(number as u64);
        if self.uring.submission().is_full() {
            // An interrupted or busy submission leaves the queue full, which the push below then reports.
            let _ = self.uring.submit();
        }
        // SAFETY: the memory that the entry points at is owned by its slot until the completion is taken, and
        // neither `Buffer` nor `Vec` moves its bytes when it is moved itself.
        unsafe { self.uring.submission().push(&entry) }
            .expect("the kernel takes entries when asked to submit");
    }
}

fn complete(
    slots: &mut [Option<Slot>],
    free: &mut Vec<usize>,
    number: usize,
    entry: &cqueue::Entry,
) -> Completion {
    let last = !cqueue::more(entry.flags());
    let slot = &mut slots[number];
    let purpose = slot.as_ref().expect("a completion belongs to an operation in flight").purpose;
    let mut memory = Memory::Nothing;
    if last {
        memory = slot.take().expect("checked above").memory;
        free.push(number);
    }
    if purpose == Purpose::Accept && entry.result() >= 0 {
        // SAFETY: a successful accept made this descriptor, and it is taken here only.
        memory = Memory::Socket(unsafe { OwnedFd::from_raw_fd(entry.result()) });
    }
    Completion { purpose, result: entry.result(), memory, last }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The kernel may still use the memory of operations in flight, and closing a ring does not wait for them.
        for slot in self.slots.drain(..).flatten() {
            mem::forget(slot.memory);
        }
    }
}

/// A length as the kernel takes it.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("buffers are far below 4 GiB")
}
