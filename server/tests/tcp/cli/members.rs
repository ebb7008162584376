//! `tora consume --group` as a member of its group: shares, and what becomes of them.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{failed, json, said, tora};
use crate::clients::{Broker, install, topic};
use crate::support::process::wait;
use crate::support::{Folder, contains};

/// How long a group may take for what is waited for: a dead member is missed after [`SESSION_S`].
const PATIENCE: Duration = Duration::from_secs(60);

/// The shortest that brokers take by default.
const SESSION_S: &str = "6";

const SETTINGS: &[&str] = &["group.initial.rebalance.delay.ms=0"];

/// A consumer that runs beside the test and prints to a file, killed with the value.
struct Follower {
    child: Child,
    path: PathBuf,
}

impl Follower {
    fn spawn(mut command: Command, folder: &Folder, name: &str) -> Self {
        let path = folder.join(name);
        let out = File::create(&path).expect("the folder is writable");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::inherit()).spawn();
        Self { child: child.expect("it is installed"), path }
    }

    /// `tora consume` in a group, from the start of what it has not read.
    fn consume(broker: &Broker, name: &str, group: &str, folder: &Folder, file: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tora"));
        command.args(["consume", name, "--group", group, "--from", "earliest", "--json"]);
        command.args(["--session-timeout", SESSION_S, "--bootstrap", broker.address()]);
        Self::spawn(command, folder, file)
    }

    /// The partition and value of each record printed so far.
    fn records(&self) -> Vec<(i64, String)> {
        let text = std::fs::read_to_string(&self.path).expect("it was created");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let records = whole.lines().map(|line| {
            let record: Value = serde_json::from_str(line).expect("JSON");
            (record["partition"].as_i64().expect("a number"), record["value"].to_string())
        });
        records.collect()
    }

    /// Tells it to end, and waits until it has; it must do so without an error.
    fn interrupt(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &pid]).status().expect("there is kill(1)").success());
        let status = wait(&mut self.child, PATIENCE).expect("it ends");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// How many partitions each member of a stable group has, ascending.
fn shares(broker: &Broker, group: &str) -> Vec<usize> {
    let output = tora(broker, &["group", "describe", group, "--json"], "");
    if !output.status.success() {
        // Nobody has joined yet.
        return Vec::new();
    }
    let described: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    if described["state"] != "Stable" {
        return Vec::new();
    }
    let partitions = described["partitions"].as_array().expect("partitions");
    let has = |member: &Value| {
        partitions.iter().filter(|partition| partition["member"] == member["member"]).count()
    };
    let mut shares: Vec<usize> = described["members"].as_array().expect("members").iter().map(has).collect();
    shares.sort_unstable();
    shares
}

/// Produces a record `FROM … FROM + COUNT − 1`, in turn to each of four partitions.
fn produce(broker: &Broker, name: &str, from: i64, count: i64) {
    let line = |number: i64| format!("{{\"value\": \"{number}\", \"partition\": {}}}\n", number % 4);
    said(broker, &["produce", name, "--json"], &(from..from + count).map(line).collect::<String>());
}

fn partitions(records: &[(i64, String)]) -> Vec<i64> {
    let mut partitions: Vec<i64> = records.iter().map(|(partition, _)| *partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    partitions
}

fn lag(broker: &Broker, group: &str) -> i64 {
    let described = json(broker, &["group", "describe", group]);
    let partitions = described["partitions"].as_array().expect("partitions");
    partitions.iter().map(|partition| partition["lag"].as_i64().expect("a number")).sum()
}

#[test]
fn members_share_the_partitions_and_stand_in_for_a_dead_one() {
    let broker = Broker::start(SETTINGS);
    let (name, group, folder) = (topic("shared"), topic("group"), Folder::new());
    said(&broker, &["topic", "create", &name, "--partitions", "4"], "");
    let dies = Follower::consume(&broker, &name, &group, &folder, "dies");
    until("one member has everything", || shares(&broker, &group) == [4]);
    let lives = Follower::consume(&broker, &name, &group, &folder, "lives");
    until("two members share", || shares(&broker, &group) == [2, 2]);
    let text = said(&broker, &["group", "describe", &group], "");
    contains(&text, &["Stable, 2 members, shared out by range", "MEMBER", "CLIENT", "tora-"]);
    contains(
        &failed(&broker, &["group", "reset-offsets", &group, "--topic", &name, "--to", "earliest"]),
        &["has members", "stop them first"],
    );
    contains(&failed(&broker, &["group", "delete", &group]), &["has members", "stop them first"]);

    produce(&broker, &name, 0, 40);
    until("both have their share", || dies.records().len() == 20 && lives.records().len() == 20);
    let (first, second) = (partitions(&dies.records()), partitions(&lives.records()));
    let mut all = [first, second.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3], "each partition is one member's");
    until("what was printed is committed", || lag(&broker, &group) == 0);

    drop(dies);
    produce(&broker, &name, 40, 40);
    until("the other stands in", || lives.records().len() == 60);
    let taken_over = lives.records().iter().filter(|record| !second.contains(&record.0)).count();
    assert_eq!(taken_over, 20, "what came since its death, each once");
    until("what was printed is committed", || lag(&broker, &group) == 0);
    lives.interrupt();
    assert_eq!(json(&broker, &["group", "describe", &group])["state"], "Empty", "it has left");
    produce(&broker, &name, 80, 4);
    let rest = ["consume", &name, "--group", &group, "--until-end", "--max"];
    assert_eq!(said(&broker, &[&rest[..], &["3"]].concat(), "").lines().count(), 3);
    assert_eq!(
        said(&broker, &[&rest[..], &["9"]].concat(), "").lines().count(),
        1,
        "the group goes on there"
    );
    assert_eq!(json(&broker, &["group", "describe", &group])["state"], "Empty", "and both have left");
}

/// Either of them shares the partitions out: whoever comes first.
#[test]
fn librdkafka_shares_a_group_with_it() {
    let broker = Broker::start(SETTINGS);
    for kcat_is_first in [false, true] {
        let (name, group, folder) = (topic("mixed"), topic("group"), Folder::new());
        said(&broker, &["topic", "create", &name, "--partitions", "4"], "");
        let kcat = || {
            let mut command = Command::new(install("kcat"));
            command.args(["-q", "-u", "-b", broker.address(), "-G", &group]);
            command.args(["-X", "partition.assignment.strategy=range", "-X", "auto.offset.reset=earliest"]);
            command.args(["-f", "{\"partition\": %p, \"value\": \"%s\"}\n", &name]);
            Follower::spawn(command, &folder, "kcat")
        };
        let tora = || Follower::consume(&broker, &name, &group, &folder, "tora");
        let first = if kcat_is_first { kcat() } else { tora() };
        until("the first has everything", || shares(&broker, &group) == [4]);
        let second = if kcat_is_first { tora() } else { kcat() };
        until("they share", || shares(&broker, &group) == [2, 2]);
        produce(&broker, &name, 0, 40);
        until("both have their share", || first.records().len() == 20 && second.records().len() == 20);
        let mut values: Vec<i64> = [first.records(), second.records()]
            .concat()
            .iter()
            .map(|(_, value)| value.trim_matches('"').parse().expect("a number"))
            .collect();
        values.sort_unstable();
        assert_eq!(values, (0..40).collect::<Vec<_>>(), "each record once");
    }
}

#[test]
fn a_group_that_shares_out_in_another_way_is_named() {
    let broker = Broker::start(SETTINGS);
    let (name, group, folder) = (topic("other-way"), topic("group"), Folder::new());
    said(&broker, &["topic", "create", &name, "--partitions", "2"], "");
    let mut kcat = Command::new(install("kcat"));
    kcat.args(["-q", "-b", broker.address(), "-G", &group, "-X", "partition.assignment.strategy=roundrobin"]);
    kcat.arg(&name);
    let _kcat = Follower::spawn(kcat, &folder, "kcat");
    until("it has everything", || shares(&broker, &group) == [2]);
    let why = failed(&broker, &["consume", &name, "--group", &group, "--until-end"]);
    contains(&why, &["joining the group", "range", "another group"]);
}
