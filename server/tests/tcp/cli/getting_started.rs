//! docs/getting-started.md does what it says.

use std::process::Command;

use crate::clients::Broker;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/getting-started.md");

/// The document's blocks of one language, in order, each without its fences.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().expect("a block has an end")).collect()
}

/// Runs a block's lines by a shell, as a reader would; gives what they say.
fn run(broker: &Broker, block: &str) -> String {
    let tora = env!("CARGO_BIN_EXE_tora");
    let (folder, _) = tora.rsplit_once('/').expect("it lies in a folder");
    let mut said = String::new();
    for line in block.lines() {
        // What a line ends with is a tora; only the tests' broker listens elsewhere.
        let command = format!("{line} --bootstrap {}", broker.address());
        let path = format!("{folder}:{}", std::env::var("PATH").expect("there is one"));
        let output = Command::new("sh").args(["-c", &command]).env("PATH", path).output().expect("a shell");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        said.push_str(std::str::from_utf8(&output.stdout).expect("UTF-8"));
    }
    said
}

#[test]
fn its_commands_say_what_it_says_they_do() {
    let broker = Broker::start(&["group.initial.rebalance.delay.ms=0"]);
    let text = std::fs::read_to_string(DOCUMENT).expect("it is there");
    let commands = blocks(&text, "sh");
    let answers = blocks(&text, "text");
    // The first one builds and serves.
    let [_, write_and_read, group, again] = commands[..] else { panic!("{} blocks", commands.len()) };
    if !broker.is_ours() {
        // Its topic's name is the document's: another broker may have it already.
        return;
    }
    assert_eq!(run(&broker, write_and_read), answers[0]);
    assert_eq!(run(&broker, group), answers[1]);
    let said = run(&broker, again);
    assert_eq!(
        said.lines().filter(|line| ["hello", "Ada", "Grace", "Lovelace", "later"].contains(line)).count(),
        2
    );
}
