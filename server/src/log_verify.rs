//! `tora log verify`: reads the logs of a data folder as a whole, while nobody serves it, and changes nothing.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use serde_json::{Value, json};
use tora_engine::io::HostFs;
use tora_engine::types::PartitionId;
use tora_engine::verify::{Damage, Folder, Replayed, Verified};

use crate::cli::LogVerify;

/// What the catalog's own log is called.
const CATALOG: &str = "(catalog)";

/// Something could not be checked: neither sound nor damaged. As clap's for a command line that it cannot read.
const NOT_CHECKED: u8 = 2;

/// Checks what the flags say, and prints a line for each damage and for each partition. The program's end says what came of
/// it: 0 where all is sound, 1 where something is damaged, 2 where it could not be checked.
pub fn run(flags: &LogVerify) -> ExitCode {
    match verify(flags) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("tora: {why}");
            ExitCode::from(NOT_CHECKED)
        }
    }
}

/// Says whether everything is in order, or why it could not be checked.
fn verify(flags: &LogVerify) -> Result<bool, String> {
    let folder = Folder::open(HostFs, &flags.data_dir).map_err(|error| error.to_string())?;
    let mut out = Output { json: flags.json, sound: true };
    for damage in folder.damages() {
        out.damaged("checkpoint", None, damage)?;
    }
    match folder.journals() {
        Ok(Replayed { records: 0, .. }) => {}
        Ok(journals) => out.journals(&journals)?,
        Err(damage) => out.damaged("journal", None, &damage)?,
    }
    let name = |id: &PartitionId| match folder.topic(*id) {
        _ if folder.is_catalog(*id) => CATALOG.to_owned(),
        Some(name) => name.to_owned(),
        // The catalog is damaged.
        None => id.topic.to_string(),
    };
    let wanted = |id: &&PartitionId| flags.topic.as_ref().is_none_or(|topic| name(id) == *topic);
    let partitions: Vec<PartitionId> = folder.partitions().iter().filter(wanted).copied().collect();
    if let (Some(topic), true) = (&flags.topic, partitions.is_empty()) {
        return Err(format!("no topic {topic:?} has a log in {}", flags.data_dir.display()));
    }
    for id in partitions {
        let (topic, index) = (name(&id), id.index.value());
        let mut progress = Progress { what: format!("{topic}-{index}"), bytes: 0 };
        let verified = folder.verify(id, &mut |bytes| progress.add(bytes));
        progress.end();
        for damage in &verified.damages {
            out.damaged(&topic, Some(index), damage)?;
        }
        out.log(&topic, index, &verified)?;
    }
    Ok(out.sound)
}

struct Output {
    json: bool,
    sound: bool,
}

impl Output {
    /// What a log holds, behind what is wrong with it.
    fn log(&self, topic: &str, partition: i32, verified: &Verified) -> Result<(), String> {
        let Verified { segments, batches, records, bytes, start, end, notes, damages } = verified;
        if self.json {
            return print(&json!({
                "topic": topic,
                "partition": partition,
                "sound": verified.is_sound(),
                "damages": damages.len(),
                "segments": segments,
                "batches": batches,
                "records": records,
                "bytes": bytes,
                "start": start.value(),
                "end": end.value(),
                "notes": notes,
            }));
        }
        let what = match damages.len() {
            0 => "sound".to_owned(),
            count => format!("{count} damages; in order are"),
        };
        line(&format!(
            "{topic}-{partition}: {what}: {segments} segments, {batches} batches, {records} records, {bytes} bytes; \
             offsets {start} to {end}"
        ))?;
        notes.iter().try_for_each(|note| line(&format!("    {note}")))
    }

    /// What stands in no log yet; the program was killed, or the power went.
    fn journals(&self, journals: &Replayed) -> Result<(), String> {
        let Replayed { journals, records, files, bytes } = journals;
        if self.json {
            return print(&json!({
                "journals": journals,
                "records": records,
                "segments": files,
                "bytes": bytes,
                "sound": true,
            }));
        }
        line(&format!(
            "journal: sound: {records} records with {bytes} bytes of {files} segments, which the next start copies there"
        ))
    }

    fn damaged(&mut self, topic: &str, partition: Option<i32>, damage: &Damage) -> Result<(), String> {
        self.sound = false;
        let Damage { file, offset, why, lost, start, advice } = damage;
        let file = file.display().to_string();
        if self.json {
            return print(&json!({
                "topic": topic,
                "partition": partition,
                "sound": false,
                "file": file,
                "offset": offset,
                "why": why,
                "lost": lost,
                "start": start.as_str(),
                "advice": advice,
            }));
        }
        let index = partition.map_or(String::new(), |index| format!("-{index}"));
        line(&format!(
            "{topic}{index}: DAMAGED: {file} at byte {offset}: {why}\n    lost: {lost}\n    {start}\n    {advice}"
        ))
    }
}

fn print(value: &Value) -> Result<(), String> {
    line(&value.to_string())
}

fn line(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| format!("writing failed: {error}"))
}

/// How much was read of a log, for whoever watches.
struct Progress {
    what: String,
    bytes: u64,
}

impl Progress {
    fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        if bytes > 0 && std::io::stderr().is_terminal() {
            eprint!("\r{}: {} MiB read", self.what, self.bytes >> 20);
        }
    }

    /// Makes room for the line that says what came of it.
    fn end(&self) {
        if self.bytes > 0 && std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}
