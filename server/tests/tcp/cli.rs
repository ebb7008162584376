//! The command line, run as a user runs it, against a broker: `tora`, or with `TORA_TEST_BOOTSTRAP=HOST:PORT` the one there.

mod getting_started;
mod members;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::clients::{Broker, Program, topic};
use crate::support::requests::{self, produce, produced};
use crate::support::{Client, contains};

/// Runs `tora` with these arguments against the broker and `input`; gives what it printed and how it ended.
fn tora(broker: &Broker, arguments: &[&str], input: &str) -> Output {
    use std::io::Write;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tora"));
    command.args(arguments).args(["--bootstrap", broker.address()]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cargo has built tora");
    let mut stdin = child.stdin.take().expect("it is piped");
    // One that fails does not read its input to the end.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// The same for what must succeed; gives what it printed.
fn said(broker: &Broker, arguments: &[&str], input: &str) -> String {
    let output = tora(broker, arguments, input);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The same for what must fail; gives why.
fn failed(broker: &Broker, arguments: &[&str]) -> String {
    let output = tora(broker, arguments, "");
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn json(broker: &Broker, arguments: &[&str]) -> Value {
    let text = said(broker, &[arguments, &["--json"]].concat(), "");
    serde_json::from_str(&text).expect("it is JSON")
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn topics_are_created_described_altered_listed_and_deleted() {
    let broker = Broker::start(&[]);
    let name = topic("cli");
    let create = ["topic", "create", &name, "--partitions", "2", "--set", "retention.ms=100000"];
    contains(&said(&broker, &create, ""), &["created", &name, "2 partitions"]);
    contains(&failed(&broker, &create), &["creating", "exists"]);
    contains(&said(&broker, &[&create[..], &["--if-not-exists"]].concat(), ""), &["exists"]);
    contains(&said(&broker, &["topic", "list"], ""), &["TOPIC", &name]);
    let alter = [
        "topic",
        "alter",
        &name,
        "--partitions",
        "3",
        "--set",
        "max.message.bytes=2000",
        "--reset",
        "retention.ms",
    ];
    contains(&said(&broker, &alter, ""), &["altered", &name]);
    said(&broker, &["produce", &name, "--partition", "2"], "a\nb\n");
    let described = json(&broker, &["topic", "describe", &name]);
    assert_eq!(described[0]["settings"], serde_json::json!({"max.message.bytes": "2000"}));
    let ends: Vec<_> = described[0]["partitions"]
        .as_array()
        .expect("partitions")
        .iter()
        .map(|part| part["end"].clone())
        .collect();
    assert_eq!(ends, [0, 0, 2]);
    let text = said(&broker, &["topic", "describe", &name, "--all"], "");
    contains(&text, &["PARTITION", "RECORDS", "max.message.bytes", "topic", "cleanup.policy", "broker"]);
    contains(&failed(&broker, &["topic", "alter", &name]), &["nothing to alter"]);
    contains(&failed(&broker, &["topic", "alter", &name, "--partitions", "1"]), &["partitions for"]);
    let wrong = failed(&broker, &["topic", "alter", &name, "--set", "max.message.byte=1"]);
    contains(&wrong, &["altering", "max.message.byte"]);
    if broker.is_ours() {
        contains(&wrong, &["did you mean max.message.bytes?"]);
    }
    contains(&said(&broker, &["topic", "delete", &name], ""), &["deleted", &name]);
    contains(&failed(&broker, &["topic", "describe", &name]), &["there is no topic", "tora topic list"]);
}

#[test]
fn lines_go_in_and_come_out() {
    let broker = Broker::start(&[]);
    let name = topic("lines");
    said(&broker, &["topic", "create", &name, "--partitions", "3"], "");
    let input = "7:Ada\n8:Grace\n7:Lovelace\nno key\n";
    contains(&said(&broker, &["produce", &name, "-k", ":", "-H", "source=import"], input), &["4 records"]);
    let all = ["consume", &name, "--from", "earliest", "--until-end"];
    assert_eq!(sorted(&said(&broker, &all, "")), ["Ada", "Grace", "Lovelace", "no key"]);
    let with_keys = said(&broker, &[&all[..], &["-k", "=", "--headers"]].concat(), "");
    let expected = [
        "source=import\t7=Ada",
        "source=import\t7=Lovelace",
        "source=import\t8=Grace",
        "source=import\t=no key",
    ];
    assert_eq!(sorted(&with_keys), expected);
    let lines = said(&broker, &[&all[..], &["--json"]].concat(), "");
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let keyed: Vec<_> = records.iter().filter(|record| record["key"] == "7").collect();
    assert_eq!(keyed[0]["partition"], keyed[1]["partition"], "a key's records stay together");
    assert_eq!(keyed[0]["headers"], serde_json::json!([{"name": "source", "value": "import"}]));
    let copy = topic("copy");
    said(&broker, &["topic", "create", &copy, "--partitions", "3"], "");
    said(&broker, &["produce", &copy, "--json"], &lines);
    let copied = said(&broker, &["consume", &copy, "--from", "earliest", "--until-end", "--json"], "");
    let mut originals: Vec<String> = lines.lines().map(|line| line.replace(&name, &copy)).collect();
    originals.sort_unstable();
    assert_eq!(sorted(&copied), originals, "with keys, headers, times and partitions");
}

#[test]
fn consuming_begins_and_ends_where_it_is_told() {
    let broker = Broker::start(&[]);
    let name = topic("places");
    said(&broker, &["topic", "create", &name], "");
    said(&broker, &["produce", &name, "--json"], "{\"value\": \"a\", \"timestamp\": 1700000000000}\n");
    said(&broker, &["produce", &name, "--json"], "{\"value\": \"b\", \"timestamp\": 1700000001000}\n");
    let consume =
        |arguments: &[&str]| said(&broker, &[&["consume", &name, "--until-end"], arguments].concat(), "");
    assert_eq!(consume(&["--from", "1"]), "b\n");
    assert_eq!(consume(&["--from", "2023-11-14T22:13:21Z"]), "b\n");
    assert_eq!(consume(&["--from", "@1700000000001"]), "b\n");
    assert_eq!(consume(&["--from", "@1800000000000"]), "", "behind the last one");
    assert_eq!(consume(&["--from", "latest"]), "");
    assert_eq!(consume(&["--from", "earliest", "--max", "1"]), "a\n");
    contains(&failed(&broker, &["consume", &name, "--from", "9"]), &["does not hold the offset 9", "0 to 2"]);
    contains(&failed(&broker, &["consume", &name, "--partition", "5"]), &["has no partition 5"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tora"));
    command.args(["consume", &name, "--from", "earliest", "--max", "3", "--bootstrap", broker.address()]);
    let waiting = Program::spawn(&mut command, "");
    said(&broker, &["produce", &name], "c\n");
    assert_eq!(waiting.finish(), "a\nb\nc\n", "it goes on with what comes");
}

#[test]
fn groups_are_followed_described_reset_and_deleted() {
    let broker = Broker::start(&[]);
    let (name, group) = (topic("followed"), topic("group"));
    said(&broker, &["topic", "create", &name, "--partitions", "2"], "");
    said(&broker, &["produce", &name, "--partition", "0"], "a\nb\n");
    said(&broker, &["produce", &name, "--partition", "1"], "c\n");
    let consume = ["consume", &name, "--group", &group, "--from", "earliest", "--until-end"];
    assert_eq!(sorted(&said(&broker, &consume, "")), ["a", "b", "c"]);
    assert_eq!(said(&broker, &consume, ""), "", "it was committed");
    said(&broker, &["produce", &name, "--partition", "1"], "d\ne\n");
    contains(&said(&broker, &["group", "list"], ""), &[&group, "Empty"]);
    contains(&said(&broker, &["group", "describe", &group], ""), &["LAG", &name, "Empty"]);
    let lags = |described: &Value| -> Vec<Value> {
        described["partitions"]
            .as_array()
            .expect("partitions")
            .iter()
            .map(|part| part["lag"].clone())
            .collect()
    };
    assert_eq!(lags(&json(&broker, &["group", "describe", &group])), [0, 2]);
    assert_eq!(said(&broker, &consume, ""), "d\ne\n");
    let reset = ["group", "reset-offsets", &group, "--topic", &name, "--to", "earliest", "--partition", "0"];
    contains(&said(&broker, &[&reset[..], &["--dry-run"]].concat(), ""), &["BEFORE", "Nothing was done"]);
    assert_eq!(lags(&json(&broker, &["group", "describe", &group])), [0, 0]);
    said(&broker, &reset, "");
    assert_eq!(lags(&json(&broker, &["group", "describe", &group])), [2, 0]);
    assert_eq!(said(&broker, &consume, ""), "a\nb\n");
    contains(&said(&broker, &["group", "delete", &group], ""), &["deleted", &group]);
    assert!(!said(&broker, &["group", "list"], "").contains(&group));
    contains(&failed(&broker, &["group", "describe", &group]), &["there is no group", "tora group list"]);
    contains(&failed(&broker, &["group", "delete", &group]), &["there is no group"]);
}

#[test]
fn what_producers_compressed_is_undone() {
    let broker = Broker::start(&[]);
    let name = topic("compressed");
    let mut client = Client::connect(broker.address());
    requests::create(&mut client, &name, 1);
    let value = "the same again and again, ".repeat(200);
    for (codec, number) in [("gzip", 1_u8), ("snappy", 2), ("xerial", 2), ("lz4", 3), ("zstd", 4)] {
        let batch = compressed(&value, codec, number);
        let response = client.call(7, &produce(&name, 0, batch));
        assert_eq!(produced(&response).error_code, 0, "{codec}");
    }
    let out = said(&broker, &["consume", &name, "--from", "earliest", "--until-end"], "");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines, [value.as_str(); 5]);
}

/// A batch of one record, compressed as a producer would with this codec.
fn compressed(value: &str, codec: &str, number: u8) -> Vec<u8> {
    use std::io::Write;
    let squeeze = |plain: &[u8]| -> Vec<u8> {
        match codec {
            "gzip" => {
                let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                out.write_all(plain).and_then(|()| out.finish()).expect("into memory")
            }
            "snappy" => snap::raw::Encoder::new().compress_vec(plain).expect("into memory"),
            "xerial" => {
                let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
                for block in plain.chunks(1000) {
                    let block = snap::raw::Encoder::new().compress_vec(block).expect("into memory");
                    out.extend(u32::try_from(block.len()).expect("small").to_be_bytes());
                    out.extend(block);
                }
                out
            }
            "lz4" => {
                let mut out = lz4_flex::frame::FrameEncoder::new(Vec::new());
                out.write_all(plain).expect("into memory");
                out.finish().expect("into memory")
            }
            _ => ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest),
        }
    };
    let record = requests::record(0, 1_700_000_000_000, value);
    requests::recoded(&requests::uncompressed(&[record]), number, squeeze)
}

#[test]
fn help_teaches_and_what_is_wrong_is_said() {
    let help_on = |columns: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tora"));
        let output = command.env("COLUMNS", columns).args(arguments).arg("--help").output();
        String::from_utf8(output.expect("cargo has built tora").stdout).expect("UTF-8")
    };
    let help = |arguments: &[&str]| help_on("80", arguments);
    let examples = |text: &str| text.split_once("Examples:").map(|(_, examples)| examples.to_owned());
    contains(&help(&[]), &["Start here:", "tora topic create greetings"]);
    contains(&help(&[]), &["serve", "topic", "group", "produce", "consume", "properties"]);
    assert!(!help(&[]).contains("docs"), "that is for who develops it");
    for command in [
        &["topic", "list"][..],
        &["topic", "create"],
        &["topic", "describe"],
        &["topic", "alter"],
        &["topic", "delete"],
        &["group", "list"],
        &["group", "describe"],
        &["group", "reset-offsets"],
        &["group", "delete"],
        &["produce"],
        &["consume"],
    ] {
        let text = help(command);
        contains(&text, &["Examples:", "--bootstrap", "--json", &format!("tora {}", command.join(" "))]);
        assert_eq!(examples(&text), examples(&help_on("200", command)), "they fit a narrow terminal");
    }
    for command in [&["serve"][..], &["log", "verify"]] {
        assert_eq!(examples(&help(command)), examples(&help_on("200", command)), "{command:?}");
    }
    let nobody = Broker::Other("127.0.0.1:1".to_owned());
    contains(&failed(&nobody, &["topic", "list"]), &["127.0.0.1:1 cannot be reached", "--bootstrap"]);
}

#[test]
fn properties_are_listed_for_readers_and_for_programs() {
    let list = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tora")).arg("properties").args(arguments).output();
        String::from_utf8(output.expect("cargo has built tora").stdout).expect("UTF-8")
    };
    contains(&list(&[]), &["flush.messages=1 (number)", "    1: an acknowledged record is on the disk."]);
    let listed: Value = serde_json::from_str(&list(&["--json"])).expect("JSON");
    let listed = listed.as_array().expect("an array");
    let one = listed.iter().find(|property| property["name"] == "log.segment.bytes").expect("it is one");
    assert_eq!((&one["default"], &one["unit"]), (&"1073741824".into(), &"bytes".into()));
    assert!(listed.iter().all(|property| property["meaning"].as_str().is_some_and(|doc| !doc.is_empty())));
}

#[test]
fn the_generated_documents_are_written() {
    let folder = crate::support::Folder::new();
    let path = folder.join("docs");
    std::fs::create_dir(&path).expect("the folder is writable");
    let status = Command::new(env!("CARGO_BIN_EXE_tora")).arg("docs").arg(&path).status();
    assert!(status.expect("cargo has built tora").success());
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for name in ["configuration.md", "apis.md"] {
        let read = |folder: &Path| std::fs::read_to_string(folder.join(name)).expect(name);
        assert!(
            read(&path) == read(&docs),
            "docs/{name} is stale: run `cargo run -p tora-server -- docs docs`"
        );
    }
}
