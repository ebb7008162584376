//! `tora-load bench --bootstrap` against Apache Kafka itself: two codecs that share nothing agree.
//!
//! The broker comes from Maven Central (see `tests/kafka/start.sh`).

mod common;

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Folder, Run};

/// A first start may have to install Java and fetch the broker.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running broker; ended with the value.
struct Kafka {
    child: Child,
    port: u16,
    _folder: Folder,
}

impl Kafka {
    fn start() -> Self {
        let folder = Folder::new("kafka");
        let (port, controller_port) = free_ports();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/start.sh");
        let log = folder.path().join("broker.log");
        let output = File::create(&log).expect("its folder is writable");
        let child = Command::new(script)
            .arg(folder.path().join("data"))
            .args([port.to_string(), controller_port.to_string()])
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn()
            .expect("start.sh is part of the repository");
        let mut kafka = Self { child, port, _folder: folder };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = kafka.child.try_wait().expect("it is our child");
            let log = || fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "the broker ended: {ended:?}\n{}", log());
            assert!(Instant::now() < deadline, "the broker did not start\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
        kafka
    }

    /// Runs a short benchmark against it.
    fn bench(&self, arguments: &[&str]) -> Run {
        let (bootstrap, pid) = (format!("127.0.0.1:{}", self.port), self.child.id().to_string());
        let fixed = ["--bootstrap", &bootstrap, "--pid", &pid, "--duration", "1s", "--warmup", "3s"];
        Run::bench(&[&fixed[..], arguments].concat())
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two ports that nobody listens on just now.
fn free_ports() -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let [first, second] = listeners.map(|listener| listener.local_addr().expect("it is bound").port());
    (first, second)
}

#[test]
fn apache_kafka_keeps_every_record() {
    let kafka = Kafka::start();
    all_phases_at_full_speed(&kafka);
    idempotent_producers_that_share_partitions(&kafka);
    lines_of_the_data_set_at_a_steady_rate(&kafka);
    compressed_batches(&kafka);
    no_acknowledgements(&kafka);
    what_the_broker_refuses_is_told(&kafka);
}

fn all_phases_at_full_speed(kafka: &Kafka) {
    let run = kafka.bench(&["--in-flight", "2"]);
    run.assert_success();
    run.assert_nothing_lost();
    run.assert_phase("produce", true);
    run.assert_phase("consume_hot", true);
    run.assert_phase("consume_cold", false);
    let summary = &run.summary;
    assert!(summary["phases"]["produce"]["broker_cpu_seconds_per_gb"].as_f64() > Some(0.0), "{summary:#}");
    assert_eq!(run.left_behind(), Vec::<String>::new());
    assert_eq!(summary["durability"], "unknown to us: see its flush.messages");
    assert_eq!(summary["workload"]["partitions"], 4);
    let table = String::from_utf8_lossy(&run.output.stdout).into_owned();
    assert!(table.contains("without a restart of the broker"), "{table}");
}

fn idempotent_producers_that_share_partitions(kafka: &Kafka) {
    let run = kafka.bench(&[
        "--idempotent",
        "--partitions=3",
        "--connections=5",
        "--batch-records=20",
        "--record-size=16",
        "--threads=2",
        "--topic-config=flush.messages=1000",
        "--phases=produce,consume_cold",
    ]);
    run.assert_success();
    run.assert_nothing_lost();
    assert_eq!(run.summary["durability"], "written");
    assert!(run.summary["phases"]["consume_hot"].is_null());
}

fn lines_of_the_data_set_at_a_steady_rate(kafka: &Kafka) {
    let payload = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/click.jsonl");
    let payload = payload.to_str().expect("the repository's path is UTF-8");
    let run = kafka.bench(&["--payload", payload, "--rate", "20000", "--batch-records", "10"]);
    run.assert_success();
    run.assert_nothing_lost();
    run.assert_phase("consume_hot", true);
    let produce = &run.summary["phases"]["produce"];
    assert!(produce["lateness_us"]["p99"].is_u64(), "{produce:#}");
    assert!(produce["records"].as_u64().is_some_and(|records| records > 0), "{produce:#}");
}

/// Kafka looks into what it is sent.
fn compressed_batches(kafka: &Kafka) {
    for codec in ["lz4", "zstd"] {
        let run = kafka.bench(&["--phases=produce", "--compression", codec]);
        run.assert_success();
        run.assert_phase("produce", true);
    }
}

fn no_acknowledgements(kafka: &Kafka) {
    let run = kafka.bench(&["--acks=0", "--rate=50000", "--phases=produce,consume_cold"]);
    run.assert_success();
    run.assert_nothing_lost();
}

fn what_the_broker_refuses_is_told(kafka: &Kafka) {
    let run = kafka.bench(&["--record-size=4000", "--batch-records=500"]);
    assert_eq!(run.output.status.code(), Some(1));
    let error = run.summary["error"].as_str().expect("the summary tells the error");
    assert!(error.contains("MESSAGE_TOO_LARGE") && error.contains("--batch-records"), "{error}");
    let run = kafka.bench(&["--topic-config=no.such.config=1"]);
    let error = run.summary["error"].as_str().expect("the summary tells the error");
    assert!(error.contains("INVALID_CONFIG"), "{error}");
}
