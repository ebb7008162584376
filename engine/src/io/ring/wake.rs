//! How other threads rouse a sleeping ring: an eventfd on which the ring always has a read in flight.
//!
//! MSG_RING would need a ring on the waking side, and an embedding service's threads have none.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::io::Wake;

/// The eventfd, and whether it was written to since the ring last heard of it.
pub(super) struct EventFd {
    descriptor: OwnedFd,
    roused: AtomicBool,
}

impl EventFd {
    /// Without anything to hear yet.
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: takes no memory.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just made, and nobody else has it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { descriptor, roused: AtomicBool::new(false) })
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// The ring's read has completed. What was published before any wake so far is visible after this, and the next
    /// wake writes again.
    pub(super) fn heard(&self) {
        self.roused.swap(false, Ordering::AcqRel);
    }
}

impl Wake for EventFd {
    fn wake(&self) {
        // A wake that the ring has not heard of yet covers this one too: the ring's swap, which comes later, makes
        // all that was published before either visible.
        if self.roused.swap(true, Ordering::AcqRel) {
            return;
        }
        let one = 1_u64;
        // SAFETY: reads eight bytes from `one`. The counter cannot overflow, as the flag allows one write a read, so
        // this neither blocks nor fails.
        let written = unsafe { libc::write(self.descriptor(), (&raw const one).cast(), size_of::<u64>()) };
        debug_assert_eq!(written, 8, "an eventfd takes eight bytes");
    }
}
