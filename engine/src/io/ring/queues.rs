//! The two queues shared with the kernel, and the one call that moves them.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::{EnterFlags, IoUring, cqueue, squeue, types};

use super::entry::Registered;
use crate::io::Pool;

/// How long to sleep in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sleep {
    /// Not at all.
    No,
    /// Until there is a completion.
    Forever,
    /// At most so many nanoseconds.
    For(u64),
}

/// What became of entering the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// All entries were taken.
    Done,
    /// The kernel wants completions taken, or memory back, before it takes more entries.
    Busy,
}

pub(super) struct Queues {
    uring: IoUring,
    /// What names the ring in `io_uring_enter`: its index among the thread's registered rings, which spares looking the
    /// descriptor up each time, or else the descriptor.
    name: i32,
    registered: bool,
}

impl Queues {
    /// A ring of the calling thread.
    ///
    /// DEFER_TASKRUN runs the kernel's half of completions when this thread asks for them and not in the middle of
    /// its work; TASKRUN_FLAG shows in memory whether there are any, so that a turn with nothing to do makes no call.
    pub(super) fn new(submission_entries: u32, completion_entries: u32) -> io::Result<Self> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(completion_entries)
            .build(submission_entries)?;
        let descriptor = uring.as_raw_fd();
        // A thread may register 16 rings; one more works under its descriptor just as well.
        let index = register_ring(descriptor).ok();
        Ok(Self { uring, name: index.unwrap_or(descriptor), registered: index.is_some() })
    }

    /// Registers the pool's memory. The caller keeps the pool until this value is dropped.
    pub(super) fn register(&mut self, pool: &Pool) -> io::Result<Registered> {
        let pieces = Registered::pieces(pool);
        // SAFETY: the pieces cover the pool's memory and nothing else. The kernel pins the pages, and touches them
        // only for operations in flight, each of which owns its chunk.
        unsafe { self.uring.submitter().register_buffers(&pieces) }?;
        Ok(Registered::new(pool))
    }

    /// Queues an entry, and says whether there was room.
    ///
    /// # Safety
    /// What the entry points at stays valid, and is touched by nobody else, until its completion was taken.
    pub(super) unsafe fn push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.uring.submission().push(entry) }.is_ok()
    }

    /// No entry fits before the next [`Self::enter`].
    pub(super) fn is_full(&mut self) -> bool {
        self.uring.submission().is_full()
    }

    /// Whether the thread knows the ring by its index.
    #[cfg(test)]
    pub(super) fn is_registered(&self) -> bool {
        self.registered
    }

    /// Whether entering would neither submit nor complete anything.
    pub(super) fn is_quiet(&mut self) -> bool {
        let submission = self.uring.submission();
        submission.is_empty() && !submission.taskrun() && !submission.cq_overflow()
    }

    /// Completions are there for the taking.
    pub(super) fn has_completions(&mut self) -> bool {
        !self.uring.completion().is_empty()
    }

    /// The next completion, if one is there now. Those that found the queue full wait in the kernel and come with the
    /// next [`Self::enter`].
    pub(super) fn next_completion(&mut self) -> Option<cqueue::Entry> {
        self.uring.completion().next()
    }

    /// Hands over what was queued and sleeps until there is a completion, as `sleep` allows. May return early.
    ///
    /// # Errors
    /// When the ring itself fails.
    pub(super) fn enter(&mut self, sleep: Sleep) -> io::Result<Entered> {
        let queued = self.uring.submission().len();
        match self.call(queued, sleep) {
            Ok(taken) if taken < queued => Ok(Entered::Busy),
            Ok(_) => Ok(Entered::Done),
            Err(error) => match error.raw_os_error() {
                // The time is over, or a signal came; entries, if any, were taken.
                Some(libc::ETIME | libc::EINTR) => Ok(Entered::Done),
                Some(libc::EAGAIN | libc::EBUSY) => Ok(Entered::Busy),
                _ => Err(error),
            },
        }
    }

    /// Sleeps without handing anything over.
    ///
    /// # Errors
    /// When the ring itself fails.
    pub(super) fn sleep(&mut self, sleep: Sleep) -> io::Result<()> {
        match self.call(0, sleep) {
            Err(error)
                if !matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY)
                ) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// io_uring_enter(2). Always with GETEVENTS, since that is what runs deferred completions and brings back those that
    /// overflowed.
    fn call(&self, to_submit: usize, sleep: Sleep) -> io::Result<usize> {
        let (wanted, nanos) = match sleep {
            Sleep::No => (0_u32, None),
            Sleep::Forever => (1, None),
            Sleep::For(nanos) => (1, Some(nanos)),
        };
        let span = nanos.map(|nanos| {
            let below_second = u32::try_from(nanos % 1_000_000_000).expect("below 10^9");
            types::Timespec::new().sec(nanos / 1_000_000_000).nsec(below_second)
        });
        let argument = EnterArgument {
            signal_mask: 0,
            signal_mask_size: 0,
            wait_at_least_micros: 0,
            span: span.as_ref().map_or(0, |span| (&raw const *span).addr() as u64),
        };
        let mut flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        flags.set(EnterFlags::REGISTERED_RING, self.registered);
        // SAFETY: `argument`, and `span` that it points at, live until the call returns. What queued entries point at
        // is valid, as `push` demands.
        let taken = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.name,
                to_submit,
                wanted,
                flags.bits(),
                &raw const argument,
                size_of::<EnterArgument>(),
            )
        };
        usize::try_from(taken).map_err(|_| io::Error::last_os_error())
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        // A registered ring would outlive its descriptor, until the thread ends.
        if self.registered {
            unregister_ring(self.uring.as_raw_fd(), self.name);
        }
    }
}

/// `struct io_uring_getevents_arg` of the kernel's interface.
#[repr(C)]
struct EnterArgument {
    signal_mask: u64,
    signal_mask_size: u32,
    wait_at_least_micros: u32,
    /// The address of a timespec, or 0 for no limit.
    span: u64,
}

/// `struct io_uring_rsrc_update` of the kernel's interface.
#[repr(C)]
struct RingUpdate {
    index: u32,
    reserved: u32,
    descriptor: u64,
}

const IORING_REGISTER_RING_FDS: u32 = 20;
const IORING_UNREGISTER_RING_FDS: u32 = 21;

/// Registers the ring with the calling thread and returns its index. (The io-uring crate does this too, but forgets the
/// index with its short-lived `Submitter`.)
fn register_ring(descriptor: i32) -> io::Result<i32> {
    let any_index = u32::MAX;
    let mut update =
        RingUpdate { index: any_index, reserved: 0, descriptor: descriptor.cast_unsigned().into() };
    update_rings(descriptor, IORING_REGISTER_RING_FDS, &mut update)?;
    Ok(update.index.cast_signed())
}

fn unregister_ring(descriptor: i32, index: i32) {
    let mut update = RingUpdate { index: index.cast_unsigned(), reserved: 0, descriptor: 0 };
    if let Err(error) = update_rings(descriptor, IORING_UNREGISTER_RING_FDS, &mut update) {
        log::warn!("a ring stays registered until its thread ends: {error}");
    }
}

fn update_rings(descriptor: i32, code: u32, update: &mut RingUpdate) -> io::Result<()> {
    // SAFETY: the kernel reads and writes the one struct it is given.
    let done =
        unsafe { libc::syscall(libc::SYS_io_uring_register, descriptor, code, &raw mut *update, 1_u32) };
    if done == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
