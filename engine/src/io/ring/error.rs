//! Why a ring could not be had, said so that whoever runs the server can help it.

use std::fmt;
use std::io;

/// What a shard locks into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The queues shared with the kernel; there is no ring without.
    Queues,
    /// The registered buffers; a ring works without.
    Buffers,
}

/// Why a ring could not be set up. `Display` says what to do.
#[derive(Debug)]
pub enum RingError {
    /// io_uring is missing, switched off, or too old.
    Unavailable {
        /// What `io_uring_setup` said.
        source: io::Error,
        /// `kernel.io_uring_disabled`, where the kernel has it.
        switch: Option<u8>,
    },
    /// The shard's queues, or buffers, may not be locked into memory.
    Memory {
        /// What `io_uring_setup` or `io_uring_register` said.
        source: io::Error,
        /// What is to be locked.
        what: Locked,
        /// Bytes of it that one shard locks.
        needed: u64,
        /// RLIMIT_MEMLOCK in bytes; `None` if there is no limit.
        limit: Option<u64>,
    },
    /// Anything else.
    System {
        /// What was tried.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl RingError {
    /// Sorts out why a ring could not be made. `needed` is what its queues lock into memory, in bytes.
    pub(super) fn making(source: io::Error, needed: u64) -> Self {
        match source.raw_os_error() {
            Some(libc::ENOMEM) => {
                Self::Memory { source, what: Locked::Queues, needed, limit: lockable_memory() }
            }
            _ => Self::Unavailable { source, switch: io_uring_switch() },
        }
    }

    /// Sorts out why its buffers could not be registered.
    pub(super) fn registering(source: io::Error, needed: u64) -> Self {
        match source.raw_os_error() {
            Some(libc::ENOMEM | libc::EPERM) => {
                Self::Memory { source, what: Locked::Buffers, needed, limit: lockable_memory() }
            }
            _ => Self::System { step: "registering a shard's buffers with io_uring", source },
        }
    }

    pub(super) fn at(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { step, source }
    }
}

impl std::error::Error for RingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable { source, .. } | Self::Memory { source, .. } | Self::System { source, .. } => {
                Some(source)
            }
        }
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { source, switch } => {
                write!(f, "io_uring cannot be used ({source}): ")?;
                f.write_str(likely_reason(source.raw_os_error(), *switch))
            }
            Self::Memory { source, what, needed, limit } => {
                let name = match what {
                    Locked::Queues => "queues",
                    Locked::Buffers => "buffers",
                };
                write!(
                    f,
                    "each core locks {} of {name} into memory, and the system refused ",
                    size(*needed)
                )?;
                write!(f, "({source}). ")?;
                match limit {
                    Some(limit) => write!(f, "RLIMIT_MEMLOCK is {} for all cores together. ", size(*limit))?,
                    None => {
                        f.write_str("RLIMIT_MEMLOCK is unlimited, so the machine is short of memory. ")?
                    }
                }
                f.write_str(
                    "Raise it with `ulimit -l unlimited` in the shell that starts this, or LimitMEMLOCK=infinity in \
                     its systemd unit, or `--ulimit memlock=-1` for docker run",
                )?;
                match what {
                    Locked::Queues => Ok(()),
                    Locked::Buffers => {
                        f.write_str("; or set the property tora.buffer.bytes, the bytes per core, lower")
                    }
                }
            }
            Self::System { step, source } => write!(f, "{step} failed: {source}"),
        }
    }
}

/// What most likely keeps io_uring away, and the way out.
fn likely_reason(errno: Option<i32>, switch: Option<u8>) -> &'static str {
    match (errno, switch) {
        (Some(libc::EPERM), Some(2)) => {
            "it is switched off on this machine. Switch it on with `sysctl -w kernel.io_uring_disabled=0`"
        }
        (Some(libc::EPERM), Some(1)) => {
            "this machine keeps it for privileged processes and the group in kernel.io_uring_group. Join that group, \
             or open it to all with `sysctl -w kernel.io_uring_disabled=0`"
        }
        (Some(libc::EPERM | libc::EACCES), _) => {
            "most likely a container's seccomp profile forbids it, as Docker's default one does. Run the container \
             with `--security-opt seccomp=unconfined`, or with a profile that allows io_uring_setup, \
             io_uring_enter and io_uring_register"
        }
        (Some(libc::ENOSYS), _) => {
            "the kernel has none (it is older than 5.1, or built without CONFIG_IO_URING), or a container's seccomp \
             profile hides it. Linux 6.1 or newer is needed; in a container, try `--security-opt seccomp=unconfined`"
        }
        (Some(libc::EINVAL), _) => "the kernel is too old: Linux 6.1 or newer is needed",
        (Some(libc::EMFILE | libc::ENFILE), _) => {
            "too many files are open. Raise the limit with `ulimit -n`, or LimitNOFILE= in the systemd unit"
        }
        _ => "the system gives no more reason than that",
    }
}

/// `kernel.io_uring_disabled` (Linux 6.6): 0 is on for all, 1 for some, 2 for nobody.
#[expect(clippy::disallowed_methods, reason = "inside the seam")]
fn io_uring_switch() -> Option<u8> {
    std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok()
}

/// RLIMIT_MEMLOCK in bytes; `None` if there is no limit.
fn lockable_memory() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: writes the struct it is given and nothing else.
    unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) };
    (limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    match bytes {
        0..KIB => format!("{bytes} bytes"),
        KIB..1_048_576 => format!("{} KiB", bytes / KIB),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests;
