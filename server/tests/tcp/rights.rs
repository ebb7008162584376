//! What a system may withhold from a server: memory to lock, descriptors, O_DIRECT, io_uring. It does without, with one
//! warning, or does not start and says what to do.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use kafka_protocol::messages::ApiVersionsRequest;

use crate::support::process::{is_root, skipped};
use crate::support::requests::{batch, create, fetch, produce, produced};
use crate::support::stored::{expect_offsets, only, values};
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

#[test]
fn without_lockable_memory_for_its_queues_it_does_not_start_and_says_the_ways_out() {
    let folder = Folder::new();
    let said = refused(serve_with_memlock(64 << 10, &folder), &folder);
    contains(&said, &["queues", "RLIMIT_MEMLOCK is 64 KiB", "ulimit -l", "LimitMEMLOCK="]);
}

#[test]
fn without_lockable_memory_for_its_buffers_it_serves_with_one_warning() {
    if !is_root() {
        skipped(
            "too little lockable memory",
            "the limit counts all servers of a user, other tests' too, unless they are root's",
        );
        return;
    }
    let folder = Folder::new();
    let server = Server::run(serve_with_memlock(8 << 20, &folder), folder);
    server.connect().call(0, &ApiVersionsRequest::default());
    let log = server.log();
    contains(&log, &["RLIMIT_MEMLOCK is 8.0 MiB", "ulimit -l", "tora.buffer.bytes", "goes on without"]);
    assert_eq!(log.matches("RLIMIT_MEMLOCK").count(), 1, "one warning for both cores:\n{log}");
}

#[test]
fn few_descriptors_are_enough_for_many_partitions() {
    let folder = Folder::new();
    let mut starter = Command::new("prlimit");
    starter.arg("--nofile=100:100");
    let server = Server::run(tora_serve_by(starter, &folder), folder);
    let mut client = server.connect();
    create(&mut client, "many", 120);
    for round in 0..2 {
        for partition in 0..120 {
            let response = client.call(9, &produce("many", partition, batch(&["value"])));
            let produced = produced(&response);
            assert_eq!((produced.error_code, produced.base_offset), (0, round), "partition {partition}");
        }
    }
    let log = server.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "without a complaint:\n{log}");
}

#[test]
fn a_file_system_without_direct_writes_is_written_through_the_page_cache_with_one_warning() {
    if !is_root() {
        skipped("a file system without O_DIRECT", "mounting one takes root");
        return;
    }
    let folder = Folder::new();
    std::fs::create_dir_all(folder.join("data")).expect("the folder is writable");
    let mut starter = Command::new("unshare");
    // ramfs has no O_DIRECT. The mount is the server's own and goes with it.
    starter.args(["--mount", "sh", "-c", "mount -t ramfs ramfs \"$0\" && exec \"$@\""]);
    starter.arg(folder.join("data"));
    let server = Server::run(tora_serve_by(starter, &folder), folder);
    let mut client = server.connect();
    create(&mut client, "memory", 2);
    for partition in 0..2 {
        for offset in 0..10 {
            let response = client.call(9, &produce("memory", partition, batch(&["value"])));
            assert_eq!((produced(&response).error_code, produced(&response).base_offset), (0, offset));
        }
        let response = client.call(11, &fetch("memory", &[(partition, 0)]));
        expect_offsets(&values(only(&response)), 0..10);
    }
    let log = server.log();
    assert_eq!(log.matches("no O_DIRECT").count(), 1, "{log}");
}

#[test]
fn a_limit_on_descriptors_that_may_be_raised_is() {
    let folder = Folder::new();
    let mut starter = Command::new("prlimit");
    // Less than it takes, but only until it asks for more.
    starter.arg("--nofile=40:1000");
    let server = Server::run(tora_serve_by(starter, &folder), folder);
    server.connect().call(0, &ApiVersionsRequest::default());
}

#[test]
fn too_few_descriptors_are_refused_with_the_way_out() {
    let folder = Folder::new();
    let mut starter = Command::new("prlimit");
    starter.arg("--nofile=40:40");
    let said = refused(tora_serve_by(starter, &folder), &folder);
    contains(&said, &["may open 40", "ulimit -n", "LimitNOFILE="]);
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
