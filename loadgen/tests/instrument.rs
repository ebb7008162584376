//! The instrument itself: a broker that stands still is charged for every record that it kept waiting.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Folder, Run, with_server};

/// A running `tora`; ended with the value.
struct Server {
    child: Child,
    address: String,
    _folder: Folder,
}

impl Server {
    fn start() -> Self {
        with_server();
        let folder = Folder::new("instrument");
        let program = Path::new(env!("CARGO_BIN_EXE_tora-load")).with_file_name("tora");
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--cores", "1", "--data-dir"]).arg(folder.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it has been built");
        let mut server = Self { child, address: String::new(), _folder: folder };
        let stdout = server.child.stdout.take().expect("it is a pipe");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.strip_prefix("listening on ")?.trim().to_owned()));
        server.address = address.expect("it says where it listens");
        server
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill is part of every system").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_broker_that_stands_still_is_charged_for_all_that_waits() {
    const STILL: Duration = Duration::from_millis(600);
    const MEASURED: Duration = Duration::from_secs(3);
    let server = Server::start();
    let bench = || {
        let duration = format!("--duration={}ms", MEASURED.as_millis());
        let fixed =
            ["--warmup=500ms", "--phases=produce", "--rate=2000", "--batch-records=1", "--connections=2"];
        Run::bench(&[&["--bootstrap", &server.address, &duration][..], &fixed].concat())
    };
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(bench);
        // In the middle of the measured time: starting and warming up take a second at most on any machine that keeps up.
        std::thread::sleep(Duration::from_millis(1500));
        server.signal("STOP");
        std::thread::sleep(STILL);
        server.signal("CONT");
        run.join().expect("the run does not panic")
    });
    run.assert_success();
    let produce = &run.summary["phases"]["produce"];
    let latency = |name: &str| {
        let us = produce["latency_us"][name].as_u64().expect("it is timed");
        Duration::from_micros(us)
    };
    // Whatever was due in the first instant waited for all of the time; histograms keep three digits.
    assert!(latency("max") >= STILL.mul_f64(0.99), "{produce:#}");
    // A fifth of the records was due while the broker stood still, each waiting for what was left of that time. So one
    // in ten of all waited longer than half of it. A generator that had waited along (a closed loop) would have sent a
    // handful meanwhile, and the 90th percentile would know nothing of it. Disturbances only make it longer.
    let due_meanwhile = STILL.as_secs_f64() / MEASURED.as_secs_f64();
    let longest_of_the_rest = STILL.mul_f64(1.0 - 0.1 / due_meanwhile);
    assert!(latency("p90") >= longest_of_the_rest.mul_f64(0.95), "{longest_of_the_rest:?}: {produce:#}");
    // The generator itself went on by its schedule.
    assert!(produce["lateness_us"]["p50"].as_u64() < Some(STILL.as_micros() as u64 / 2), "{produce:#}");
}
