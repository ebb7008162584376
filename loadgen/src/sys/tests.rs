use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use super::*;

/// A shell that has done `first`, and then waits for ever.
fn waiting(first: &str) -> Child {
    let script = format!("{first}; echo ready; while :; do sleep 0.01; done");
    let mut shell = Command::new("sh");
    let mut child =
        shell.args(["-c", &script]).stdout(Stdio::piped()).spawn().expect("every system has a shell");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is a pipe")).read_line(&mut line).expect("it says so");
    assert_eq!(line, "ready\n");
    child
}

#[test]
fn a_child_is_asked_to_end() {
    let mut asked = waiting("trap 'exit 7' TERM");
    let status = end(&mut asked, Duration::from_secs(60)).expect("it is ours to end");
    assert_eq!(status.and_then(|status| status.code()), Some(7), "it ends by itself, as it likes");
    let again = end(&mut asked, Duration::ZERO).expect("it was waited for");
    assert_eq!(again, status, "what has ended keeps its status");
}

#[test]
fn a_child_that_does_not_end_is_killed() {
    let mut deaf = waiting("trap '' TERM");
    assert_eq!(end(&mut deaf, Duration::from_millis(50)).expect("it is ours to end"), None);
    let status = deaf.try_wait().expect("it was waited for").expect("it has ended");
    assert_eq!(status.signal(), Some(libc::SIGKILL));
}
