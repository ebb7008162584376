//! Operations as the kernel reads them: submission queue entries.

use std::ptr;

use io_uring::{opcode, squeue, types};

use super::slots::InFlight;
use crate::io::{BLOCK_SIZE, File, HostFs, Op, Pool, SEND_SLICES_MAX, Slice};

/// The most bytes Linux moves in one call (`MAX_RW_COUNT`).
const TRANSFER_MAX: usize = 0x7fff_f000;

/// The most bytes io_uring takes as one registered buffer. A multiple of the chunk size, so that no chunk straddles.
const REGISTERED_MAX: usize = 1 << 30;

/// A send's slices as sendmsg(2) takes them, at an address that stays when this value moves.
pub(super) struct Message {
    header: Box<libc::msghdr>,
    vectors: Vec<libc::iovec>,
}

impl Message {
    pub(super) fn new() -> Self {
        // SAFETY: all zeros is the empty message: null pointers and no lengths.
        let header = Box::new(unsafe { std::mem::zeroed() });
        Self { header, vectors: Vec::new() }
    }

    fn set<'a>(&mut self, slices: impl Iterator<Item = &'a [u8]>) -> *const libc::msghdr {
        self.vectors.clear();
        self.vectors.extend(
            slices.map(|slice| libc::iovec {
                iov_base: slice.as_ptr().cast_mut().cast(),
                iov_len: slice.len(),
            }),
        );
        self.header.msg_iov = self.vectors.as_mut_ptr();
        self.header.msg_iovlen = self.vectors.len();
        &raw const *self.header
    }
}

/// The pool whose memory the ring has registered. Operations on it skip mapping the pages each time.
pub(super) struct Registered {
    /// `None` where the system lets nothing be registered.
    pool_id: Option<u32>,
    start: usize,
}

impl Registered {
    pub(super) fn new(pool: &Pool) -> Self {
        Self { pool_id: Some(pool.id()), start: pool.region().0.addr() }
    }

    /// No memory at all: each operation maps its own.
    pub(super) fn nothing() -> Self {
        Self { pool_id: None, start: 0 }
    }

    /// The pool's region in pieces that io_uring takes; a piece's place in the list is its index.
    pub(super) fn pieces(pool: &Pool) -> Vec<libc::iovec> {
        let (start, len) = pool.region();
        let piece = |at: usize| libc::iovec {
            iov_base: start.wrapping_add(at).cast(),
            iov_len: REGISTERED_MAX.min(len - at),
        };
        (0..len).step_by(REGISTERED_MAX).map(piece).collect()
    }

    /// The index of the registered piece that memory of pool `pool_id` at `address` lies in.
    fn index(&self, pool_id: Option<u32>, address: *const u8) -> Option<u16> {
        if pool_id.is_none() || pool_id != self.pool_id {
            return None;
        }
        u16::try_from((address.addr() - self.start) / REGISTERED_MAX).ok()
    }
}

/// Panics where an operation breaks its contract, in the one who submits it. O_DIRECT would refuse what is unaligned
/// too, but only where the file system has it.
pub(super) fn check(op: &mut Op<HostFs>) {
    match op {
        Op::Write { offset, data, .. } | Op::WriteDurably { offset, data, .. } => {
            assert_aligned(*offset, data.as_ptr(), data.len())
        }
        Op::Read { offset, into, len, .. } => {
            assert_aligned(*offset, into.spare(), *len);
            assert!(*len <= into.remaining(), "{len} bytes wanted, room for {}", into.remaining());
        }
        Op::Receive { into, .. } => {
            assert!(into.remaining() > 0, "a receive without room would look like the peer's end");
        }
        Op::Send { slices, .. } => {
            assert!(slices.len() <= SEND_SLICES_MAX, "{} slices in one send", slices.len());
        }
        _ => {}
    }
}

fn assert_aligned(offset: u64, memory: *const u8, len: usize) {
    let all = offset | memory.addr() as u64 | len as u64;
    assert!(
        all.is_multiple_of(BLOCK_SIZE as u64),
        "offset {offset}, memory {memory:p} and length {len} must be multiples of {BLOCK_SIZE}"
    );
}

/// The entry for an operation that passed [`check`]. It points into what `in_flight` owns, none of which moves when `in_flight` itself does.
pub(super) fn entry(in_flight: &mut InFlight, registered: &Registered) -> squeue::Entry {
    match &mut in_flight.op {
        Op::Write { file, offset, data } => write(*file, *offset, data, 0, registered),
        Op::WriteDurably { file, offset, data } => write(*file, *offset, data, libc::RWF_DSYNC, registered),
        Op::Read { file, offset, into, len } => {
            let (file, start, len) = (types::Fd(file.0), into.spare(), transfer(*len));
            match registered.index(into.pool_id(), start) {
                Some(index) => opcode::ReadFixed::new(file, start, len, index).offset(*offset).build(),
                None => opcode::Read::new(file, start, len).offset(*offset).build(),
            }
        }
        Op::Flush { file } => {
            opcode::Fsync::new(types::Fd(file.0)).flags(types::FsyncFlags::DATASYNC).build()
        }
        Op::Close { file } => opcode::Close::new(types::Fd(file.0)).build(),
        // Not SOCK_NONBLOCK: see `io::socket`.
        Op::Accept { listener } => {
            opcode::Accept::new(types::Fd(listener.0), ptr::null_mut(), ptr::null_mut())
                .flags(libc::SOCK_CLOEXEC)
                .build()
        }
        Op::Receive { socket, into } => {
            opcode::Recv::new(types::Fd(socket.0), into.spare(), transfer(into.remaining())).build()
        }
        Op::Send { socket, slices } => {
            let message = in_flight.message.get_or_insert_with(Message::new);
            let header = message.set(slices.iter().map(|slice| &**slice));
            opcode::SendMsg::new(types::Fd(socket.0), header)
                .flags(libc::MSG_NOSIGNAL.cast_unsigned())
                .build()
        }
        Op::Shutdown { socket } => opcode::Shutdown::new(types::Fd(socket.0), libc::SHUT_RDWR).build(),
        Op::CloseSocket { socket } => opcode::Close::new(types::Fd(socket.0)).build(),
        Op::Job(_) => unreachable!("jobs go to the helper threads"),
    }
}

fn write(file: File, offset: u64, data: &Slice, flags: i32, registered: &Registered) -> squeue::Entry {
    let (file, start, len) = (types::Fd(file.0), data.as_ptr(), transfer(data.len()));
    match registered.index(data.pool_id(), start) {
        Some(index) => {
            opcode::WriteFixed::new(file, start, len, index).offset(offset).rw_flags(flags).build()
        }
        None => opcode::Write::new(file, start, len).offset(offset).rw_flags(flags).build(),
    }
}

/// The read of the eventfd's counter that a wake-up completes.
pub(super) fn wake_read(eventfd: i32, into: *mut u8) -> squeue::Entry {
    opcode::Read::new(types::Fd(eventfd), into, size_of::<u64>() as u32).build()
}

/// The cancellation of everything in flight.
pub(super) fn cancel_all() -> squeue::Entry {
    opcode::AsyncCancel2::new(types::CancelBuilder::any().all()).build()
}

/// A length as one entry takes it; what is past it makes a short transfer.
fn transfer(len: usize) -> u32 {
    u32::try_from(len.min(TRANSFER_MAX)).expect("TRANSFER_MAX fits")
}
