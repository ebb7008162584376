//! rust-rdkafka (librdkafka) as the tests drive it:
//!
//! ```text
//! rdkafka-client version
//! rdkafka-client produce HOST:PORT TOPIC               each line of the input
//! rdkafka-client consume HOST:PORT TOPIC GROUP COUNT   prints each value
//! ```

use std::error::Error;
use std::io::Write;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};

type Failure = Box<dyn Error>;

/// How long a record may take from its sending to its acknowledgement.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

async fn produce(broker: &str, topic: &str) -> Result<(), Failure> {
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", broker).create()?;
    let mut sent = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line?;
        let record = FutureRecord::<(), _>::to(topic).payload(&line);
        sent.push(producer.send_result(record).map_err(|(error, _)| error)?);
    }
    for delivery in sent {
        tokio::time::timeout(PATIENCE, delivery).await??.map_err(|(error, _)| error)?;
    }
    Ok(())
}

async fn consume(broker: &str, topic: &str, group: &str, count: usize) -> Result<(), Failure> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("auto.commit.interval.ms", "100")
        .create()?;
    consumer.subscribe(&[topic])?;
    let mut read = 0;
    while read < count {
        let message = match consumer.recv().await {
            Ok(message) => message,
            // The broker is gone for the moment: librdkafka goes on by itself.
            Err(KafkaError::MessageConsumption(error)) if passes(error) => continue,
            Err(error) => return Err(error.into()),
        };
        let mut out = std::io::stdout().lock();
        out.write_all(message.payload().unwrap_or_default())?;
        out.write_all(b"\n")?;
        out.flush()?;
        read += 1;
    }
    // Dropping the consumer commits what was read and leaves the group.
    Ok(())
}

/// Whether librdkafka reports this while it recovers on its own.
fn passes(error: RDKafkaErrorCode) -> bool {
    matches!(error, RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    match arguments[..] {
        ["version"] => {
            println!("{} (librdkafka {})", crate_version(), rdkafka::util::get_rdkafka_version().1);
            Ok(())
        }
        ["produce", broker, topic] => runtime.block_on(produce(broker, topic)),
        ["consume", broker, topic, group, count] => {
            runtime.block_on(consume(broker, topic, group, count.parse()?))
        }
        _ => Err("usage: rdkafka-client version | produce … | consume …, see main.rs".into()),
    }
}

/// The version of rust-rdkafka that was built in, as the lock file has it.
fn crate_version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let after = lock.split("name = \"rdkafka\"\nversion = \"").nth(1).expect("it is a dependency");
    after.split('"').next().expect("a text has a first part")
}
