//! kcat (librdkafka) against Tora: what it writes is stored as it came and read back the same.

use std::path::PathBuf;
use std::process::Command;

use super::{Broker, Program, install, run, table, topic};
use crate::support::Server;
use crate::support::batches::{self, Codec};

/// What it says its own version is, and librdkafka's.
pub fn version() -> String {
    let said = run(Command::new(install("kcat")).arg("-V"), "");
    let line = said.lines().find_map(|line| line.strip_prefix("Version ")).expect("it says its version");
    let (own, features) = line.split_once(' ').expect("what it can do follows");
    let library = features.split_once("librdkafka ").expect("with its library").1;
    format!("{own} (librdkafka {})", library.split([' ', ',', ')']).next().expect("the version"))
}

/// kcat with a broker and a topic.
struct Kcat<'a> {
    program: PathBuf,
    broker: &'a Broker,
    topic: String,
}

impl<'a> Kcat<'a> {
    fn new(broker: &'a Broker, name: &str) -> Self {
        Self { program: install("kcat"), broker, topic: topic(name) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-q", "-b", self.broker.address(), "-t", &self.topic]).args(arguments);
        command
    }

    /// Produces each line as a message.
    fn produce(&self, arguments: &[&str], lines: &str) {
        run(&mut self.command(&[&["-P"], arguments].concat()), lines);
    }

    /// Reads partition 0 from its start to its end.
    fn consume(&self, arguments: &[&str]) -> String {
        run(&mut self.command(&[&["-C", "-p", "0", "-o", "beginning", "-e"], arguments].concat()), "")
    }
}

/// Lines that a codec can shrink: librdkafka sends a batch as it is where compressing would not help.
fn lines(count: usize) -> String {
    (0..count).map(|number| format!("line {number} of several that are rather alike\n")).collect()
}

#[test]
fn what_was_written_is_read_in_order() {
    let broker = Broker::start(&[]);
    let kcat = Kcat::new(&broker, "order");
    kcat.produce(&["-p", "0"], &lines(20_000));
    assert_eq!(kcat.consume(&[]), lines(20_000));
}

#[test]
fn each_codec_is_stored_as_sent_and_read_back() {
    let _row = table::row("kcat", &version(), "gzip, snappy, lz4 and zstd, stored as sent and read back");
    let broker = Broker::start(&[]);
    for (name, codec) in [
        ("none", Codec::None),
        ("gzip", Codec::Gzip),
        ("snappy", Codec::Snappy),
        ("lz4", Codec::Lz4),
        ("zstd", Codec::Zstd),
    ] {
        let kcat = Kcat::new(&broker, name);
        kcat.produce(&["-p", "0", "-z", name], &lines(5_000));
        let batches = batches::partitions(broker.address(), &kcat.topic).remove(0);
        assert_eq!(batches.iter().map(|batch| batch.records).sum::<i32>(), 5_000, "{name}");
        // A batch of very few records would not shrink.
        let large = batches.iter().filter(|batch| batch.records >= 50).collect::<Vec<_>>();
        assert!(!large.is_empty() && large.iter().all(|batch| batch.codec == codec), "{name}: {batches:?}");
        assert_eq!(kcat.consume(&[]), lines(5_000), "{name}");
    }
}

#[test]
fn keys_headers_and_partitions_arrive() {
    let _row = table::row("kcat", &version(), "keys, headers, chosen partitions");
    let broker = Broker::start(&["num.partitions=4"]);
    let kcat = Kcat::new(&broker, "keys");
    kcat.produce(&["-p", "3", "-K", ":", "-H", "origin=test"], "a:1\nb:2\nc:3\n");
    let read = run(&mut kcat.command(&["-C", "-o", "beginning", "-e", "-f", "%p %o %k %s %h\n"]), "");
    if broker.is_ours() {
        assert_eq!(batches::partitions(broker.address(), &kcat.topic).len(), 4);
    }
    assert_eq!(read, "3 0 a 1 origin=test\n3 1 b 2 origin=test\n3 2 c 3 origin=test\n");
}

#[test]
fn every_kind_of_acknowledgement_stores_everything() {
    let _row = table::row("kcat", &version(), "acks 0, 1 and all");
    let broker = Broker::start(&[]);
    for acks in ["0", "1", "all"] {
        let kcat = Kcat::new(&broker, "acks");
        kcat.produce(&["-p", "0", "-X", &format!("acks={acks}")], &lines(1_000));
        // Without acknowledgements the producer may be gone before the broker has read its last request.
        let count = kcat.command(&["-C", "-p", "0", "-o", "beginning", "-c", "1000"]);
        assert_eq!(run(&mut { count }, ""), lines(1_000), "acks={acks}");
    }
}

#[test]
fn an_idempotent_producer_gets_an_id() {
    let _row = table::row("kcat", &version(), "an idempotent producer");
    let broker = Broker::start(&[]);
    let kcat = Kcat::new(&broker, "idempotent");
    kcat.produce(&["-p", "0", "-X", "enable.idempotence=true"], &lines(2_000));
    let batches = batches::partitions(broker.address(), &kcat.topic).remove(0);
    assert!(batches.iter().all(|batch| batch.producer_id >= 0), "{batches:?}");
    assert_eq!(kcat.consume(&[]), lines(2_000));
}

#[test]
fn a_consumer_that_waits_is_given_what_arrives() {
    let broker = Broker::start(&[]);
    let kcat = Kcat::new(&broker, "waiting");
    kcat.produce(&["-p", "0"], "first\n");
    let waiting =
        Program::spawn(&mut kcat.command(&["-C", "-p", "0", "-o", "beginning", "-c", "3", "-u"]), "");
    kcat.produce(&["-p", "0"], "second\nthird\n");
    assert_eq!(waiting.finish(), "first\nsecond\nthird\n");
}

#[test]
fn the_topic_is_listed_with_its_partitions() {
    let _row = table::row("kcat", &version(), "metadata (`-L`)");
    let broker = Broker::start(&["num.partitions=4"]);
    let kcat = Kcat::new(&broker, "listed");
    kcat.produce(&["-p", "0"], "x\n");
    let listed = run(&mut kcat.command(&["-L"]), "");
    assert!(listed.contains(&format!("topic \"{}\" with ", kcat.topic)), "{listed}");
    assert!(listed.contains(broker.address()), "{listed}");
    if broker.is_ours() {
        assert!(listed.contains("with 4 partitions"), "{listed}");
    }
}

#[test]
fn everything_is_there_after_a_restart() {
    let broker = Broker::start(&[]);
    let kcat = Kcat::new(&broker, "restart");
    kcat.produce(&["-p", "0", "-z", "zstd"], &lines(3_000));
    let topic = kcat.topic;
    let Broker::Ours(server) = broker else { return };
    let broker = Broker::Ours(Server::start_in(server.stop(), &[]));
    let kcat = Kcat { program: install("kcat"), broker: &broker, topic };
    assert_eq!(kcat.consume(&[]), lines(3_000));
    kcat.produce(&["-p", "0"], "one more\n");
    assert_eq!(kcat.consume(&[]), lines(3_000) + "one more\n");
}
