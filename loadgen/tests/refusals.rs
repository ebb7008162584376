//! What `tora-load bench` says when it cannot begin.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a run with `arguments` says on standard error; it must fail.
fn refusal(arguments: &[&str]) -> String {
    refusal_of(Path::new(env!("CARGO_BIN_EXE_tora-load")), arguments)
}

fn refusal_of(program: &Path, arguments: &[&str]) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let out = std::env::temp_dir().join(format!("tora-load-refusals-{}-{number}", std::process::id()));
    let mut command = Command::new(program);
    command.arg("bench").args(arguments).arg("--quiet").arg("--out").arg(&out);
    let output = loop {
        match command.output() {
            // A copy that was just made: a process that another test is starting still has it open.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            output => break output.expect("cargo has built tora-load"),
        }
    };
    let _ = std::fs::remove_dir_all(out);
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_missing_server_names_the_command_that_builds_it() {
    let alone = std::env::temp_dir().join(format!("tora-load-alone-{}", std::process::id()));
    std::fs::create_dir_all(&alone).expect("the temporary folder is writable");
    let program = alone.join("tora-load");
    std::fs::copy(env!("CARGO_BIN_EXE_tora-load"), &program).expect("cargo has built tora-load");
    let why = refusal_of(&program, &[]);
    let _ = std::fs::remove_dir_all(alone);
    assert!(why.contains("no `tora` beside tora-load") && why.contains("cargo build --release"), "{why}");
}

#[test]
fn a_server_that_cannot_be_started_is_named() {
    let why = refusal(&["--tora", "/no/such/tora"]);
    assert!(why.contains("cannot start /no/such/tora"), "{why}");
}

#[test]
fn a_server_that_ends_at_once_is_told_with_its_status() {
    let why = refusal(&["--tora", "/bin/false"]);
    assert!(why.contains("tora ended before it was ready (exit status: 1)"), "{why}");
}

#[test]
fn nobody_listening_is_told_with_the_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let why = refusal(&["--bootstrap", &address]);
    assert!(why.contains("cannot connect to the broker") && why.contains(&address), "{why}");
}

#[test]
fn an_address_without_a_port_is_no_address() {
    let why = refusal(&["--bootstrap", "localhost"]);
    assert!(why.contains("HOST:PORT"), "{why}");
}

#[test]
fn a_value_too_small_for_its_stamp_is_refused() {
    let why = refusal(&["--record-size", "8"]);
    assert!(why.contains("--record-size 8 is too small") && why.contains("16 bytes"), "{why}");
}

#[test]
fn a_cold_phase_alone_has_nothing_to_read() {
    let why = refusal(&["--phases", "consume_cold"]);
    assert!(why.contains("ask for produce"), "{why}");
}
