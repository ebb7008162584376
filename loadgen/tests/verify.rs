//! `tora-load verify`: a broker killed under load loses nothing, and a loss would be seen.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{Folder, with_server};
use serde_json::Value;

/// Runs `tora-load verify`; gives its output and `verify.json`.
fn verify(arguments: &[&str]) -> (Output, Value) {
    with_server();
    let out = Folder::new("verify");
    let output = Command::new(env!("CARGO_BIN_EXE_tora-load"))
        .arg("verify")
        .args(arguments)
        .args(["--quiet", "--out"])
        .arg(out.path())
        .stdin(Stdio::null())
        .output()
        .expect("cargo has built tora-load");
    let text = fs::read_to_string(out.path().join("verify.json")).unwrap_or_else(|_| "null".into());
    (output, serde_json::from_str(&text).expect("verify.json is JSON"))
}

#[test]
fn three_kills_under_load_lose_nothing() {
    let (output, found) = verify(&["--kills=3", "--duration=6s", "--rate=20000", "--batch-records=20"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}\n{found:#}", String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("verified:"), "{said}");
    assert_eq!(found["ok"], true);
    let kills = found["kills"].as_array().expect("a list");
    assert_eq!(kills.len(), 3, "{found:#}");
    for kill in kills {
        assert!(kill["acknowledged_records"].as_u64() > Some(0), "it was killed under load: {found:#}");
    }
    let acknowledged = &found["acknowledged_records"];
    for reading in ["following", "read_again"] {
        assert_eq!(found[reading]["verified"], *acknowledged, "{found:#}");
    }
}

#[test]
fn an_undisturbed_run_as_fast_as_it_goes() {
    let (output, found) =
        verify(&["--duration=2s", "--rate=max", "--connections=3", "--partitions=5", "--cores=1"]);
    assert!(output.status.success(), "{found:#}");
    assert_eq!(found["kills"], Value::Array(Vec::new()));
    assert_eq!(found["batches_sent_again"], 0, "no connection broke: {found:#}");
}

#[test]
fn a_broker_that_forgets_is_found_out() {
    with_server();
    let folder = Folder::new("forgetful");
    let tora = Path::new(env!("CARGO_BIN_EXE_tora-load")).with_file_name("tora");
    let (script, mark) = (folder.path().join("tora"), folder.path().join("started"));
    // From the second start on, its data is gone.
    let text = format!(
        "#!/bin/sh\n\
         for word; do [ \"$before\" = --data-dir ] && data=$word; before=$word; done\n\
         [ -e '{mark}' ] && [ -n \"$data\" ] && rm -rf \"$data\"/*\n\
         [ -n \"$data\" ] && touch '{mark}'\n\
         exec '{tora}' \"$@\"\n",
        mark = mark.display(),
        tora = tora.display()
    );
    fs::write(&script, text).expect("its folder is writable");
    fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("it is ours");
    let script = script.to_str().expect("the path is UTF-8");
    let (output, found) = verify(&["--tora", script, "--kills=1", "--duration=2s", "--rate=20000"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}\n{found:#}");
    assert!(said.starts_with("NOT verified"), "{said}");
    assert_eq!(found["ok"], false, "{found:#}");
}

#[test]
fn a_broker_that_does_not_start_is_told() {
    let (output, found) = verify(&["--kills=1", "--duration=2s", "--set=no.such.property=1"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(found, Value::Null, "it did not even begin");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no.such.property"));
}
