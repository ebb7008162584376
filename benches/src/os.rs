//! The few system calls that std does not have: pinning, allocating file space, signals.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Child;

/// Pins the calling thread to one core (sched_setaffinity(2)).
pub fn pin_to_core(core: usize) -> io::Result<()> {
    if core >= libc::CPU_SETSIZE as usize {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no machine has so many cores"));
    }
    // SAFETY: an all-zero set is the empty set, `core` is inside it, and the kernel only reads it.
    check(unsafe {
        let mut cores: libc::cpu_set_t = MaybeUninit::zeroed().assume_init();
        libc::CPU_SET(core, &mut cores);
        libc::sched_setaffinity(0, size_of_val(&cores), &cores)
    })
}

/// Lets the calling thread run on every core again that the system lets this process use (sched_setaffinity(2) leaves
/// out those it may not).
pub fn unpin() {
    let mut cores = MaybeUninit::<libc::cpu_set_t>::uninit();
    // SAFETY: every byte of the set is written before the kernel, which only reads it, gets it.
    let result = unsafe {
        cores.as_mut_ptr().write_bytes(0xff, 1);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), cores.as_ptr())
    };
    debug_assert_eq!(result, 0, "some core is always allowed");
}

/// Allocates the file's first `bytes` without writing them (fallocate(2)).
pub fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open for the length of the call, which touches no memory of ours.
    check(unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length) })
}

/// Blocks SIGTERM and SIGINT for this thread and returns the descriptor to read them from (signalfd(2)).
pub fn stop_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by sigemptyset before its use and outlives the calls, which only read it.
    let descriptor = unsafe {
        let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGTERM);
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGINT);
        check(libc::sigprocmask(libc::SIG_BLOCK, signals.as_ptr(), std::ptr::null_mut()))?;
        libc::signalfd(-1, signals.as_ptr(), libc::SFD_CLOEXEC)
    };
    check(descriptor.min(0))?;
    // SAFETY: signalfd returned this descriptor just now, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Asks a process that this one started to stop (SIGTERM). Not waited for yet, so its id cannot be another's.
pub fn terminate(child: &mut Child) -> io::Result<()> {
    if child.try_wait()?.is_some() {
        return Ok(());
    }
    let id = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: kill(2) touches no memory of ours.
    check(unsafe { libc::kill(id, libc::SIGTERM) })
}

/// The unit in which the kernel counts CPU time.
pub fn ticks_per_second() -> f64 {
    // SAFETY: sysconf(3) touches no memory.
    unsafe { libc::sysconf(libc::_SC_CLK_TCK) as f64 }
}

/// Where the file's written data ends: what was allocated ahead and never written is a hole to ext4 (lseek(2),
/// SEEK_HOLE). The file's position does not matter to anybody here.
pub fn written_bytes(file: &File) -> io::Result<u64> {
    // SAFETY: the descriptor is open for the length of the call, which touches no memory of ours.
    let end = unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_HOLE) };
    u64::try_from(end).map_err(|_| io::Error::last_os_error())
}

/// Bytes that an ordinary user may still write on the filesystem of `folder` (statvfs(3)).
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let path = CString::new(folder.as_os_str().as_bytes())?;
    let mut status = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a zero byte, and the call fills the structure where it succeeds.
    let status = unsafe {
        check(libc::statvfs(path.as_ptr(), status.as_mut_ptr()))?;
        status.assume_init()
    };
    Ok(status.f_bavail.saturating_mul(status.f_frsize))
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
