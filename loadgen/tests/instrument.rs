//! The instrument itself: a broker that stands still is charged for every record that it kept waiting.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::stub::Stub;
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
    const STILL: Duration = Duration::from_millis(1_600);
    const MEASURED: Duration = Duration::from_secs(8);
    let server = Server::start();
    let bench = || {
        let duration = format!("--duration={}ms", MEASURED.as_millis());
        let fixed =
            ["--warmup=500ms", "--phases=produce", "--rate=2000", "--batch-records=1", "--connections=2"];
        Run::bench(&[&["--bootstrap", &server.address, &duration][..], &fixed].concat())
    };
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(bench);
        // In the middle of the measured time, of which starting and warming up may take some seconds.
        std::thread::sleep(Duration::from_secs(4));
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

/// The time after which the stub answers: one request in five takes 50 ms, the others 5 ms.
fn known_delay(request: u64) -> Duration {
    if request % 5 == 4 { SLOW } else { QUICK }
}

const QUICK: Duration = Duration::from_millis(5);
const SLOW: Duration = Duration::from_millis(50);

#[test]
fn percentiles_are_those_of_a_broker_whose_delays_are_known() {
    // A machine with other work makes a single thread late now and then; a wrong instrument is wrong every time.
    let late: Vec<String> = (0..3).map_while(|_| late_against_known_delays()).collect();
    assert!(late.len() < 3, "too much each time: {late:#?}");
}

/// Measures the stub. Never may a percentile be below the delay; says which is above what the stub itself took.
fn late_against_known_delays() -> Option<String> {
    let stub = Stub::start(known_delay);
    let address = stub.address.to_string();
    // One request under way on each connection, so that none waits for another, in a closed loop: each latency is the
    // stub's delay and nothing else.
    let run = Run::bench(&[
        "--bootstrap",
        &address,
        "--phases=produce",
        "--batch-records=1",
        "--connections=4",
        "--in-flight=1",
        "--warmup=0ms",
        "--duration=4s",
    ]);
    run.assert_success();
    let produce = &run.summary["phases"]["produce"];
    let measured = |name: &str| produce["latency_us"][name].as_u64().expect("it is timed");
    let taken = stub.taken_us();
    let records = produce["records"].as_u64().expect("they are counted");
    assert!(records > 500, "enough to tell a percentile: {records}");
    // What the stub itself took, by its own clock, at the same place of the order.
    let known = |quantile: f64| taken[((taken.len() as f64 * quantile) as usize).min(taken.len() - 1)];
    // Never less than the delay, but for the histogram's three digits; and no more than the stub took by its own clock,
    // with the same digits and the time that two threads may take to wake up on a machine that has other work.
    const PRECISION: f64 = 0.001;
    const WAKE_UP_US: f64 = 20_000.0;
    // One in a thousand is one in all of them: it may have met a moment in which the machine stood still, and may only not
    // be less.
    for (name, quantile, delay, most_of) in [
        ("p50", 0.5, QUICK, true),
        ("p90", 0.9, SLOW, true),
        ("p99", 0.99, SLOW, true),
        ("p99_9", 0.999, SLOW, false),
    ] {
        let (measured, known) = (measured(name) as f64, known(quantile) as f64);
        let least = delay.as_micros() as f64 * (1.0 - PRECISION) - 1.0;
        assert!(measured >= least, "{name}: {measured} µs, and the delay is {delay:?}");
        let most = known * (1.0 + PRECISION) + WAKE_UP_US;
        if most_of && measured > most {
            return Some(format!("{name}: {measured} µs, and the stub took {known} µs"));
        }
    }
    assert!(measured("p50") < SLOW.as_micros() as u64, "four in five are quick: {produce:#}");
    None
}

#[test]
fn a_queue_before_a_slow_broker_is_charged_by_the_schedule() {
    // 100 requests a second on one connection that is answered once in 20 ms, one after the other, each delay counted
    // from its arrival: nothing queues, and the open loop shows the delay itself.
    let stub = Stub::start(|_| Duration::from_millis(20));
    let address = stub.address.to_string();
    let run = Run::bench(&[
        "--bootstrap",
        &address,
        "--phases=produce",
        "--batch-records=1",
        "--connections=1",
        "--rate=100",
        "--warmup=0ms",
        "--duration=3s",
    ]);
    run.assert_success();
    let produce = &run.summary["phases"]["produce"];
    let p50 = produce["latency_us"]["p50"].as_u64().expect("it is timed");
    assert!((19_900..40_000).contains(&p50), "the delay and a timer's waking up: {p50}");
    // A machine that stands still at the very end leaves some unsent.
    assert!(produce["unsent_records"].as_u64() <= Some(20), "{produce:#}");
    let records = produce["records"].as_u64().expect("they are counted");
    assert!((250..=301).contains(&records), "the schedule's own number: {records}");
}
