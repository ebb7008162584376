//! The example `journal`: killed in the middle of its work, it finds everything again that it acknowledged.
#![expect(
    clippy::disallowed_methods,
    reason = "the test is a service manager: it starts processes and kills them"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds the example, which is nothing to do where `cargo test` has, and says where it is.
fn example() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "-p", "tora-engine", "--example", "journal"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    if cfg!(feature = "sim") {
        build.args(["--features", "sim"]);
    }
    assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs").success());
    // This test is target/<profile>/deps/<name>.
    let profile = std::env::current_exe().expect("it has a path");
    profile.parent().and_then(Path::parent).expect("two folders up").join("examples/journal")
}

/// A folder that goes with the value.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn journal(example: &Path, folder: &Folder, commands: &str) -> Command {
    let mut command = Command::new(example);
    command.arg("--dir").arg(&folder.0).args(["--say", "--snapshot", "0", "--commands", commands]);
    command
}

/// The lines that begin with `what`: the book's digest after each command.
fn digests<'a>(lines: impl Iterator<Item = &'a str>, what: &str) -> BTreeMap<u64, String> {
    let numbers = lines.filter_map(|line| line.strip_prefix(what)?.strip_prefix(' ')?.split_once(' '));
    numbers.map(|(number, digest)| (number.parse().expect("a number"), digest.to_owned())).collect()
}

#[test]
fn killed_in_the_middle_it_finds_everything_it_acknowledged() {
    let example = example();
    let name = format!("journal-example-{}", std::process::id());
    let folder = Folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
    let mut acknowledged = BTreeMap::new();
    for (round, lines) in [300, 1_700, 5].into_iter().enumerate() {
        let mut child =
            journal(&example, &folder, "1000000").stdout(Stdio::piped()).spawn().expect("it runs");
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut all = out.lines().map(|line| line.expect("it writes text"));
        let said: Vec<String> =
            all.by_ref().filter(|line| line.starts_with("acknowledged")).take(lines).collect();
        child.kill().expect("it is our child");
        child.wait().expect("it ends");
        // What it got to say before it died counts, too.
        let said: Vec<String> = said.into_iter().chain(all).collect();
        assert!(said.len() >= lines, "round {round} ended after {} lines", said.len());
        let complete = said.iter().map(String::as_str).filter(|line| line.len() > 17 && line.is_ascii());
        acknowledged.extend(digests(complete, "acknowledged"));
    }

    let output = journal(&example, &folder, "0").output().expect("it runs");
    let said = String::from_utf8(output.stdout).expect("it writes text");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("what must hold holds"), "{said}");
    let recovered = digests(said.lines(), "recovered");
    assert!(acknowledged.len() >= 2_005);
    let last = *recovered.last_key_value().expect("something was acknowledged").0;
    assert_eq!(recovered.len() as u64, last, "every command once");
    for (number, digest) in &acknowledged {
        assert_eq!(recovered.get(number), Some(digest), "after command {number}");
    }
}

#[test]
fn a_snapshot_stands_for_the_commands_before_it() {
    let example = example();
    let name = format!("journal-snapshot-{}", std::process::id());
    let folder = Folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
    let run = |commands: &str| {
        let mut command = Command::new(&example);
        command.arg("--dir").arg(&folder.0).args(["--say", "--snapshot", "400", "--commands", commands]);
        let output = command.output().expect("it runs");
        let said = String::from_utf8(output.stdout).expect("it writes text");
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let acknowledged = digests(run("1000").lines(), "acknowledged");
    assert_eq!(acknowledged.len(), 1_000);
    let recovered = digests(run("0").lines(), "recovered");
    assert_eq!(recovered.keys().copied().collect::<Vec<_>>(), (801..=1_000).collect::<Vec<_>>());
    assert!(recovered.iter().all(|(number, digest)| acknowledged[number] == *digest));
}
