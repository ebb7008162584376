//! What a server keeps of its memory once nobody asks it for anything.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::Server;
use crate::support::requests::{batch, create, produce_all};

const TOPIC: &str = "log";
const PARTITIONS: i32 = 400;
/// In a request.
const TOGETHER: i32 = 20;
const VALUE_BYTES: usize = 20_000;
/// Rounds of a batch for each partition: 48 MB in all, which stay in the tails' memory until their partitions are idle.
const ROUNDS: usize = 6;
/// What may stay: buffers of the shards, and what is known of the partitions.
const KEPT_MAX: usize = 24 << 20;
/// Partitions are idle after five seconds without traffic.
const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn memory_of_many_tails_goes_back_to_the_system() {
    let server = Server::start(&[]);
    let before = server.resident_bytes();
    let mut client = server.connect();
    create(&mut client, TOPIC, PARTITIONS);
    let mut busy = 0;
    for round in 0..ROUNDS {
        for first in (0..PARTITIONS).step_by(TOGETHER.unsigned_abs() as usize) {
            let value = format!("{round} {first} ").repeat(VALUE_BYTES / 4);
            let one = batch(&[value.get(..VALUE_BYTES).expect("it is longer").to_owned()]);
            let batches = (first..first + TOGETHER).map(|partition| (partition, one.clone())).collect();
            let response = client.call(7, &produce_all(TOPIC, batches));
            let parts = &response.responses[0].partition_responses;
            assert!(parts.iter().all(|part| part.error_code == 0), "{parts:?}");
        }
        // On a slow machine the first ones' memory goes before the last ones have come.
        busy = busy.max(server.resident_bytes());
    }
    assert!(busy > before + KEPT_MAX, "{} MiB: too little to tell", busy.saturating_sub(before) >> 20);

    let begun = Instant::now();
    let mut kept = usize::MAX;
    while kept > KEPT_MAX && begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(500));
        kept = server.resident_bytes().saturating_sub(before);
    }
    assert!(
        kept <= KEPT_MAX,
        "{} MiB more than at the start, {} while busy",
        kept >> 20,
        (busy - before) >> 20
    );
    server.stop();
}
