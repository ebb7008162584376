//! `kill -9` under load, twenty times over: what was acknowledged or read is there, at its offset; nothing is there
//! twice; offsets have no gap; topics are there or not as was answered.
//!
//! This shows that starting again works on real files and sockets. It proves nothing of power cuts: the kernel keeps what
//! a killed process wrote. The simulated disk is for those.

mod consumer;
mod ledger;
mod producer;
mod record;
mod topics;

use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::create_topics_request::CreatableTopicConfig;
use kafka_protocol::protocol::StrBytes;

use crate::support::requests::{create, creation};
use crate::support::{Client, Folder, Server, tora_serve};
use consumer::Consumer;
use ledger::Ledger;
use producer::Producer;
use topics::Topics;

/// How often the server is killed.
const KILLS: u64 = 20;

/// Partitions of every topic.
const PARTITIONS: i32 = 4;

/// A topic that is flushed before it acknowledges, and one that is not: a killed process takes nothing of either.
const TOPICS: [&str; 2] = ["flushed", "written"];

/// Producers, in turn idempotent and not, and in turn on one topic and the other.
const PRODUCERS: u32 = 8;

/// Small segments, so that they roll.
const SETTINGS: [&str; 2] = ["log.segment.bytes=1048576", "message.max.bytes=100000"];

/// No life of the server takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a producer is an idempotent one.
fn is_idempotent(producer: u32) -> bool {
    producer.is_multiple_of(2)
}

#[test]
fn twenty_kills_under_load_take_nothing_and_double_nothing() {
    let ledger = Ledger::default();
    let mut server = Server::start(&SETTINGS);
    let mut clients = Clients::new(&server);
    for round in 0..KILLS {
        let enough = ledger.acknowledged() + 1 + round * 9973 % 30_000;
        let address = server.address.clone();
        let folder = thread::scope(|scope| {
            clients.run(scope, &address, &ledger);
            let since = Instant::now();
            while ledger.acknowledged() < enough && since.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(1));
            }
            server.kill()
        });
        assert!(ledger.acknowledged() >= enough, "it acknowledged nothing any more");
        if round % 4 == 3 {
            kill_at_start(&folder, Duration::from_millis(round));
        }
        server = Server::start_in(folder, &SETTINGS);
        clients.check(&server, &ledger);
    }
    clients.finish(&server, &ledger);
}

/// Starts a server and kills it while it recovers, or a little later.
fn kill_at_start(folder: &Folder, after: Duration) {
    let mut command = tora_serve(folder);
    SETTINGS.iter().for_each(|setting| {
        command.args(["--set", setting]);
    });
    let mut process = command.spawn().expect("cargo has built tora");
    thread::sleep(after);
    process.kill().expect("it is our child");
    process.wait().expect("it ends");
}

/// Everybody who uses the server.
struct Clients {
    producers: Vec<Producer>,
    consumers: Vec<Consumer>,
    topics: Topics,
    /// Batches of idempotent producers that were stored without their hearing of it.
    unheard: usize,
}

impl Clients {
    fn new(server: &Server) -> Self {
        let mut client = server.connect();
        create(&mut client, TOPICS[0], PARTITIONS);
        let mut request = creation(TOPICS[1], PARTITIONS);
        let config = CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str("flush.messages"))
            .with_value(Some(StrBytes::from_static_str("10000")));
        request.topics[0].configs.push(config);
        assert_eq!(client.call(7, &request).topics[0].error_code, 0);
        let producer = |number| Producer::new(number, TOPICS[number as usize / 2 % 2], &mut client);
        Self {
            producers: (0..PRODUCERS).map(producer).collect(),
            consumers: TOPICS.map(Consumer::new).into(),
            topics: Topics::new(),
            unheard: 0,
        }
    }

    /// Starts them all; each ends when the server is gone.
    fn run<'scope>(
        &'scope mut self,
        scope: &'scope thread::Scope<'scope, '_>,
        address: &'scope str,
        ledger: &'scope Ledger,
    ) {
        for producer in &mut self.producers {
            scope.spawn(move || producer.run(address, ledger));
        }
        for consumer in &mut self.consumers {
            scope.spawn(move || consumer.run(address, ledger));
        }
        let topics = &mut self.topics;
        scope.spawn(move || topics.run(address));
    }

    fn check(&mut self, server: &Server, ledger: &Ledger) {
        let mut client = server.connect();
        for topic in TOPICS {
            for partition in 0..PARTITIONS {
                let found = ledger.check(&mut client, topic, partition);
                let unheard =
                    self.producers.iter().map(|producer| producer.unheard(topic, partition, &found));
                self.unheard += unheard.sum::<usize>();
            }
        }
        self.topics.check(&mut client);
    }

    /// Lets the idempotent producers end in peace: then each of their records is there, once.
    fn finish(&mut self, server: &Server, ledger: &Ledger) {
        let mut client: Client = server.connect();
        for (producer, number) in
            self.producers.iter_mut().zip(0..).filter(|(_, number)| is_idempotent(*number))
        {
            let topic = TOPICS[number as usize / 2 % 2];
            for (sent, partition) in producer.finish(&server.address, ledger).into_iter().zip(0..) {
                let found = ledger.check(&mut client, topic, partition);
                assert_eq!(found.get(&number).copied().unwrap_or(0), sent, "{topic}-{partition}");
                assert!(sent > 0, "producer {number} had its turn");
            }
        }
        // What the kills must have met for all this to mean something.
        assert!(self.unheard > 0, "batches were stored and not acknowledged");
        assert!(self.topics.passed() > 0, "topics came and went");
    }
}
