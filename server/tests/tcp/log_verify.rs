//! `tora log verify`: what it says of a sound folder, of a torn end, of one that cannot be written to, and of a folder in use.

mod damage;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::support::process::{is_root, skipped};
use crate::support::requests::{batch, create, produce, produced};
use crate::support::{Folder, Server, refused, tora_serve};

/// Bytes of a segment's file before its first batch.
const HEADER: u64 = 4096;

/// A folder with twenty batches of three records in one partition and nothing in the other, and the file of the former.
fn stopped() -> (Folder, PathBuf) {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 2);
    for _ in 0..20 {
        let response = client.call(7, &produce("log", 1, batch(&["some", "more", "values"])));
        assert_eq!(produced(&response).error_code, 0);
    }
    drop(client);
    let folder = server.stop();
    let file = only_log(&folder);
    (folder, file)
}

/// The first segment of the only log but the catalog's.
fn only_log(folder: &Folder) -> PathBuf {
    let partitions =
        fs::read_dir(folder.join("data")).expect("it is there").map(|entry| entry.expect("it is").path());
    let of_topic = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        path.is_dir() && !name.starts_with("746f7261")
    };
    let mut logs: Vec<PathBuf> = partitions.filter(of_topic).collect();
    assert_eq!(logs.len(), 1, "a partition without records has no folder: {logs:?}");
    logs.remove(0).join("00000000000000000000.log")
}

fn verify(folder: &Folder, arguments: &[&str]) -> Output {
    verify_by(Command::new(env!("CARGO_BIN_EXE_tora")), folder, arguments)
}

/// The same where `tora`, or what starts it, is this.
fn verify_by(mut command: Command, folder: &Folder, arguments: &[&str]) -> Output {
    command.args(["log", "verify", "--data-dir"]).arg(folder.join("data")).args(arguments);
    command.output().expect("cargo has built tora")
}

/// What it prints with `--json`, and its exit code.
fn verified(folder: &Folder) -> (Vec<Value>, Option<i32>) {
    let output = verify(folder, &["--json"]);
    let text = String::from_utf8(output.stdout).expect("it is text");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("each line is an object"));
    (lines.collect(), output.status.code())
}

/// The line of the topic `log`.
fn of_log(lines: &[Value]) -> &Value {
    lines.iter().find(|line| line["topic"] == "log").expect("a line for the partition")
}

/// Every file and folder with its bytes and when it was changed last.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let mut found = vec![(folder.to_owned(), Vec::new(), changed(folder))];
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it is").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).expect("it is readable"), changed(&path)));
        }
    }
    found.sort();
    found
}

fn changed(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|metadata| metadata.modified()).expect("it is there")
}

#[test]
fn a_sound_folder_is_told_so_and_left_as_it_is() {
    let (folder, _) = stopped();
    let before = contents(&folder.join("data"));
    let (lines, code) = verified(&folder);
    assert_eq!(code, Some(0), "{lines:?}");
    let log = of_log(&lines);
    let numbers =
        ["partition", "segments", "batches", "records", "start", "end"].map(|name| log[name].as_i64());
    assert_eq!(numbers, [1, 1, 20, 60, 0, 60].map(Some));
    assert_eq!((&log["sound"], &log["notes"]), (&true.into(), &Value::Array(Vec::new())));
    assert!(lines.iter().any(|line| line["topic"] == "(catalog)"), "the catalog is a log, too");
    let text = String::from_utf8(verify(&folder, &["--topic", "log"]).stdout).expect("it is text");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("log-1: sound: 1 segments, 20 batches, 60 records"), "{text}");
    assert!(before.iter().any(|(path, ..)| path.ends_with(".lock")));
    assert_eq!(contents(&folder.join("data")), before);
    let unknown = verify(&folder, &["--topic", "other"]);
    assert_eq!(unknown.status.code(), Some(2), "nothing was checked");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no topic \"other\""));
}

/// A killed server's folder, with so many batches of one record of one log, the last twenty of them in its journal.
fn killed_with_a_journal() -> (Folder, u64) {
    let server = Server::start(&[]);
    let mut client = server.connect();
    create(&mut client, "log", 1);
    let mut appended = 0;
    let mut append = || {
        assert_eq!(produced(&client.call(7, &produce("log", 0, batch(&["value"])))).error_code, 0);
        appended += 1;
    };
    // The first ones may come before a journal is there.
    let patience = Instant::now() + Duration::from_secs(30);
    while journal_in_use(server.folder()).is_none() {
        assert!(Instant::now() < patience, "nothing comes into a journal");
        append();
    }
    (0..20).for_each(|_| append());
    drop(client);
    (server.kill(), appended)
}

/// The journal that holds something: one core has the partition.
fn journal_in_use(folder: &Folder) -> Option<PathBuf> {
    let mut paths = (0..64).map(|core| folder.join("data").join(format!("journal-{core}")));
    let is_used = |bytes: Vec<u8>| bytes.iter().skip(4096).any(|byte| *byte != 0);
    paths.find(|path| fs::read(path).is_ok_and(is_used))
}

/// A killed server's folder, journal and all, as a backup has it: nothing in it can be written.
#[test]
fn a_folder_mounted_for_reading_only_is_checked_with_and_without_its_lock_file() {
    if !is_root() {
        return skipped("tora log verify on a read-only mount", "mounting takes root");
    }
    let (folder, _) = killed_with_a_journal();
    let data = folder.join("data");
    let reading_only = || {
        let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && \
                     ! touch \"$0/x\" 2>/dev/null && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", mount]).arg(&data).arg(env!("CARGO_BIN_EXE_tora"));
        verify_by(command, &folder, &[])
    };
    for has_lock in [true, false] {
        if !has_lock {
            fs::remove_file(data.join(".lock")).expect("a server was here");
        }
        let before = contents(&data);
        let output = reading_only();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("journal: sound: ") && text.contains("log-0: sound: "), "{text}");
        assert_eq!(contents(&data), before);
    }
}

#[test]
fn no_server_starts_on_a_folder_while_it_is_verified() {
    let (folder, _) = stopped();
    let lock = fs::File::open(folder.join("data/.lock")).expect("a server was here");
    lock.lock_shared().expect("nobody else has it");
    assert_eq!(verify(&folder, &[]).status.code(), Some(0), "another one may read as well");
    let said = refused(tora_serve(&folder), &folder);
    assert!(said.contains("is being verified by another process"), "{said}");
}

#[test]
fn a_flipped_byte_is_found_though_a_start_would_not_read_it() {
    let (folder, file) = stopped();
    let bytes = fs::read(&file).expect("it is there");
    let length = i32::from_be_bytes(*bytes[HEADER as usize + 8..].first_chunk().expect("a batch"));
    let size = u64::try_from(length).expect("positive") + 12;
    let opened = fs::OpenOptions::new().write(true).open(&file).expect("it is writable");
    let at = HEADER + 3 * size + 70;
    opened.write_all_at(&[bytes[at as usize] ^ 1], at).expect("it is");
    let (lines, code) = verified(&folder);
    assert_eq!(code, Some(1), "{lines:?}");
    let log = of_log(&lines);
    assert_eq!(log["sound"], false);
    assert_eq!(log["file"].as_str(), file.to_str());
    assert_eq!(log["offset"], HEADER + 3 * size, "where the damaged batch begins");
    let lost = log["lost"].as_str().expect("it is told");
    assert!(lost.starts_with("the records with offsets 9 to 11; an intact batch follows at byte "), "{lost}");
    assert!(lost.contains(&format!("byte {} with offset 12", HEADER + 4 * size)), "{lost}");
    assert_eq!(log["start"], "overlooks", "the checkpoint knows that it was flushed");
    assert!(lines.iter().any(|line| line["topic"] == "(catalog)" && line["sound"] == true));
    let text = String::from_utf8(verify(&folder, &[]).stdout).expect("it is text");
    assert!(
        text.contains("log-1: DAMAGED: ") && text.contains(&format!("at byte {}", HEADER + 3 * size)),
        "{text}"
    );
}

/// Where the last batch of a segment's file ends.
fn batches_end(bytes: &[u8]) -> usize {
    let mut end = usize::try_from(HEADER).expect("small");
    while let Some(length) = bytes.get(end + 8..).and_then(|rest| rest.first_chunk()) {
        match usize::try_from(i32::from_be_bytes(*length)).expect("positive") {
            0 => break,
            length => end += length + 12,
        }
    }
    end
}

#[test]
fn a_torn_end_is_no_damage_unless_it_was_flushed() {
    let (folder, file) = stopped();
    let bytes = fs::read(&file).expect("it is there");
    let end = batches_end(&bytes);
    // As much as a crash leaves of a batch that was on its way.
    let opened = fs::OpenOptions::new().write(true).open(&file).expect("it is writable");
    opened.write_all_at(&[7; 300], end as u64).expect("there is room");
    let (lines, code) = verified(&folder);
    assert_eq!(code, Some(0), "{lines:?}");
    let log = of_log(&lines);
    assert_eq!((&log["sound"], &log["end"]), (&true.into(), &60.into()));
    assert!(log["notes"][0].as_str().is_some_and(|note| note.contains("torn behind offset 60")), "{log}");
    // The checkpoint knows that the last batch was flushed.
    opened.set_len(end as u64 - 10).expect("it is writable");
    let (lines, code) = verified(&folder);
    assert_eq!(code, Some(1));
    let log = of_log(&lines);
    assert!(log["why"].as_str().is_some_and(|why| why.contains("was flushed up to offset 60")), "{log}");
}

#[test]
fn what_a_killed_server_left_in_its_journal_is_told_and_damage_to_it_is_found() {
    let (folder, appended) = killed_with_a_journal();
    let journals = |lines: &[Value]| lines.iter().find(|line| line["journals"].is_u64()).cloned();
    let (lines, code) = verified(&folder);
    assert_eq!(code, Some(0), "{lines:?}");
    let journal = journals(&lines).expect("a line for the journals");
    assert!(journal["records"].as_u64() > Some(2) && journal["bytes"].as_u64() > Some(100), "{journal}");
    let text = String::from_utf8(verify(&folder, &[]).stdout).expect("it is text");
    assert!(text.starts_with("journal: sound: ") && text.contains("the next start copies there"), "{text}");

    let in_journal = journal["records"].as_u64().expect("it is a number");
    let path = journal_in_use(&folder).expect("one core has the partition");
    let sound = fs::read(&path).expect("it is there");
    let mut damaged = sound.clone();
    // The record before the last one: each takes a block.
    damaged[4096 * usize::try_from(in_journal).expect("small") - 4096 + 50] ^= 1;
    fs::write(&path, damaged).expect("it is writable");
    let (lines, code) = verified(&folder);
    assert_eq!(
        (code, &lines[0]["topic"], lines[0]["file"].as_str()),
        (Some(1), &"journal".into(), path.to_str())
    );
    assert_eq!(lines[0]["start"], "refuses-folder");
    assert!(lines[0]["lost"].as_str().is_some_and(|lost| lost.contains("acknowledged shortly before")));
    assert!(lines[0]["advice"].as_str().is_some_and(|advice| advice.contains("move it away")));

    fs::write(&path, sound).expect("it is writable");
    let server = Server::start_in(folder, &[]);
    let folder = server.stop();
    assert!(!path.exists(), "everything is in its log");
    let (lines, code) = verified(&folder);
    let log = of_log(&lines);
    assert_eq!((code, journals(&lines), &log["end"]), (Some(0), None, &appended.into()));
}

/// A start writes what a journal holds behind whatever is cut before it.
#[test]
fn nothing_is_to_be_cut_before_a_start_has_copied_the_journal() {
    let (folder, appended) = killed_with_a_journal();
    let file = only_log(&folder);
    let end = batches_end(&fs::read(&file).expect("it is there"));
    let opened = fs::OpenOptions::new().read(true).write(true).open(&file).expect("it is writable");
    // What was being settled is torn, and the journal has it.
    opened.write_all_at(&[7; 300], end as u64).expect("there is room");
    let (lines, code) = verified(&folder);
    let note = of_log(&lines)["notes"][0].as_str().unwrap_or_default().to_owned();
    assert!(
        note.contains("torn behind") && note.contains("copies what the journals hold there"),
        "{lines:?}"
    );
    assert_eq!(code, Some(0), "{lines:?}");

    let mut byte = [0];
    opened.read_exact_at(&mut byte, 20).expect("it has a header");
    opened.write_all_at(&[byte[0] ^ 1], 20).expect("it is writable");
    let (lines, code) = verified(&folder);
    let advice = of_log(&lines)["advice"].as_str().unwrap_or_default().to_owned();
    assert!(advice.contains("start the server once and stop it"), "{lines:?}");
    assert!(!advice.contains("truncate") && code == Some(1), "{lines:?}");
    let folder = Server::start_in(folder, &[]).stop();
    let (lines, _) = verified(&folder);
    let advice = of_log(&lines)["advice"].as_str().unwrap_or_default().to_owned();
    assert!(advice.contains("truncate"), "there is no journal any more: {lines:?}");

    opened.write_all_at(&byte, 20).expect("it is writable");
    let folder = Server::start_in(folder, &[]).stop();
    let (lines, code) = verified(&folder);
    let log = of_log(&lines);
    assert_eq!((code, &log["end"], &log["notes"]), (Some(0), &appended.into(), &Value::Array(Vec::new())));
}

#[test]
fn a_damaged_checkpoint_is_found() {
    let (folder, _) = stopped();
    let path = folder.join("data").join("checkpoint-0");
    let mut bytes = fs::read(&path).expect("it was written at the end");
    bytes[20] ^= 1;
    fs::write(&path, bytes).expect("it is writable");
    let (lines, code) = verified(&folder);
    assert_eq!(
        (code, &lines[0]["topic"], lines[0]["file"].as_str()),
        (Some(1), &"checkpoint".into(), path.to_str())
    );
    assert_eq!((&lines[0]["start"], of_log(&lines)["sound"].as_bool()), (&"repairs".into(), Some(true)));
    let server = Server::start_in(folder, &[]);
    assert_eq!(verified(&server.stop()).1, Some(0), "the start has made another");
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let server = Server::start(&[]);
    let output = verify(server.folder(), &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let holder = format!("is in use by another process (number {})", server.process.id());
    assert!(said.contains(&holder), "{said}");
    let nothing = Folder::new();
    let output = verify(&nothing, &[]);
    assert_eq!(output.status.code(), Some(2), "there is no folder");
}
