use std::io;

use super::{Locked, RingError, size};

fn unavailable(errno: i32, switch: Option<u8>) -> String {
    RingError::Unavailable { source: io::Error::from_raw_os_error(errno), switch }.to_string()
}

#[test]
fn a_refusal_names_the_likely_reason() {
    let cases = [
        (libc::EPERM, Some(2), "sysctl -w kernel.io_uring_disabled=0"),
        (libc::EPERM, Some(1), "kernel.io_uring_group"),
        (libc::EPERM, Some(0), "--security-opt seccomp=unconfined"),
        (libc::EPERM, None, "Docker"),
        (libc::EACCES, None, "seccomp"),
        (libc::ENOSYS, None, "older than 5.1"),
        (libc::EINVAL, Some(0), "Linux 6.1 or newer"),
        (libc::EMFILE, Some(0), "ulimit -n"),
        (libc::EIO, Some(0), "no more reason"),
    ];
    for (errno, switch, expected) in cases {
        let message = unavailable(errno, switch);
        assert!(message.starts_with("io_uring cannot be used ("), "{message}");
        assert!(message.contains(expected), "{expected} is missing in: {message}");
    }
}

#[test]
fn too_little_lockable_memory_is_told_in_full() {
    let refused = || io::Error::from_raw_os_error(libc::ENOMEM);
    let memory =
        |what, limit| RingError::Memory { source: refused(), what, needed: 12 << 20, limit }.to_string();
    let limited = memory(Locked::Buffers, Some(8 << 20));
    for part in ["12.0 MiB", "8.0 MiB", "ulimit -l", "LimitMEMLOCK=", "tora.buffer.bytes"] {
        assert!(limited.contains(part), "{part} is missing in: {limited}");
    }
    let unlimited = memory(Locked::Queues, None);
    assert!(unlimited.contains("short of memory"), "{unlimited}");
    assert!(!unlimited.contains("tora.buffer.bytes"), "that does not make queues smaller: {unlimited}");
}

#[test]
fn errors_are_told_apart() {
    let of = |errno| RingError::making(io::Error::from_raw_os_error(errno), 1);
    assert!(matches!(of(libc::ENOMEM), RingError::Memory { needed: 1, what: Locked::Queues, .. }));
    assert!(matches!(of(libc::EPERM), RingError::Unavailable { .. }));
    let of = |errno| RingError::registering(io::Error::from_raw_os_error(errno), 1);
    assert!(matches!(of(libc::ENOMEM), RingError::Memory { needed: 1, what: Locked::Buffers, .. }));
    assert!(matches!(of(libc::EPERM), RingError::Memory { .. }));
    assert!(matches!(of(libc::EFAULT), RingError::System { .. }));
}

#[test]
fn sizes_read_well() {
    assert_eq!([size(100), size(65_536), size(3 << 19)], ["100 bytes", "64 KiB", "1.5 MiB"]);
}
