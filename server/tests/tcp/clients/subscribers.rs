//! Consumer groups of the clients that people use: each reads, the broker is killed and started again, and it goes on where
//! it stopped.

mod java;
mod kafkajs;
mod kcat;
