//! The few system calls and handle conversions that std has no safe form of.
//!
//! The seam's handles are plain numbers so that the simulated disk can hand them out too; here they become descriptors
//! again. Whoever holds a [`File`] or [`Socket`] closes it exactly once, and uses it only before that.

use std::ffi::CString;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{BorrowedFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{File, Socket};

/// Runs `work` on the file as std knows it, without closing it.
#[expect(clippy::disallowed_types, reason = "inside the seam")]
pub(super) fn with_file<R>(file: File, work: impl FnOnce(&std::fs::File) -> R) -> R {
    // SAFETY: the seam's rule makes `file` an open descriptor for the length of the call, and `ManuallyDrop` keeps
    // this second owner from closing it.
    let file = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(file.0) });
    work(&file)
}

/// Runs `work` on the socket's descriptor, without closing it.
pub(super) fn with_socket<R>(socket: Socket, work: impl FnOnce(BorrowedFd<'_>) -> R) -> R {
    // SAFETY: the seam's rule makes `socket` an open descriptor for the length of the call.
    work(unsafe { BorrowedFd::borrow_raw(socket.0) })
}

/// Closes a descriptor. What close(2) reports is not passed on: the descriptor is gone whatever it says, and what has
/// to be durable was synced before.
pub(super) fn close(descriptor: i32) {
    // SAFETY: closing takes no memory, and the seam's rule makes this the descriptor's one close.
    unsafe { libc::close(descriptor) };
}

/// Has the allocator return to the system what it keeps of freed memory: it gives back the end of its heaps by itself, and
/// tails of thousands of partitions leave holes before that. Where the allocator is not glibc's nothing happens.
pub(super) fn return_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no memory of ours, and the allocator locks its own.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// fallocate(2) with mode 0: the range is reserved, what is new in it reads as zeros, and the size covers it.
pub(super) fn allocate(file: File, offset: u64, len: u64) -> io::Result<()> {
    let offset = libc::off_t::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let len = libc::off_t::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    loop {
        // SAFETY: takes no memory; a descriptor that is none yields an error.
        if unsafe { libc::fallocate(file.0, 0, offset, len) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// The name of the file system below `path` (statfs(2)), if it is one that lies in memory.
pub(super) fn in_memory(path: &Path) -> Option<&'static str> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: an all-zero struct of numbers is one.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: reads the string up to its end, and writes the struct it is given.
    if unsafe { libc::statfs(path.as_ptr(), &raw mut found) } != 0 {
        return None;
    }
    // From linux/magic.h.
    match found.f_type {
        0x0102_1994 => Some("tmpfs"),
        0x8584_58f6 => Some("ramfs"),
        _ => None,
    }
}

/// RLIMIT_NOFILE: how many descriptors this process may have.
#[must_use]
pub fn descriptors_max() -> usize {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: writes the struct it is given and nothing else.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// Raises [`descriptors_max`] to the most that this process may give itself. For programs, not for libraries: the limit
/// is the whole process's. Where it cannot be raised it stays, and the engine makes do.
pub fn raise_descriptors_max() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes the struct it is given and nothing else.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0 {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: reads the struct it is given and nothing else.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}

/// A set of cores, as the kernel has them.
#[derive(Clone, Copy)]
pub(super) struct Cores(libc::cpu_set_t);

impl Cores {
    /// Those that the calling thread may use.
    pub(super) fn of_this_thread() -> io::Result<Self> {
        let mut cores = Self::none();
        // SAFETY: the set is of that many bytes, and thread 0 means the calling one.
        if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut cores.0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(cores)
    }

    /// One.
    pub(super) fn one(core: usize) -> Self {
        let mut cores = Self::none();
        assert!(core < Self::MAX, "there is no core {core}");
        // SAFETY: the number is below CPU_SETSIZE.
        unsafe { libc::CPU_SET(core, &mut cores.0) };
        cores
    }

    /// Their numbers, ascending.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> {
        // SAFETY: every number below CPU_SETSIZE lies in the set.
        (0..Self::MAX).filter(|core| unsafe { libc::CPU_ISSET(*core, &self.0) })
    }

    /// Has the calling thread use these and no others.
    pub(super) fn allow(&self) -> io::Result<()> {
        // SAFETY: as for reading it.
        if unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const self.0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    const MAX: usize = libc::CPU_SETSIZE as usize;

    const fn none() -> Self {
        // SAFETY: an all-zero set is the empty set.
        Self(unsafe { std::mem::zeroed() })
    }
}
