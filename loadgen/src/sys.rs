//! The few system calls that neither std nor tokio-uring covers. All `unsafe` of the load generator is in this file.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether SIGINT or SIGTERM has come since [`catch_interrupts`].
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Makes SIGINT and SIGTERM set a flag, so that a run ends by stopping its broker and cleaning up. A second one ends
/// the process at once.
pub fn catch_interrupts() {
    extern "C" fn note(signal: libc::c_int) {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            // SAFETY: `_exit` is async-signal-safe (signal-safety(7)).
            unsafe { libc::_exit(128 + signal) };
        }
    }
    let handler = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only touches an atomic and `_exit`, both async-signal-safe.
        unsafe { libc::signal(signal, handler) };
    }
}

/// Ends a child, if it has not ended yet: asks it by SIGTERM, and kills it where it has not ended within `patience`. Gives
/// the status with which it ended by itself, `None` where it was killed.
pub fn end(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    terminate(child.id())?;
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Sends SIGTERM to a process.
fn terminate(pid: u32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `kill` takes plain integers.
    check(unsafe { libc::kill(pid, libc::SIGTERM) })
}

/// Makes the child outlive neither this process nor be stopped by the terminal's Ctrl-C before we stop it ourselves.
///
/// The death signal is bound to the *thread* that spawns (prctl(2), PR_SET_PDEATHSIG): spawn from the main thread.
pub fn bind_to_parent(command: &mut Command) {
    command.process_group(0);
    // SAFETY: the closure runs between fork and exec and makes one async-signal-safe system call.
    unsafe {
        command.pre_exec(|| check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as libc::c_ulong)));
    }
}

/// Clock ticks a second, the unit of the CPU times in /proc/PID/stat.
pub fn ticks_per_second() -> u64 {
    // SAFETY: `sysconf` takes a plain integer.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).unwrap_or(100).max(1)
}

/// Bytes of the filesystem below `path` that an ordinary user may still fill.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let file = File::open(path)?;
    // SAFETY: `statvfs` is plain data, for which zeroes are a valid value.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and `stat` is valid for writing.
    check(unsafe { libc::fstatvfs(file.as_raw_fd(), &raw mut stat) })?;
    Ok(stat.f_bavail * stat.f_frsize)
}

/// A new timerfd on the monotonic clock, unarmed. It blocks, so that io_uring waits for it instead of failing.
pub fn timer() -> io::Result<File> {
    // SAFETY: `timerfd_create` takes plain integers.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) };
    check(fd)?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Arms a timerfd to fire once, `delay` from now.
pub fn arm_timer(timer: &impl AsRawFd, delay: Duration) -> io::Result<()> {
    // A zero delay would disarm it.
    let delay = delay.max(Duration::from_nanos(1));
    let value = libc::timespec {
        tv_sec: libc::time_t::try_from(delay.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(delay.subsec_nanos().cast_signed()),
    };
    let once = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    // SAFETY: the descriptor is open, `once` is valid, and a null pointer says that the old value is not wanted.
    check(unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const once, std::ptr::null_mut()) })
}

/// Writes everything that the operating system still holds of the filesystem below `path` to its disk.
pub fn sync_filesystem(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    // SAFETY: the descriptor is open.
    check(unsafe { libc::syncfs(file.as_raw_fd()) })
}

/// Makes the operating system forget what it caches of a file, apart from what is not written yet
/// (posix_fadvise(2), POSIX_FADV_DONTNEED).
pub fn drop_cached(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open.
    let error = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// Makes `command`'s process, with all that it starts, run on one core only.
pub fn bind_to_core(command: &mut Command, core: usize) {
    // SAFETY: zeroes are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `CPU_SET` ignores cores beyond the set's size.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the closure runs between fork and exec and makes one async-signal-safe system call.
    unsafe {
        command.pre_exec(move || {
            check(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set))
        });
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
