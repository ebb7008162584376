//! The table of targets, on the screen and in the results folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

/// One line of the table.
struct Line {
    what: String,
    target: String,
    measured: String,
    /// None for a figure without a target.
    passed: Option<bool>,
}

/// Everything measured so far.
pub struct Report {
    out: PathBuf,
    command: Vec<String>,
    lines: Vec<Line>,
    details: Map<String, Value>,
}

impl Report {
    /// An empty report to be written into `out`.
    pub fn new(out: &Path, command: Vec<String>) -> Self {
        Self { out: out.to_owned(), command, lines: Vec::new(), details: Map::new() }
    }

    /// Adds a figure that has a target.
    pub fn check(&mut self, what: &str, target: &str, measured: &str, passed: bool) {
        self.add(what, target, measured, Some(passed));
    }

    /// Adds a figure that has none.
    pub fn note(&mut self, what: &str, measured: &str) {
        self.add(what, "", measured, None);
    }

    /// Adds a part that could not be measured: it has missed its target.
    pub fn failed(&mut self, part: &str, why: &str) {
        self.add(part, "to be measured", why, Some(false));
    }

    /// Keeps the raw figures of a part.
    pub fn detail(&mut self, part: &str, figures: Value) {
        self.details.insert(part.to_owned(), figures);
    }

    /// Says on the screen what goes on.
    pub fn progress(&self, text: &str) {
        println!("# {text}");
    }

    /// Whether every target is met.
    pub fn passed(&self) -> bool {
        self.lines.iter().all(|line| line.passed != Some(false))
    }

    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let mut rows = vec![["what", "target", "measured", ""].map(str::to_owned)];
        rows.extend(self.lines.iter().map(|line| {
            [line.what.clone(), line.target.clone(), line.measured.clone(), verdict(line.passed).to_owned()]
        }));
        let widths: Vec<usize> = (0..4)
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for (number, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
            if number == 0 {
                let rules = widths.iter().map(|width| "-".repeat((*width).max(3)));
                text.push_str(&format!("| {} |\n", rules.collect::<Vec<_>>().join(" | ")));
            }
        }
        text
    }

    /// Writes `accept.json` and `accept.md`.
    pub fn write(&self) -> io::Result<()> {
        let machine = machine();
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(
                |l| json!({ "what": l.what, "target": l.target, "measured": l.measured, "passed": l.passed }),
            )
            .collect();
        let document = json!({
            "passed": self.passed(),
            "command": self.command,
            "machine": machine,
            "lines": lines,
            "details": self.details,
        });
        fs::write(self.out.join("accept.json"), serde_json::to_string_pretty(&document)? + "\n")?;
        let mut text = format!("# Acceptance\n\n{}\n", self.table());
        for (name, value) in &machine {
            text.push_str(&format!("- {name}: {}\n", value.as_str().unwrap_or_default()));
        }
        text.push_str(&format!("- command: `{}`\n", self.command.join(" ")));
        fs::write(self.out.join("accept.md"), text)
    }

    fn add(&mut self, what: &str, target: &str, measured: &str, passed: Option<bool>) {
        println!("{:<5} {what}: {measured}", verdict(passed));
        self.lines.push(Line {
            what: what.to_owned(),
            target: target.to_owned(),
            measured: measured.to_owned(),
            passed,
        });
    }
}

fn verdict(passed: Option<bool>) -> &'static str {
    match passed {
        Some(true) => "pass",
        Some(false) => "MISS",
        None => "",
    }
}

/// What the figures depend on. What cannot be found out is left out.
pub fn machine() -> Map<String, Value> {
    let mut machine = Map::new();
    let mut note = |name: &str, value: Option<String>| {
        if let Some(value) = value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()) {
            machine.insert(name.to_owned(), Value::String(value));
        }
    };
    note("kernel", fs::read_to_string("/proc/sys/kernel/osrelease").ok());
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let model = text.lines().find(|line| line.starts_with("model name"))?;
        Some(model.split_once(':')?.1.to_owned())
    });
    note("processor", cpu);
    note("cores", std::thread::available_parallelism().ok().map(|n| n.to_string()));
    note("commit", output("git", &["describe", "--always", "--dirty", "--abbrev=12"]));
    note("rustc", output("rustc", &["--version"]));
    machine
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests;
