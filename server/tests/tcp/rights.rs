//! What a system may withhold from a server: memory to lock, and io_uring. It then does not start, and says what to do.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use kafka_protocol::messages::ApiVersionsRequest;

use crate::support::process::{is_root, skipped};
use crate::support::{Folder, Server, contains, refused, tora_serve, tora_serve_by};

/// `tora serve` that may lock so many bytes. Root may lock any amount, so it is taken that right.
fn serve_with_memlock(bytes: u64, folder: &Folder) -> Command {
    let mut starter = Command::new("prlimit");
    starter.arg(format!("--memlock={bytes}:{bytes}"));
    if is_root() {
        starter.args(["setpriv", "--bounding-set=-ipc_lock"]);
    }
    tora_serve_by(starter, folder)
}

/// The least that can be set: with it a core locks less than 2 MiB, rings included.
const SMALL_BUFFERS: &str = "tora.buffer.bytes=1048576";

#[test]
fn too_little_lockable_memory_is_refused_with_the_ways_out() {
    // Too little for anything, for the first core's buffers, and for the second core.
    let cases =
        [(64 << 10, "64 KiB", None), (1 << 20, "1.0 MiB", None), (2 << 20, "2.0 MiB", Some(SMALL_BUFFERS))];
    for (bytes, limit, setting) in cases {
        let folder = Folder::new();
        let mut command = serve_with_memlock(bytes, &folder);
        command.args(setting.iter().flat_map(|setting| ["--set", setting]));
        let said = refused(command, &folder);
        contains(
            &said,
            &[&format!("RLIMIT_MEMLOCK is {limit}"), "ulimit -l", "LimitMEMLOCK=", "tora.buffer.bytes"],
        );
    }
}

#[test]
fn smaller_buffers_need_less_lockable_memory() {
    if !is_root() {
        skipped(
            "smaller buffers",
            "the limit counts all servers of a user, other tests' too, unless they are root's",
        );
        return;
    }
    let folder = Folder::new();
    let mut command = serve_with_memlock(4 << 20, &folder);
    command.args(["--set", SMALL_BUFFERS]);
    let server = Server::run(command, folder);
    server.connect().call(0, &ApiVersionsRequest::default());
}

#[test]
fn a_container_without_io_uring_is_named() {
    for errno in [libc::EPERM, libc::ENOSYS] {
        let folder = Folder::new();
        let mut command = tora_serve(&folder);
        // SAFETY: between fork and exec it makes two system calls and allocates nothing.
        unsafe { command.pre_exec(move || forbid_io_uring(errno)) };
        let said = refused(command, &folder);
        contains(&said, &["io_uring cannot be used", "container", "--security-opt seccomp=unconfined"]);
    }
}

/// Has io_uring_setup fail from now on, as a container's seccomp profile does.
fn forbid_io_uring(errno: i32) -> io::Result<()> {
    let step = |code: u32, k: u32, jt, jf| libc::sock_filter { code: code as u16, jt, jf, k };
    let number_at = 0; // of `struct seccomp_data`
    let filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, number_at, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_io_uring_setup as u32, 0, 1),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno.cast_unsigned(), 0, 0),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_ptr().cast_mut() };
    // SAFETY: takes no memory.
    let allowed = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: reads the program, which lives until the call returns.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if allowed == 0 && set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
